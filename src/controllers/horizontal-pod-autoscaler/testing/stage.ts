import type { HorizontalPodAutoscalerSpec, HorizontalPodAutoscalerStatus } from "#api/generated/autoscaling-v2.ts";
import type { Pod } from "#api/generated/core-v1.ts";
import { deployments } from "#api/generated/resources.ts";
import { timeText } from "#reconcile/object-view.ts";
import { projectPod, type PodView } from "../../views/pod.ts";
import { noHistory, rememberChange, type History } from "../behavior.ts";
import { planAutoscaler, type AutoscalerPlan, type ObservedAutoscaler } from "../plan.ts";
import type { Reading } from "../reading.ts";
import type { AutoscalerView } from "../view.ts";

/** Long after every warm-up, unless a test says otherwise. Milliseconds since 1970. */
export const noon = 1_780_000_000_000;

export interface PodDraft {
  readonly name?: string;
  readonly phase?: string;
  readonly ready?: boolean;
  readonly deleting?: boolean;
  /** Seconds ago. */
  readonly startedAgo?: number;
  readonly readyChangedAgo?: number;
  readonly request?: string;
}

export function pod(index: number, draft: PodDraft = {}, now: number = noon): PodView {
  const ago = (seconds: number): string => timeText(now - seconds * 1000);
  const object = {
    metadata: {
      name: draft.name ?? `web-${index}`,
      namespace: "default",
      uid: `uid-${index}`,
      labels: { app: "web" },
      ...(draft.deleting === true ? { deletionTimestamp: ago(1) } : {}),
    },
    spec: {
      containers: [
        { name: "main", resources: draft.request === "" ? {} : { requests: { cpu: draft.request ?? "1" } } },
      ],
    },
    status: {
      phase: draft.phase ?? "Running",
      startTime: ago(draft.startedAgo ?? 3600),
      conditions: [
        {
          type: "Ready",
          status: draft.ready === false ? "False" : "True",
          lastTransitionTime: ago(draft.readyChangedAgo ?? 3500),
        },
      ],
    },
  };
  return projectPod(object as Pod);
}

/** Values of pods by index, in thousandths; undefined: not measured. */
export function podReading(values: readonly (number | undefined)[], now: number = noon): Reading {
  const entries = values.flatMap((value, index) =>
    value === undefined ? [] : [[`web-${index}`, { value, atMs: now, windowMs: 2000 }] as const],
  );
  return { kind: "pods", values: new Map(entries) };
}

export const cpuAt = (percent: number): NonNullable<HorizontalPodAutoscalerSpec["metrics"]> => [
  { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: percent } } },
];

export interface StageDraft {
  readonly spec?: Partial<HorizontalPodAutoscalerSpec>;
  readonly status?: Partial<HorizontalPodAutoscalerStatus>;
  readonly replicas: number;
  readonly pods?: readonly PodView[];
  readonly readings: readonly Reading[];
  readonly history?: History;
  readonly more?: Partial<ObservedAutoscaler>;
}

export function observedOf(draft: StageDraft): ObservedAutoscaler {
  const autoscaler: AutoscalerView = {
    key: "default/web",
    namespace: "default",
    name: "web",
    uid: "hpa-uid",
    resourceVersion: "5",
    generation: 1,
    createdMs: 0,
    deletionMs: undefined,
    labels: {},
    annotations: {},
    owners: [],
    controller: undefined,
    finalizers: [],
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" },
      minReplicas: 1,
      maxReplicas: 100,
      metrics: cpuAt(50),
      ...draft.spec,
    },
    status: { desiredReplicas: 0, currentMetrics: [], ...draft.status },
  };
  return {
    autoscaler,
    scale: {
      kind: "found",
      resource: deployments,
      resourceVersion: "7",
      replicas: draft.replicas,
      statusReplicas: draft.replicas,
      selector: "app=web",
    },
    selectorProblem: undefined,
    rivals: [],
    pods: draft.pods ?? Array.from({ length: draft.replicas }, (_, index) => pod(index)),
    readings: draft.readings,
    history: draft.history ?? noHistory,
    sleep: undefined,
    refusal: undefined,
    told: [],
    steadyMs: noon,
    statusWrittenMs: undefined,
    ...draft.more,
  };
}

/** What a plan comes to, in few words. */
export interface Result {
  readonly to: number | undefined;
  readonly status: HorizontalPodAutoscalerStatus | undefined;
  readonly events: readonly string[];
}

export function resultOf(plan: AutoscalerPlan | undefined): Result {
  let status: HorizontalPodAutoscalerStatus | undefined;
  const events: string[] = [];
  for (const action of plan?.actions ?? []) {
    if (action.verb === "event") events.push(`${action.eventReason} ${action.message}`);
    if (action.verb === "update" && action.subresource === "status") {
      status = (action.object as { status: HorizontalPodAutoscalerStatus }).status;
    }
  }
  return { to: plan?.change?.to, status, events };
}

/** `AbleToScale=True ReadyForNewScale`, sorted. */
export function conditionsIn(result: Result): string[] {
  return (result.status?.conditions ?? [])
    .map(({ type, status, reason }) => `${type}=${status} ${reason ?? ""}`)
    .sort();
}

export interface Play {
  readonly spec?: Partial<HorizontalPodAutoscalerSpec>;
  readonly replicas: number;
  readonly seconds: number;
  readonly everySeconds: number;
  /** Load in cores at a second, spread over all replicas, each of which asked for one core. */
  readonly load: (second: number) => number;
}

/** Plays an autoscaler in virtual time; answers the changes as `[second, replicas]`. New replicas are ready at once. */
export function play({ spec, replicas: begin, seconds, everySeconds, load }: Play): [number, number][] {
  let history = noHistory;
  let replicas = begin;
  const changes: [number, number][] = [];
  for (let second = 0; second <= seconds; second += everySeconds) {
    const now = noon + second * 1000;
    const share = Math.round((load(second) * 1000) / replicas);
    const draft: StageDraft = {
      replicas,
      pods: Array.from({ length: replicas }, (_, index) => pod(index, {}, now)),
      readings: [
        podReading(
          Array.from({ length: replicas }, () => share),
          now,
        ),
      ],
      history,
      more: { steadyMs: now },
      ...(spec === undefined ? {} : { spec }),
    };
    const plan = planAutoscaler(observedOf(draft), now);
    if (plan === undefined) throw new Error("no plan");
    history = plan.history;
    if (plan.change === undefined) continue;
    history = rememberChange(history, spec?.behavior, plan.change.to - plan.change.from, now);
    replicas = plan.change.to;
    changes.push([second, replicas]);
  }
  return changes;
}
