import {
  scaleToZeroAnnotation,
  trafficholds,
  type HoldPhase,
  type TrafficHoldSpec,
} from "#api/delivery/traffic-hold.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import { isEqual } from "#reconcile/canonical.ts";
import { timeOf, timeText } from "#reconcile/object-view.ts";
import { limits } from "../limits.ts";
import { downWindowMs } from "./behavior.ts";
import type { AutoscalerView, DemandView, HoldView } from "./view.ts";

/** What the ingresses of all nodes know of the requests for a target. */
export type Traffic =
  /** It is too early to ask: the last request, or the last sleep, is not long enough ago. */
  | { readonly kind: "unasked" }
  /** How long no request came, in milliseconds. */
  | { readonly kind: "quiet"; readonly quietMs: number }
  /** Some node does not tell: that is never "no requests". */
  | { readonly kind: "unknown"; readonly message: string }
  /** No Ingress leads here: nobody could wake it. */
  | { readonly kind: "unrouted" };

/** What matters for going to zero and coming back. */
export interface ObservedSleep {
  /** The autoscaler asks for it. */
  readonly wanted: boolean;
  readonly hold: HoldView | undefined;
  /** A request that waits for the end of this very sleep. */
  readonly demand: DemandView | undefined;
  /** Names of the Services that select the target's pods. */
  readonly services: readonly string[];
  readonly traffic: Traffic;
  /** Who keeps a release under way (`Canary/web`): it must come to its end first. */
  readonly release: string | undefined;
}

/** Whether a target may have no pods while nobody asks for it. */
export function mayScaleToZero({ annotations, spec }: Pick<AutoscalerView, "annotations" | "spec">): boolean {
  return annotations[scaleToZeroAnnotation] === "true" && spec.minReplicas === 0;
}

/** How long no request must have come before a target sleeps: the window of scaling down. Milliseconds. */
export function sleepAfterMs({ spec }: Pick<AutoscalerView, "spec">): number {
  return Math.max(limits.sleepAfterMinMs, downWindowMs(spec.behavior));
}

/** Whether so long ago was written down; what lies ahead was written before the clock was set back. */
export function hasPassed(since: string, afterMs: number, now: number): boolean {
  const sinceMs = timeOf(since) ?? now;
  return now - sinceMs >= afterMs || sinceMs > now + limits.clockSkewMs;
}

/** What one look at a sleeper comes to. */
export interface SleepVerdict {
  /** The target's size, where sleeping or waking decides it, and why. */
  readonly replicas?: number;
  readonly reason?: string;
  /** What the hold should be; undefined: gone. */
  readonly hold: { readonly phase: HoldPhase; readonly sleep: number; readonly why: string } | undefined;
  /** Why it does not sleep, or does: a condition for people. */
  readonly limited?: { readonly reason: string; readonly message: string };
}

/** A target without pods: wake it, or let it sleep on. `byMetrics`: the replicas that metrics from outside ask for. */
export function judgeAsleep(autoscaler: AutoscalerView, sleep: ObservedSleep, byMetrics: number): SleepVerdict {
  const { hold, demand, wanted } = sleep;
  const number = hold?.spec.sleep ?? 0;
  if (!wanted) {
    // Whoever sent it to sleep no longer may: it comes back before it is forgotten.
    const replicas = Math.max(1, autoscaler.spec.minReplicas ?? 1);
    return { replicas, reason: `it slept, and ${scaleToZeroAnnotation} is no longer asked for`, hold: undefined };
  }
  const isPast = hold === undefined || hold.spec.phase === "Awake";
  if (!isPast && demand !== undefined) {
    const reason = `a request for Service ${demand.service} waits at the ingress of node ${demand.node}`;
    return { replicas: 1, reason, hold: { phase: "Awake", sleep: number, why: reason } };
  }
  if (byMetrics > 0) {
    const reason = "a metric from outside is above its target";
    return { replicas: byMetrics, reason, hold: { phase: "Awake", sleep: number, why: reason } };
  }
  // Also when somebody else took the pods away: the next request wakes it all the same.
  const why = "the target has no pods";
  return { hold: { phase: "Asleep", sleep: isPast ? number + 1 : number, why } };
}

