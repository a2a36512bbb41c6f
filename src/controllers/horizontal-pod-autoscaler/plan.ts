import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerStatus,
  MetricSpec,
  MetricStatus,
} from "#api/generated/autoscaling-v2.ts";
import { trafficdemands } from "#api/delivery/traffic-hold.ts";
import { autoscalingV2Horizontalpodautoscalers } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Action, EventText } from "#reconcile/action.ts";
import { isEqual } from "#reconcile/canonical.ts";
import { timeText } from "#reconcile/object-view.ts";
import { limits } from "../limits.ts";
import { referenceOf } from "../ownership.ts";
import type { PodView } from "../views/pod.ts";
import { bound, inRange, remember, stabilize, toleranceOf, type History } from "./behavior.ts";
import { Conditions } from "./conditions.ts";
import { judgeMetric, type Judged } from "./proposal.ts";
import type { Reading } from "./reading.ts";
import { holdActions, judgeAsleep, judgeAwake, type ObservedSleep, type SleepVerdict } from "./sleep.ts";
import type { AutoscalerView } from "./view.ts";

/** The scale of the target, or why it could not be read. */
export type ObservedScale =
  | {
      readonly kind: "found";
      readonly resource: Resource<unknown>;
      readonly resourceVersion: string;
      readonly replicas: number;
      readonly statusReplicas: number;
      readonly selector: string;
    }
  | { readonly kind: "failed"; readonly message: string };

export interface ObservedAutoscaler {
  readonly autoscaler: AutoscalerView;
  readonly scale: ObservedScale;
  /** The target's selector cannot be read. */
  readonly selectorProblem: string | undefined;
  /** Other autoscalers whose targets select some of the same pods. */
  readonly rivals: readonly string[];
  /** Pods that the target's selector matches. */
  readonly pods: readonly PodView[];
  /** One for each metric of the spec. */
  readonly readings: readonly Reading[];
  readonly history: History;
  /** Undefined: it never slept, and is not to. */
  readonly sleep: ObservedSleep | undefined;
  /** The server's words when the last change of the scale was refused. */
  readonly refusal: string | undefined;
  /** Complaints of the last look. */
  readonly told: readonly string[];
  /** Milliseconds of a clock that nobody sets: windows, periods and pauses are measured by it. */
  readonly steadyMs: number;
  /** When measured values were last written to the status, by that clock; undefined: not by this program yet. */
  readonly statusWrittenMs: number | undefined;
}

export interface AutoscalerPlan {
  readonly actions: readonly Action[];
  readonly because: string;
  readonly history: History;
  readonly told: readonly string[];
  /** The change that `actions` ask for. */
  readonly change: { readonly from: number; readonly to: number } | undefined;
}

const resource = autoscalingV2Horizontalpodautoscalers as Resource<unknown>;

/** What a look at one autoscaler comes to, before it becomes actions. */
interface Decision {
  readonly desired: number;
  readonly current: number;
  readonly metrics: readonly MetricStatus[];
  readonly history: History;
  readonly conditions: Conditions;
  /** Why the replicas change; undefined: they do not. */
  readonly reason: string | undefined;
  readonly warnings: readonly { readonly eventReason: string; readonly message: string }[];
  readonly sleep?: SleepVerdict;
}

/** One look at a HorizontalPodAutoscaler. https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/ */
export function planAutoscaler(observed: ObservedAutoscaler, now: number): AutoscalerPlan | undefined {
  const { autoscaler } = observed;
  if (autoscaler.deletionMs !== undefined) return undefined;
  const decision = decide(observed, now);
  const actions: Action[] = [];
  for (const { eventReason, message } of decision.warnings) {
    if (observed.told.includes(message) || wasSaid(autoscaler, message)) continue;
    actions.push({ verb: "event", about: aboutOf(autoscaler), type: "Warning", eventReason, message });
  }
  const scaling = scaleAction(observed, decision);
  const holds =
    observed.sleep === undefined || decision.sleep === undefined
      ? []
      : holdActions(autoscaler, observed.sleep, decision.sleep.hold, now);
  const isRefused = observed.refusal !== undefined;
  const status = statusOf(autoscaler, decision, scaling !== undefined && !isRefused ? now : undefined);
  const { steadyMs, statusWrittenMs = -Infinity } = observed;
  const withMetrics = scaling !== undefined || steadyMs - statusWrittenMs >= limits.autoscalerStatusMs;
  const told = mustWrite(autoscaler.status, status, withMetrics) ? [statusAction(autoscaler, status, decision)] : [];
  const scalings = scaling === undefined ? [] : [scaling];
  // A refused change is told before it is tried again: what follows a refusal is not carried out.
  // A sleep has ended once there are to be pods, not before.
  actions.push(...(isRefused ? [...told, ...scalings, ...holds] : [...scalings, ...holds, ...told]));
  const change = scaling === undefined ? undefined : { from: decision.current, to: decision.desired };
  const complaints = decision.warnings.map(({ message }) => message);
  return { actions, because: causeOf(observed), history: decision.history, told: complaints, change };
}

