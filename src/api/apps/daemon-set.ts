import { ageColumn, column, nameColumn, templateCells, templateColumns } from "../columns.ts";
import { defaultPodTemplate } from "../defaults/pod-spec.ts";
import type { DaemonSet } from "../generated/apps-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { formatLabels, formatLabelSelector } from "../selectors.ts";
import { separateStatus } from "../strategy.ts";
import { collect } from "../validation/field-errors.ts";
import { validateDaemonSet, validateDaemonSetUpdate } from "../validation/apps/daemon-set.ts";

export const daemonSetRules: KindRules<DaemonSet> = {
  ...separateStatus<DaemonSet>(() => ({
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    desiredNumberScheduled: 0,
    numberReady: 0,
  })),
  defaults(set) {
    const { spec } = set;
    spec.updateStrategy ??= {};
    if (!spec.updateStrategy.type) spec.updateStrategy.type = "RollingUpdate";
    if (spec.updateStrategy.type === "RollingUpdate") {
      spec.updateStrategy.rollingUpdate ??= {};
      spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
      spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
    }
    spec.revisionHistoryLimit ??= 10;
    defaultPodTemplate(spec.template);
  },
  validate: (set) => collect((errors) => validateDaemonSet(errors, set)),
  validateUpdate: (set, old, context) => collect((errors) => validateDaemonSetUpdate(errors, set, old, context)),
  columns: [
    nameColumn,
    column("Desired", "The total number of nodes that should be running the daemon pod.", "integer"),
    column(
      "Current",
      "The number of nodes that are running at least 1 daemon pod and are supposed to run the daemon pod.",
      "integer",
    ),
    column(
      "Ready",
      "The number of nodes that should be running the daemon pod and have one or more of the daemon pod running with a Ready Condition.",
      "integer",
    ),
    column("Up-to-date", "The total number of nodes that are running updated daemon pod", "integer"),
    column(
      "Available",
      "The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and available.",
      "integer",
    ),
    column("Node Selector", "NodeSelector is a selector which must be true for the pod to fit on a node."),
    ageColumn,
    ...templateColumns,
  ],
  cells: (set, now) => [
    set.metadata.name,
    set.status?.desiredNumberScheduled ?? 0,
    set.status?.currentNumberScheduled ?? 0,
    set.status?.numberReady ?? 0,
    set.status?.updatedNumberScheduled ?? 0,
    set.status?.numberAvailable ?? 0,
    formatLabels(set.spec.template?.spec?.nodeSelector),
    ageOf(set.metadata.creationTimestamp, now),
    ...templateCells(set.spec.template?.spec?.containers),
    formatLabelSelector(set.spec.selector),
  ],
};