/** A target with pods: `steady` is whether its metrics ask for exactly the one pod that it has. */
export function judgeAwake(
  autoscaler: AutoscalerView,
  sleep: ObservedSleep,
  steady: boolean,
  now: number,
): SleepVerdict {
  const { hold, demand, traffic, release, wanted } = sleep;
  if (!wanted) return { hold: undefined };
  const phase = hold?.spec.phase ?? "Awake";
  const number = hold?.spec.sleep ?? 0;
  const awake = (why: string): SleepVerdict["hold"] => ({ phase: "Awake", sleep: number, why });
  if (phase === "Asleep") return { hold: awake("the target has pods again") };
  if (!steady) return { hold: awake("more than one pod is needed, or it is not known how many") };
  const afterMs = sleepAfterMs(autoscaler);
  const obstacle = obstacleOf(traffic, release, afterMs);
  if (phase === "FallingAsleep" && demand !== undefined)
    return { hold: awake(`a request for Service ${demand.service} came at the ingress of node ${demand.node}`) };
  if (obstacle !== undefined) return { hold: awake(obstacle.message), limited: obstacle };
  const quiet = traffic.kind === "quiet" ? Math.floor(traffic.quietMs / 1000) : 0;
  const why = `no request came through any node's ingress for ${quiet} s, ${afterMs / 1000} s are asked for`;
  if (hold === undefined || phase === "Awake") return { hold: { phase: "FallingAsleep", sleep: number + 1, why } };
  // Every ingress has had the time to hear that requests are held from now on: none finds a pod that is ending.
  const isHeard = hasPassed(hold.spec.since, limits.sleepNoticeMs, now);
  return { hold: { phase, sleep: number, why }, ...(isHeard ? { replicas: 0, reason: why } : {}) };
}

function obstacleOf(traffic: Traffic, release: string | undefined, afterMs: number): SleepVerdict["limited"] {
  const stays = "the target does not go to zero";
  if (release !== undefined)
    return { reason: "ReleaseUnderWay", message: `${stays} while ${release} has a release under way` };
  if (traffic.kind === "unrouted")
    return { reason: "NoIngress", message: `${stays}: no Ingress leads to it, so that no request could wake it` };
  if (traffic.kind === "unknown") return { reason: "RequestsUnknown", message: `${stays}: ${traffic.message}` };
  if (traffic.kind === "quiet" && traffic.quietMs >= afterMs) return undefined;
  return {
    reason: "RequestsSeen",
    message: `${stays} before no request came through the Ingress for ${afterMs / 1000} s`,
  };
}

const resource = trafficholds as Resource<unknown>;

/** The write that brings the hold to what it should be; nothing when it is. */
export function holdActions(
  autoscaler: AutoscalerView,
  { hold, services }: ObservedSleep,
  wanted: SleepVerdict["hold"],
  now: number,
): Action[] {
  const { namespace, name, uid } = autoscaler;
  if (wanted === undefined) {
    if (hold === undefined) return [];
    const reason = "the autoscaler does not scale to zero";
    return [
      { verb: "delete", resource, namespace, name, uid: hold.uid, resourceVersion: hold.resourceVersion, reason },
    ];
  }
  const { phase, sleep, why } = wanted;
  const isSame = hold !== undefined && hold.spec.phase === phase && hold.spec.sleep === sleep;
  const spec: TrafficHoldSpec = {
    services: [...services],
    phase,
    sleep,
    since: isSame ? hold.spec.since : timeText(now),
  };
  if (isEqual(hold?.spec, spec)) return [];
  const reason = `${phaseTexts[phase]}: ${why}`;
  if (hold !== undefined) {
    const patch = { metadata: { uid: hold.uid, resourceVersion: hold.resourceVersion }, spec };
    return [{ verb: "patch", resource, namespace, name, type: "merge", patch, reason }];
  }
  const owner = { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler", name, uid };
  const metadata = { name, namespace, ownerReferences: [owner] };
  const object = { apiVersion: "delivery.steersman.dev/v1", kind: "TrafficHold", metadata, spec };
  return [{ verb: "create", resource, namespace, object, existingIsFine: true, reason }];
}

const phaseTexts: Readonly<Record<HoldPhase, string>> = {
  Awake: "the target is awake",
  FallingAsleep: "the target falls asleep",
  Asleep: "the target sleeps",
};