/** What woke a target is the cause of all that is written then. */
function causeOf({ autoscaler, sleep }: ObservedAutoscaler): string {
  const { demand, hold } = sleep ?? {};
  if (demand === undefined || hold?.spec.phase === "Awake") return referenceOf(resource, autoscaler);
  return referenceOf(trafficdemands as Resource<unknown>, demand);
}

function decide(observed: ObservedAutoscaler, now: number): Decision {
  const { autoscaler, scale, history } = observed;
  const conditions = new Conditions(autoscaler.status.conditions, now);
  const { currentReplicas = 0, desiredReplicas, currentMetrics } = autoscaler.status;
  const before = { current: currentReplicas, desired: desiredReplicas, metrics: currentMetrics ?? [] };
  const kept = { ...before, history, conditions, reason: undefined };
  if (scale.kind === "failed") {
    const message = `the HPA controller was unable to get the target's current scale: ${scale.message}`;
    conditions.set("AbleToScale", false, "FailedGetScale", message);
    return { ...kept, warnings: [{ eventReason: "FailedGetScale", message: scale.message }] };
  }
  if (observed.refusal === undefined) {
    conditions.set(
      "AbleToScale",
      true,
      "SucceededGetScale",
      "the HPA controller was able to get the target's current scale",
    );
  } else {
    const message = `the HPA controller was unable to update the target scale: ${observed.refusal}`;
    conditions.set("AbleToScale", false, "FailedUpdateScale", message);
  }
  const current = scale.replicas;
  const { sleep } = observed;
  const { maxReplicas: max, minReplicas = 1 } = autoscaler.spec;
  // One pod is the least that metrics may ask for: whether there is none is up to the requests.
  const min = sleep?.wanted === true ? 1 : minReplicas;
  const begun =
    history.recommendations.length === 0
      ? remember(history, autoscaler.spec.behavior, current, observed.steadyMs)
      : history;
  const unmeasured = { ...kept, current, history: begun, warnings: [] };
  if (current === 0 && sleep !== undefined && (sleep.wanted || (sleep.hold?.spec.phase ?? "Awake") !== "Awake"))
    return decideAsleep(observed, { ...unmeasured, desired: 0 }, sleep, { max, now });
  if (current === 0 && min !== 0) {
    const message = "scaling is disabled since the replica count of the target is zero";
    conditions.set("ScalingActive", false, "ScalingDisabled", message);
    return { ...unmeasured, desired: 0, ...(sleep === undefined ? {} : { sleep: { hold: undefined } }) };
  }
  const sized = decideSize(observed, unmeasured, { min, max, now });
  return sleep === undefined ? sized : decideAwake(observed, sized, sleep, now);
}

function decideSize(observed: ObservedAutoscaler, unmeasured: Omit<Decision, "desired">, bounds: Bounds): Decision {
  const { current } = unmeasured;
  const { min, max } = bounds;
  // Two whose bounds exclude one another would pull for ever: neither moves what is not its alone.
  if (observed.rivals.length > 0) return decideByMetrics(observed, { ...unmeasured, desired: current }, bounds);
  if (current > max)
    return { ...unmeasured, desired: max, reason: "Current number of replicas above Spec.MaxReplicas" };
  if (current < min)
    return { ...unmeasured, desired: min, reason: "Current number of replicas below Spec.MinReplicas" };
  return decideByMetrics(observed, { ...unmeasured, desired: current }, bounds);
}

