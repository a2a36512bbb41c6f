import { poddisruptionbudgets } from "#api/generated/resources.ts";
import type { Condition } from "#api/generated/meta-v1.ts";
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from "#api/generated/policy-v1.ts";
import type { Resource } from "#api/resource.ts";
import type { Action, EventAction } from "#reconcile/action.ts";
import { isEqual } from "#reconcile/canonical.ts";
import type { Plan } from "#reconcile/controller.ts";
import { timeOf, timeText } from "#reconcile/object-view.ts";
import { resolve } from "../deployment/observed.ts";
import { limits } from "../limits.ts";
import { aboutOf, referenceOf } from "../ownership.ts";
import { isActive, type PodView } from "../views/pod.ts";
import type { BudgetView } from "../views/policy.ts";

export interface ObservedBudget {
  readonly budget: BudgetView;
  /** Pods that its selector matches. */
  readonly pods: readonly PodView[];
  /** The scale of each controller that owns some of them, by its uid; undefined where it cannot be known. */
  readonly scaleOf: (controllerUid: string) => number | undefined;
  /** The other budgets of the namespace. */
  readonly others: readonly BudgetView[];
}

const resource = poddisruptionbudgets as Resource<unknown>;

/** Counts what a budget allows to be disrupted now. Evictions that are not seen yet are kept in `disruptedPods`. */
export function planBudget({ budget, pods, scaleOf, others }: ObservedBudget, now: number): Plan | undefined {
  if (budget.deletionMs !== undefined) return undefined;
  const because = referenceOf(resource, budget);
  const active = pods.filter(isActive);
  const size = sizeOf(active, scaleOf);
  const scale = expectedOf(budget, active, size);
  const { disrupted, expireMs } = stillDisrupted(budget, pods, now);
  const healthy = active.filter((pod) => pod.ready && disrupted[pod.name] === undefined).length;
  const allowed = scale === undefined ? 0 : Math.max(0, scale.expected === 0 ? 0 : healthy - scale.desired);
  const found = complaints(budget, active, others, { size, scale });
  const status: PodDisruptionBudgetStatus = {
    observedGeneration: budget.generation,
    ...(Object.keys(disrupted).length === 0 ? {} : { disruptedPods: disrupted }),
    disruptionsAllowed: allowed,
    currentHealthy: healthy,
    desiredHealthy: scale?.desired ?? 0,
    expectedPods: scale?.expected ?? 0,
    conditions: conditionsOf(budget, allowed, scale, found, now),
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
  const said = conditionOf(budget)?.message ?? "";
  const about = aboutOf(resource, budget);
  const news = found.filter(({ message }) => !said.includes(message));
  return {
    actions: [
      { verb: "update", resource, namespace, name, subresource: "status", object, reason },
      ...news.map((complaint): Action => ({ verb: "event", about, ...complaint })),
    ],
    because,
    ...look,
  };
}

interface Scale {
  readonly expected: number;
  readonly desired: number;
}

/** How many pods there should be by what their controllers say. */
interface Size {
  readonly replicas: number;
  /** Pods that nobody controls: nothing says how many of them there should be. */
  readonly unmanaged: readonly string[];
  /** A pod whose controller does not say it, or is gone. */
  readonly unknown: string | undefined;
}

function sizeOf(active: readonly PodView[], scaleOf: ObservedBudget["scaleOf"]): Size {
  const unmanaged: string[] = [];
  const seen = new Set<string>();
  let replicas = 0;
  let unknown: string | undefined;
  for (const pod of active) {
    const uid = pod.controller?.uid;
    if (uid === undefined) unmanaged.push(pod.name);
    if (uid === undefined || seen.has(uid)) continue;
    seen.add(uid);
    const scale = scaleOf(uid);
    if (scale === undefined) unknown ??= pod.name;
    else replicas += scale;
  }
  return { replicas, unmanaged, unknown };
}

/** Numbers need only the pods; percentages and maxUnavailable need the size that their controllers say. */
function expectedOf({ spec }: BudgetView, active: readonly PodView[], size: Size): Scale | undefined {
  const { minAvailable = 1, maxUnavailable } = spec;
  if (maxUnavailable === undefined && typeof minAvailable === "number")
    return { expected: active.length, desired: Math.max(0, minAvailable) };
  if (size.unknown !== undefined) return undefined;
  const { replicas: expected } = size;
  if (maxUnavailable !== undefined)
    return { expected, desired: Math.max(0, expected - resolve(maxUnavailable, expected, Math.ceil)) };
  return { expected, desired: resolve(minAvailable, expected, Math.ceil) };
}

type Complaint = Pick<EventAction, "type" | "eventReason" | "message">;

/** What makes no sense about a budget, under the names of Events that upstream has, where it has them. */
function complaints(
  budget: BudgetView,
  active: readonly PodView[],
  others: readonly BudgetView[],
  { size, scale }: { readonly size: Size; readonly scale: Scale | undefined },
): Complaint[] {
  const found: Complaint[] = [];
  const warn = (eventReason: string, message: string): void =>
    void found.push({ type: "Warning", eventReason, message });
  if (active.length === 0)
    found.push({ type: "Normal", eventReason: "NoPods", message: "no pod matches the selector" });
  if (scale === undefined)
    warn(
      "CalculateExpectedPodCountFailed",
      `the controller of pod ${size.unknown} is gone or has no scale: how many pods there should be is not known`,
    );
  const needsSize = typeof budget.spec.minAvailable === "string" || budget.spec.maxUnavailable !== undefined;
  if (needsSize && size.unmanaged.length > 0)
    warn(
      "UnmanagedPods",
      `pods without a controller count for nothing here (${named(size.unmanaged)}): only a number as minAvailable holds for them`,
    );
  // A budget that asks for more than there is to be, or for all of it, allows nothing for ever. Without a size it is not known.
  const total = size.replicas + (needsSize ? 0 : size.unmanaged.length);
  if (scale !== undefined && size.unknown === undefined && total > 0 && scale.desired >= total)
    warn("NoDisruptionPossible", `${scale.desired} of ${total} pods must be healthy: no disruption is ever allowed`);
  // Pods of one controller are alike.
  const examples = [...new Map(active.map((pod) => [pod.controller?.uid ?? pod.uid, pod])).values()];
  const rivals = others.filter(({ selector }) => examples.some((pod) => selector.matches(pod.labels)));
  if (rivals.length > 0) {
    const names = named(rivals.map(({ name }) => name));
    warn("MultiplePodDisruptionBudgets", `budgets select the same pods (${names}): evictions of those are refused`);
  }
  return found;
}

function named(names: readonly string[]): string {
  const shown = names.toSorted().slice(0, limits.namesToldMax).join(", ");
  return names.length > limits.namesToldMax ? `${shown} and ${names.length - limits.namesToldMax} more` : shown;
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

const conditionType = "DisruptionAllowed";

function conditionOf(budget: BudgetView): Condition | undefined {
  return budget.status.conditions?.find((condition) => condition.type === conditionType);
}

function conditionsOf(
  budget: BudgetView,
  allowed: number,
  scale: Scale | undefined,
  found: readonly Complaint[],
  now: number,
): Condition[] {
  const type = conditionType;
  const others = (budget.status.conditions ?? []).filter((condition) => condition.type !== type);
  const old = conditionOf(budget);
  const status = allowed > 0 ? "True" : "False";
  const reason = scale === undefined ? "SyncFailed" : allowed > 0 ? "SufficientPods" : "InsufficientPods";
  const message = found.map((complaint) => complaint.message).join("; ");
  const lastTransitionTime = old !== undefined && old.status === status ? old.lastTransitionTime : timeText(now);
  return [...others, { type, status, observedGeneration: budget.generation, lastTransitionTime, reason, message }];
}
