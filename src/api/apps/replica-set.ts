import { ageColumn, column, nameColumn, templateCells, templateColumns } from "../columns.ts";
import { defaultPodTemplate } from "../defaults/pod-spec.ts";
import type { ReplicaSet } from "../generated/apps-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { formatLabelSelector } from "../selectors.ts";
import { separateStatus } from "../strategy.ts";
import { collect } from "../validation/field-errors.ts";
import { validateReplicaSet, validateReplicaSetUpdate } from "../validation/apps/replica-set.ts";

export const replicaSetRules: KindRules<ReplicaSet> = {
  ...separateStatus<ReplicaSet>(() => ({ replicas: 0 })),
  defaults(set) {
    set.spec.replicas ??= 1;
    defaultPodTemplate(set.spec.template);
  },
  validate: (set) => collect((errors) => validateReplicaSet(errors, set)),
  validateUpdate: (set, old, context) => collect((errors) => validateReplicaSetUpdate(errors, set, old, context)),
  columns: [
    nameColumn,
    column("Desired", "Replicas is the number of desired pods.", "integer"),
    column("Current", "Replicas is the most recently observed number of non-terminating pods.", "integer"),
    column(
      "Ready",
      "The number of non-terminating pods targeted by this ReplicaSet with a Ready Condition.",
      "integer",
    ),
    ageColumn,
    ...templateColumns,
  ],
  cells: (set, now) => [
    set.metadata.name,
    set.spec.replicas ?? 0,
    set.status?.replicas ?? 0,
    set.status?.readyReplicas ?? 0,
    ageOf(set.metadata.creationTimestamp, now),
    ...templateCells(set.spec.template?.spec?.containers),
    formatLabelSelector(set.spec.selector),
  ],
  fieldSelectors: { "status.replicas": (set) => String(set.status?.replicas ?? 0) },
};
