import { poddisruptionbudgets } from "#api/generated/resources.ts";
import type { Condition } from "#api/generated/meta-v1.ts";
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from "#api/generated/policy-v1.ts";
import type { Resource } from "#api/resource.ts";
import { isEqual } from "#reconcile/canonical.ts";
import type { Plan } from "#reconcile/controller.ts";
import { timeOf, timeText } from "#reconcile/object-view.ts";
import { resolve } from "../deployment/observed.ts";
import { limits } from "../limits.ts";
import { referenceOf } from "../ownership.ts";
import { isActive, type PodView } from "../views/pod.ts";
import type { BudgetView } from "../views/policy.ts";

export interface ObservedBudget {
  readonly budget: BudgetView;
  /** Pods that its selector matches. */
  readonly pods: readonly PodView[];
  /** The scale of each controller that owns some of them, by its uid; undefined where it cannot be known. */
  readonly scaleOf: (controllerUid: string) => number | undefined;
}

const resource = poddisruptionbudgets as Resource<unknown>;

/** Counts what a budget allows to be disrupted now. Evictions that are not seen yet are kept in `disruptedPods`. */
export function planBudget({ budget, pods, scaleOf }: ObservedBudget, now: number): Plan | undefined {
  if (budget.deletionMs !== undefined) return undefined;
  const because = referenceOf(resource, budget);
  const active = pods.filter(isActive);
  const scale = expectedOf(budget, active, scaleOf);
  const { disrupted, expireMs } = stillDisrupted(budget, pods, now);
  const healthy = active.filter((pod) => pod.ready && disrupted[pod.name] === undefined).length;
  const allowed = scale === undefined ? 0 : Math.max(0, scale.expected === 0 ? 0 : healthy - scale.desired);
  const status: PodDisruptionBudgetStatus = {
    observedGeneration: budget.generation,
    ...(Object.keys(disrupted).length === 0 ? {} : { disruptedPods: disrupted }),
    disruptionsAllowed: allowed,
    currentHealthy: healthy,
    desiredHealthy: scale?.desired ?? 0,
    expectedPods: scale?.expected ?? 0,
    conditions: conditionsOf(budget, allowed, scale, now),
  };
  const look = expireMs === undefined ? {} : { lookAgainMs: Math.max(1, expireMs - now) };
  if (isEqual(status, budget.status)) return { actions: [], because, ...look };
  const { name, namespace, uid, resourceVersion } = budget;
  const metadata = { name, namespace, uid, resourceVersion };
  const object: PodDisruptionBudget = {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata,
    spec: budget.spec,
    status,
  };
  const reason = `${healthy} of ${status.expectedPods} pods are healthy and ${status.desiredHealthy} must be: ${allowed} may be disrupted`;
  return {
    actions: [{ verb: "update", resource, namespace, name, subresource: "status", object, reason }],
    because,
    ...look,
  };
}

interface Scale {
  readonly expected: number;
  readonly desired: number;
}

/** Numbers need only the pods; percentages and maxUnavailable need the scale of their controllers. */
function expectedOf(
  budget: BudgetView,
  active: readonly PodView[],
  scaleOf: (uid: string) => number | undefined,
): Scale | undefined {
  const { minAvailable, maxUnavailable } = budget.spec;
  if (maxUnavailable === undefined && typeof minAvailable === "number")
    return { expected: active.length, desired: Math.max(0, minAvailable) };
  if (maxUnavailable === undefined && minAvailable === undefined) return { expected: active.length, desired: 1 };
  let expected = 0;
  const seen = new Set<string>();
  for (const pod of active) {
    const uid = pod.controller?.uid;
    if (uid === undefined) return undefined;
    if (seen.has(uid)) continue;
    seen.add(uid);
    const scale = scaleOf(uid);
    if (scale === undefined) return undefined;
    expected += scale;
  }
  if (maxUnavailable !== undefined)
    return { expected, desired: Math.max(0, expected - resolve(maxUnavailable, expected, Math.ceil)) };
  return { expected, desired: resolve(minAvailable ?? 0, expected, Math.ceil) };
}

/** Pods whose eviction was granted and whose deletion is not seen yet; a grant without a deletion lapses. */
function stillDisrupted(
  budget: BudgetView,
  pods: readonly PodView[],
  now: number,
): { readonly disrupted: Record<string, string>; readonly expireMs: number | undefined } {
  const disrupted: Record<string, string> = {};
  let expireMs: number | undefined;
  for (const [name, since] of Object.entries(budget.status.disruptedPods ?? {})) {
    const pod = pods.find((candidate) => candidate.name === name);
    const endMs = (timeOf(since) ?? 0) + limits.disruptionGrantMs;
    if (pod === undefined || pod.deletionMs !== undefined || endMs <= now) continue;
    disrupted[name] = since;
    expireMs = expireMs === undefined ? endMs : Math.min(expireMs, endMs);
  }
  return { disrupted, expireMs };
}

function conditionsOf(budget: BudgetView, allowed: number, scale: Scale | undefined, now: number): Condition[] {
  const isUnknown = scale === undefined;
  const type = "DisruptionAllowed";
  const others = (budget.status.conditions ?? []).filter((condition) => condition.type !== type);
  const old = budget.status.conditions?.find((condition) => condition.type === type);
  const status = allowed > 0 ? "True" : "False";
  const reason = isUnknown ? "SyncFailed" : allowed > 0 ? "SufficientPods" : "InsufficientPods";
  // A budget that asks for more than there is, or for all of it, allows nothing for ever: people should know.
  const never = !isUnknown && scale.expected > 0 && scale.desired >= scale.expected;
  const asked = never
    ? `${scale.desired} of ${scale.expected} pods must be healthy: no disruption is ever allowed`
    : "";
  const message = isUnknown ? "the scale of a selected pod's controller is not known" : asked;
  const lastTransitionTime = old !== undefined && old.status === status ? old.lastTransitionTime : timeText(now);
  return [...others, { type, status, observedGeneration: budget.generation, lastTransitionTime, reason, message }];
}