/** A target without pods: only a request, or a metric that does not come from its pods, brings it back. */
function decideAsleep(
  observed: ObservedAutoscaler,
  start: Decision,
  sleep: ObservedSleep,
  { max, now }: Omit<Bounds, "min">,
): Decision {
  const { conditions } = start;
  const metrics = outsideMetrics(observed.autoscaler.spec.metrics);
  const measured =
    metrics.length === 0 || observed.readings.length === 0
      ? { ...start, metrics: [] }
      : decideByMetrics(observed, start, { min: 0, max, now }, metrics);
  const verdict = judgeAsleep(observed.autoscaler, sleep, measured.desired);
  const { replicas = 0, reason } = verdict;
  if (replicas === 0) {
    const message = "the target sleeps since no request came; the next one through the Ingress wakes it";
    conditions.set("ScalingActive", true, "WaitingForRequests", message);
    conditions.set("ScalingLimited", false, "DesiredWithinRange", inRange);
  } else {
    conditions.set("ScalingActive", true, "Woken", `the target was woken: ${reason}`);
  }
  return { ...measured, desired: Math.min(replicas, max), reason, sleep: verdict };
}

/** What its pods ask for may be less than one pod, when nobody asks for them. */
function decideAwake(observed: ObservedAutoscaler, sized: Decision, sleep: ObservedSleep, now: number): Decision {
  const { conditions, current, desired, warnings } = sized;
  const steady = current === 1 && desired === 1 && warnings.length === 0;
  const verdict = judgeAwake(observed.autoscaler, sleep, steady, now);
  const { replicas, reason, limited } = verdict;
  if (limited !== undefined) conditions.set("ScalingLimited", true, limited.reason, limited.message);
  return replicas === undefined
    ? { ...sized, sleep: verdict }
    : { ...sized, desired: replicas, reason, sleep: verdict };
}

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly now: number;
}

/** Metrics that can be read without a pod. */
export function outsideMetrics(metrics: readonly MetricSpec[] | undefined): readonly MetricSpec[] {
  return (metrics ?? []).filter(({ type }) => type === "Object" || type === "External");
}

/** `readings` belong to `specs`, one each. */
function decideByMetrics(
  observed: ObservedAutoscaler,
  start: Decision,
  { min, max, now }: Bounds,
  specs: readonly MetricSpec[] = observed.autoscaler.spec.metrics ?? [],
): Decision {
  const { autoscaler, scale, readings, pods } = observed;
  const { conditions, current } = start;
  const { behavior } = autoscaler.spec;
  const problem = selectionProblem(observed);
  if (problem !== undefined) {
    conditions.set("ScalingActive", false, problem.eventReason, problem.message);
    return { ...start, warnings: [problem] };
  }
  const scene = { pods, current, tolerance: toleranceOf(behavior), now };
  const judged = specs.map((spec, index) => judgeMetric(spec, readings[index] ?? unread, scene));
  const good = judged.filter((each) => each.ok);
  const bad = judged.filter((each) => !each.ok);
  // One for each metric of the spec, in its order: clients read them side by side.
  const metrics = judged.map((each): MetricStatus => (each.ok ? each.status : { type: "" }));
  const [first] = bad;
  const highest = good.reduce<Extract<Judged, { ok: true }> | undefined>(
    (best, each) => (best === undefined || each.replicas > best.replicas ? each : best),
    undefined,
  );
  const failures = bad.map(({ reason, message }) => ({ eventReason: reason, message }));
  // With a metric unknown nothing may shrink: the unknown one might be the busy one.
  if (highest === undefined || (first !== undefined && highest.replicas < current)) {
    const nothing = "no metrics are set";
    const reason = first?.reason ?? "InvalidMetricSourceType";
    const told = `the HPA was unable to compute the replica count: ${first?.message ?? nothing}`;
    conditions.set("ScalingActive", false, reason, told);
    const message = `invalid metrics (${bad.length} invalid out of ${specs.length}), first error is: ${first?.summary ?? nothing}`;
    return { ...start, metrics, warnings: [...failures, { eventReason: "FailedComputeMetricsReplicas", message }] };
  }
  const found = `the HPA was able to successfully calculate a replica count from ${highest.name}`;
  conditions.set("ScalingActive", true, "ValidMetricFound", found);
  const { steadyMs } = observed;
  const history = remember(start.history, behavior, highest.replicas, steadyMs);
  const input = { behavior, current, min, max, history, now: steadyMs };
  const stable = stabilize({ ...input, desired: highest.replicas });
  if (observed.refusal === undefined) conditions.set("AbleToScale", true, stable.reason, stable.message);
  const verdict = bound({ ...input, desired: stable.replicas });
  conditions.set("ScalingLimited", verdict.replicas !== stable.replicas, verdict.reason, verdict.message);
  const isChanging = verdict.replicas !== current && scale.kind === "found";
  const reason = verdict.replicas > current ? `${highest.name} above target` : "All metrics below target";
  return {
    ...start,
    desired: verdict.replicas,
    metrics,
    history,
    warnings: failures,
    reason: isChanging ? reason : undefined,
  };
}

