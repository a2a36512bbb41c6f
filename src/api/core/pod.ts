import { ageColumn, column, nameColumn, wideColumn } from "../columns.ts";
import { defaultPod, defaultPodSpec } from "../defaults/pod-spec.ts";
import type { Pod } from "../generated/core-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { isPodTerminal } from "../pod-readiness.ts";
import { qosClassOf } from "../pod-resources.ts";
import { collect } from "../validation/field-errors.ts";
import { validateNewPod, validatePod } from "../validation/pod.ts";
import { validatePodUpdate } from "../validation/pod-update.ts";
import { mergeLabelKeys } from "./label-keys.ts";
import { summarizePod } from "./pod-summary.ts";
import { preparePodUpdate } from "./pod-update.ts";

function graceSeconds(pod: Pod, asked: number | undefined): number {
  let seconds = asked ?? pod.spec.terminationGracePeriodSeconds ?? 30;
  // Nothing runs yet, or nothing any more: there is nobody to wait for.
  if (!pod.spec.nodeName || isPodTerminal(pod)) seconds = 0;
  return seconds < 0 ? 1 : seconds;
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return "<none>";
  const conditions = pod.status.conditions ?? [];
  const met = gates.filter((gate) =>
    conditions.some((condition) => condition.type === gate.conditionType && condition.status === "True"),
  );
  return `${met.length}/${gates.length}`;
}

export const podRules: KindRules<Pod> = {
  defaults(pod) {
    defaultPodSpec(pod.spec);
    defaultPod(pod.spec);
    for (const status of [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])]) {
      status.state ??= {};
      status.lastState ??= {};
    }
  },
  prepareCreate(pod) {
    pod.status = { phase: "Pending", qosClass: qosClassOf(pod) };
  },
  // Admission may have changed containers, labels and gates.
  completeCreate(pod) {
    pod.status.qosClass = qosClassOf(pod);
    mergeLabelKeys(pod);
    // A pod that must wait says so from the first moment, before any scheduler looks at it.
    if ((pod.spec.schedulingGates ?? []).length > 0) {
      pod.status.conditions = [
        {
          type: "PodScheduled",
          status: "False",
          reason: "SchedulingGated",
          message: "Scheduling is blocked due to non-empty scheduling gates",
        },
      ];
    }
  },
  prepareUpdate: preparePodUpdate,
  validate: (pod) => collect((errors) => validatePod(errors, pod)),
  validateCreate: (pod) => collect((errors) => validateNewPod(errors, pod)),
  validateUpdate: (pod, old, context) => collect((errors) => validatePodUpdate(errors, pod, old, context)),
  deletionGraceSeconds: graceSeconds,
  columns: [
    nameColumn,
    column("Ready", "The aggregate readiness state of this pod for accepting traffic."),
    column("Status", "The aggregate status of the containers in this pod."),
    column(
      "Restarts",
      "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.",
    ),
    ageColumn,
    wideColumn(
      "IP",
      "podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet allocated.",
    ),
    wideColumn("Node", "NodeName indicates in which node this pod is scheduled."),
    wideColumn(
      "Nominated Node",
      "nominatedNodeName is set only when this pod preempts other pods on the node, but it cannot be scheduled right away.",
    ),
    wideColumn("Readiness Gates", "If specified, all readiness gates will be evaluated for pod readiness."),
  ],
  cells(pod, now) {
    const summary = summarizePod(pod, now);
    return [
      pod.metadata.name,
      `${summary.readyCount}/${summary.totalCount}`,
      summary.status,
      summary.restarts,
      ageOf(pod.metadata.creationTimestamp, now),
      pod.status.podIPs?.[0]?.ip || pod.status.podIP || "<none>",
      pod.spec.nodeName || "<none>",
      pod.status.nominatedNodeName || "<none>",
      readinessGates(pod),
    ];
  },
  fieldSelectors: {
    "spec.nodeName": (pod) => pod.spec.nodeName ?? "",
    "spec.restartPolicy": (pod) => pod.spec.restartPolicy ?? "",
    "spec.schedulerName": (pod) => pod.spec.schedulerName ?? "",
    "spec.serviceAccountName": (pod) => pod.spec.serviceAccountName ?? "",
    "spec.hostNetwork": (pod) => String(pod.spec.hostNetwork ?? false),
    "status.phase": (pod) => pod.status?.phase ?? "",
    "status.podIP": (pod) => pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? "",
    "status.podIPs": (pod) => pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? "",
    "status.nominatedNodeName": (pod) => pod.status?.nominatedNodeName ?? "",
  },
};
