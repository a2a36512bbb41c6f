import { FamilyBuilder, type StateObject } from "./builder.ts";

type Numbers = Readonly<Record<string, unknown>>;
type Condition = { readonly type: string; readonly status: string };

/** A workload: its spec and status are read field by field. */
export interface StateWorkload extends StateObject {
  readonly spec: object;
  readonly status: object;
}

/** Series of one kind: the name's ending, the field of spec or status, and the words of HELP. */
interface Kind {
  readonly prefix: string;
  readonly label: string;
  readonly spec: readonly (readonly [ending: string, field: string, help: string, unsaid?: number])[];
  readonly status: readonly (readonly [ending: string, field: string, help: string])[];
  readonly hasConditions: boolean;
  readonly hasOwner: boolean;
}

const observed = [
  "status_observed_generation",
  "observedGeneration",
  "The generation observed by the controller.",
] as const;

export const deploymentKind: Kind = {
  prefix: "kube_deployment",
  label: "deployment",
  spec: [
    ["spec_replicas", "replicas", "Number of desired pods for a deployment."],
    [
      "spec_paused",
      "paused",
      "Whether the deployment is paused and will not be processed by the deployment controller.",
      0,
    ],
  ],
  status: [
    ["status_replicas", "replicas", "The number of replicas per deployment."],
    ["status_replicas_ready", "readyReplicas", "The number of ready replicas per deployment."],
    ["status_replicas_available", "availableReplicas", "The number of available replicas per deployment."],
    ["status_replicas_unavailable", "unavailableReplicas", "The number of unavailable replicas per deployment."],
    ["status_replicas_updated", "updatedReplicas", "The number of updated replicas per deployment."],
    observed,
  ],
  hasConditions: true,
  hasOwner: false,
};

export const replicaSetKind: Kind = {
  prefix: "kube_replicaset",
  label: "replicaset",
  spec: [["spec_replicas", "replicas", "Number of desired pods for a ReplicaSet."]],
  status: [
    ["status_replicas", "replicas", "The number of replicas per ReplicaSet."],
    ["status_fully_labeled_replicas", "fullyLabeledReplicas", "The number of fully labeled replicas per ReplicaSet."],
    ["status_ready_replicas", "readyReplicas", "The number of ready replicas per ReplicaSet."],
    observed,
  ],
  hasConditions: false,
  hasOwner: true,
};

export const statefulSetKind: Kind = {
  prefix: "kube_statefulset",
  label: "statefulset",
  spec: [["replicas", "replicas", "Number of desired pods for a StatefulSet."]],
  status: [
    ["status_replicas", "replicas", "The number of replicas per StatefulSet."],
    ["status_replicas_available", "availableReplicas", "The number of available replicas per StatefulSet."],
    ["status_replicas_current", "currentReplicas", "The number of current replicas per StatefulSet."],
    ["status_replicas_ready", "readyReplicas", "The number of ready replicas per StatefulSet."],
    ["status_replicas_updated", "updatedReplicas", "The number of updated replicas per StatefulSet."],
    observed,
  ],
  hasConditions: false,
  hasOwner: false,
};

export const daemonSetKind: Kind = {
  prefix: "kube_daemonset",
  label: "daemonset",
  spec: [],
  status: [
    [
      "status_current_number_scheduled",
      "currentNumberScheduled",
      "Nodes running at least one daemon pod and supposed to.",
    ],
    ["status_desired_number_scheduled", "desiredNumberScheduled", "Nodes that should be running the daemon pod."],
    [
      "status_number_available",
      "numberAvailable",
      "The number of nodes that should and do run an available daemon pod.",
    ],
    [
      "status_number_misscheduled",
      "numberMisscheduled",
      "The number of nodes running a daemon pod but are not supposed to.",
    ],
    ["status_number_ready", "numberReady", "The number of nodes that should and do run a ready daemon pod."],
    [
      "status_number_unavailable",
      "numberUnavailable",
      "The number of nodes that should run an available daemon pod and do not.",
    ],
    [
      "status_updated_number_scheduled",
      "updatedNumberScheduled",
      "The number of nodes that run an updated daemon pod.",
    ],
    observed,
  ],
  hasConditions: false,
  hasOwner: false,
};

export const jobKind: Kind = {
  prefix: "kube_job",
  label: "job_name",
  spec: [
    ["spec_completions", "completions", "The desired number of successfully finished pods the job should be run with."],
    ["spec_parallelism", "parallelism", "The maximum desired number of pods the job should run at any given time."],
  ],
  status: [
    ["status_active", "active", "The number of actively running pods."],
    ["status_failed", "failed", "The number of pods which reached Phase Failed and the reason for failure."],
    ["status_succeeded", "succeeded", "The number of pods which reached Phase Succeeded."],
  ],
  hasConditions: false,
  hasOwner: true,
};

export const autoscalerKind: Kind = {
  prefix: "kube_horizontalpodautoscaler",
  label: "horizontalpodautoscaler",
  spec: [
    ["spec_max_replicas", "maxReplicas", "Upper limit for the number of pods that can be set by the autoscaler."],
    ["spec_min_replicas", "minReplicas", "Lower limit for the number of pods that can be set by the autoscaler."],
  ],
  status: [
    ["status_current_replicas", "currentReplicas", "Current number of replicas of pods managed by this autoscaler."],
    ["status_desired_replicas", "desiredReplicas", "Desired number of replicas of pods managed by this autoscaler."],
  ],
  hasConditions: true,
  hasOwner: false,
};

