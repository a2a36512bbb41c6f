import { ageColumn, column, nameColumn, templateCells, templateColumns } from "../columns.ts";
import { defaultPodTemplate } from "../defaults/pod-spec.ts";
import { defaultClaimSpec } from "../defaults/volumes.ts";
import type { StatefulSet } from "../generated/apps-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { separateStatus } from "../strategy.ts";
import { collect } from "../validation/field-errors.ts";
import { validateStatefulSet, validateStatefulSetUpdate } from "../validation/apps/stateful-set.ts";

export const statefulSetRules: KindRules<StatefulSet> = {
  ...separateStatus<StatefulSet>(() => ({ replicas: 0, availableReplicas: 0 })),
  defaults(set) {
    const { spec } = set;
    spec.replicas ??= 1;
    if (!spec.podManagementPolicy) spec.podManagementPolicy = "OrderedReady";
    spec.updateStrategy ??= {};
    if (!spec.updateStrategy.type) {
      spec.updateStrategy.type = "RollingUpdate";
      spec.updateStrategy.rollingUpdate ??= {};
    }
    if (spec.updateStrategy.type === "RollingUpdate" && spec.updateStrategy.rollingUpdate !== undefined) {
      spec.updateStrategy.rollingUpdate.partition ??= 0;
    }
    spec.persistentVolumeClaimRetentionPolicy ??= {};
    spec.persistentVolumeClaimRetentionPolicy.whenDeleted ||= "Retain";
    spec.persistentVolumeClaimRetentionPolicy.whenScaled ||= "Retain";
    spec.revisionHistoryLimit ??= 10;
    for (const claim of spec.volumeClaimTemplates ?? []) {
      claim.apiVersion ??= "v1";
      claim.kind ??= "PersistentVolumeClaim";
      claim.status ??= {};
      claim.status.phase ||= "Pending";
      defaultClaimSpec(claim.spec);
    }
    defaultPodTemplate(spec.template);
  },
  validate: (set) => collect((errors) => validateStatefulSet(errors, set)),
  validateUpdate: (set, old, context) => collect((errors) => validateStatefulSetUpdate(errors, set, old, context)),
  columns: [
    nameColumn,
    column("Ready", "Number of the pod with ready state"),
    ageColumn,
    ...templateColumns.slice(0, 2),
  ],
  cells: (set, now) => [
    set.metadata.name,
    `${set.status?.readyReplicas ?? 0}/${set.spec.replicas ?? 0}`,
    ageOf(set.metadata.creationTimestamp, now),
    ...templateCells(set.spec.template?.spec?.containers),
  ],
};