const unread: Reading = { kind: "failed", message: "the metric was not read" };

interface Complaint {
  readonly eventReason: string;
  readonly message: string;
}

function selectionProblem({ scale, selectorProblem, rivals }: ObservedAutoscaler): Complaint | undefined {
  if (scale.kind !== "found") return undefined;
  if (scale.selector === "")
    return { eventReason: "InvalidSelector", message: "the HPA target's scale is missing a selector" };
  if (selectorProblem !== undefined) {
    const message = `couldn't convert selector into a corresponding internal selector object: ${selectorProblem}`;
    return { eventReason: "InvalidSelector", message };
  }
  if (rivals.length === 0) return undefined;
  const message = `pods by selector ${scale.selector} are controlled by multiple HPAs: [${rivals.join(" ")}]`;
  return { eventReason: "AmbiguousSelector", message };
}

function scaleAction({ autoscaler, scale, refusal }: ObservedAutoscaler, decision: Decision): Action | undefined {
  const { desired, current, reason, conditions } = decision;
  if (scale.kind !== "found" || reason === undefined || desired === current) return undefined;
  const { namespace, spec } = autoscaler;
  const { name } = spec.scaleTargetRef;
  const about = aboutOf(autoscaler);
  const message = `New size: ${desired}; reason: ${reason}`;
  const event: EventText = { about, type: "Normal", eventReason: "SuccessfulRescale", message };
  if (refusal === undefined) {
    conditions.set(
      "AbleToScale",
      true,
      "SucceededRescale",
      `the HPA controller was able to update the target scale to ${desired}`,
    );
  }
  return {
    verb: "update",
    resource: scale.resource,
    namespace,
    name,
    subresource: "scale",
    object: {
      apiVersion: "autoscaling/v1",
      kind: "Scale",
      metadata: { name, namespace, resourceVersion: scale.resourceVersion },
      spec: { replicas: desired },
    },
    reason: `from ${current} to ${desired} replicas: ${reason}`,
    event,
    failureEvent: { about, type: "Warning", eventReason: "FailedRescale", message: `${message}; error: ` },
  };
}

function statusOf(
  autoscaler: AutoscalerView,
  decision: Decision,
  scaledMs: number | undefined,
): HorizontalPodAutoscalerStatus {
  const scaledAt = scaledMs === undefined ? autoscaler.status.lastScaleTime : timeText(scaledMs);
  return {
    ...(scaledAt === undefined ? {} : { lastScaleTime: scaledAt }),
    currentReplicas: decision.current,
    desiredReplicas: decision.desired,
    currentMetrics: [...decision.metrics],
    conditions: decision.conditions.all(),
  };
}

/** Measured values change with every look: alone they are not worth a write each time. */
function mustWrite(
  old: HorizontalPodAutoscalerStatus,
  status: HorizontalPodAutoscalerStatus,
  withMetrics: boolean,
): boolean {
  if (withMetrics) return !isEqual(old, status);
  const bare = (each: HorizontalPodAutoscalerStatus): object => ({
    ...each,
    currentMetrics: (each.currentMetrics ?? []).length,
  });
  return !isEqual(bare(old), bare(status));
}

function statusAction(autoscaler: AutoscalerView, status: HorizontalPodAutoscalerStatus, decision: Decision): Action {
  const { name, namespace, uid, resourceVersion } = autoscaler;
  const object: HorizontalPodAutoscaler = {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name, namespace, uid, resourceVersion },
    spec: autoscaler.spec,
    status,
  };
  const reason = `${decision.current} replicas, ${decision.desired} wanted`;
  return { verb: "update", resource, namespace, name, subresource: "status", object, reason };
}

function aboutOf({ namespace, name, uid }: AutoscalerView): EventText["about"] {
  return { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler", namespace, name, uid };
}

/** The same complaint is told once, until something else was the matter. */
function wasSaid({ status }: AutoscalerView, message: string): boolean {
  return (status.conditions ?? []).some(
    (condition) => condition.status === "False" && message.endsWith(lastOf(condition.message)),
  );
}

function lastOf(message: string | undefined): string {
  const told =
    /^the HPA (was unable to compute the replica count|controller was unable to get the target's current scale): /;
  return (message ?? "").replace(told, "");
}