export const budgetKind: Kind = {
  prefix: "kube_poddisruptionbudget",
  label: "poddisruptionbudget",
  spec: [],
  status: [
    ["status_current_healthy", "currentHealthy", "Current number of healthy pods."],
    ["status_desired_healthy", "desiredHealthy", "Minimum desired number of healthy pods."],
    ["status_expected_pods", "expectedPods", "Total number of pods counted by this disruption budget."],
    ["status_pod_disruptions_allowed", "disruptionsAllowed", "Number of pod disruptions that are currently allowed."],
    observed,
  ],
  hasConditions: false,
  hasOwner: false,
};

export const replicationControllerKind: Kind = {
  prefix: "kube_replicationcontroller",
  label: "replicationcontroller",
  spec: [["spec_replicas", "replicas", "Number of desired pods for a ReplicationController."]],
  status: [
    ["status_replicas", "replicas", "The number of replicas per ReplicationController."],
    ["status_fully_labeled_replicas", "fullyLabeledReplicas", "The number of fully labeled replicas."],
    ["status_ready_replicas", "readyReplicas", "The number of ready replicas per ReplicationController."],
    ["status_available_replicas", "availableReplicas", "The number of available replicas."],
    observed,
  ],
  hasConditions: false,
  hasOwner: true,
};

interface StrategyState extends StateObject {
  readonly surge: number;
  readonly unavailable: number;
}

/** How far rolling updates may leave the wanted number. */
export function strategyStates(into: FamilyBuilder, deployments: Iterable<StrategyState>): void {
  const prefix = "kube_deployment_spec_strategy_rollingupdate";
  for (const { namespace, name, surge, unavailable } of deployments) {
    const labels = { namespace, deployment: name };
    into.gauge(`${prefix}_max_surge`, "Pods above the wanted number during a rolling update.", labels, surge);
    into.gauge(`${prefix}_max_unavailable`, "Unavailable pods during a rolling update.", labels, unavailable);
  }
}

/** Between which templates a StatefulSet's pods are. */
export function revisionStates(into: FamilyBuilder, sets: Iterable<StateWorkload>): void {
  for (const { namespace, name, status } of sets) {
    for (const [ending, field] of [
      ["current", "currentRevision"],
      ["update", "updateRevision"],
    ] as const) {
      const revision = (status as Numbers)[field];
      if (typeof revision !== "string" || revision === "") continue;
      const help = `The template that pods of the ${ending} revision are made from.`;
      into.gauge(`kube_statefulset_status_${ending}_revision`, help, { namespace, statefulset: name, revision }, 1);
    }
  }
}

/** What alerts ask of Jobs beside their numbers. */
export function jobStates(into: FamilyBuilder, jobs: Iterable<StateWorkload>): void {
  for (const { namespace, name, status } of jobs) {
    const labels = { namespace, job_name: name };
    const told = status as {
      readonly startTime?: string;
      readonly completionTime?: string;
      readonly conditions?: readonly Condition[];
    };
    into.gauge("kube_job_info", "Information about job.", labels, 1);
    into.gauge("kube_job_status_start_time", "When the Job began.", labels, secondsOf(told.startTime));
    into.gauge("kube_job_status_completion_time", "When the Job was complete.", labels, secondsOf(told.completionTime));
    for (const [type, name] of [
      ["Complete", "kube_job_complete"],
      ["Failed", "kube_job_failed"],
    ] as const) {
      const is = (told.conditions ?? []).find((one) => one.type === type)?.status.toLowerCase();
      if (is === undefined) continue;
      into.states(
        name,
        `Whether the Job is ${type.toLowerCase()}.`,
        labels,
        "condition",
        ["true", "false", "unknown"],
        is,
      );
    }
  }
}

function secondsOf(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time) / 1000;
}

/** kube-state-metrics' series of one kind of workload. Numbers that are left out in a status are zero. */
export function workloadStates(into: FamilyBuilder, kind: Kind, objects: Iterable<StateWorkload>): void {
  for (const object of objects) {
    const labels = { namespace: object.namespace, [kind.label]: object.name };
    into.gauge(`${kind.prefix}_created`, "Unix creation timestamp", labels, object.createdMs / 1000);
    into.gauge(
      `${kind.prefix}_metadata_generation`,
      "Sequence number of the desired state.",
      labels,
      object.generation,
    );
    for (const [ending, field, help, unsaid] of kind.spec) {
      into.gauge(`${kind.prefix}_${ending}`, help, labels, numberAt(object.spec, field) ?? unsaid);
    }
    for (const [ending, field, help] of kind.status) {
      into.gauge(`${kind.prefix}_${ending}`, help, labels, numberAt(object.status, field) ?? 0);
    }
    const { conditions } = object.status as { conditions?: readonly Condition[] };
    if (kind.hasConditions)
      into.conditions(`${kind.prefix}_status_condition`, "The current status conditions.", labels, conditions ?? []);
    if (!kind.hasOwner) continue;
    const { controller } = object;
    const owner = { owner_kind: controller?.kind ?? "", owner_name: controller?.name ?? "" };
    const owned = { ...labels, ...owner, owner_is_controller: controller === undefined ? "" : "true" };
    into.gauge(`${kind.prefix}_owner`, "Information about the owner.", owned, 1);
  }
}

function numberAt(object: object, field: string): number | undefined {
  const value = (object as Numbers)[field];
  return typeof value === "number" ? value : typeof value === "boolean" ? Number(value) : undefined;
}
