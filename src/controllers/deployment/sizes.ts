import type { ReplicaSetView } from "../views/workload.ts";
import { byAge, revisionOf } from "./revisions.ts";
import { annotations, footprintOf, isObserved, sizeOf, total, type Bounds } from "./observed.ts";

/** A new size for a set, with the sentence that says why. */
export interface Resize {
  readonly replicaSet: ReplicaSetView;
  readonly size: number;
  readonly reason: string;
}

/** How large the new set may become now. All sets must have followed their specs, else what they hold is unknown. */
export function newSize(
  newSet: ReplicaSetView | undefined,
  all: readonly ReplicaSetView[],
  bounds: Bounds,
  recreate: boolean,
): number {
  const size = newSet === undefined ? 0 : sizeOf(newSet);
  if (recreate || size > bounds.replicas) return bounds.replicas;
  const room = bounds.replicas + bounds.maxSurge - total(all, footprintOf);
  return room <= 0 ? size : Math.min(bounds.replicas, size + room);
}

/** One step of a rolling update: grow the new set as far as the surge allows, then shrink old ones as far as availability allows. */
export function rollingStep(newSet: ReplicaSetView, oldSets: readonly ReplicaSetView[], bounds: Bounds): Resize[] {
  const all = [...oldSets, newSet];
  if (!all.every(isObserved)) return [];
  const grown = newSize(newSet, all, bounds, false);
  if (grown !== sizeOf(newSet)) {
    const pods = total(all, footprintOf);
    const reason = `${pods} of at most ${bounds.replicas + bounds.maxSurge} pods exist; the new ReplicaSet goes to ${grown}`;
    return [{ replicaSet: newSet, size: grown, reason }];
  }
  return shrinkOld(newSet, oldSets, bounds);
}

function shrinkOld(newSet: ReplicaSetView, oldSets: readonly ReplicaSetView[], bounds: Bounds): Resize[] {
  const all = [...oldSets, newSet];
  const minAvailable = bounds.replicas - bounds.maxUnavailable;
  const newUnavailable = sizeOf(newSet) - availableOf(newSet);
  const mayShrink = total(all, sizeOf) - minAvailable - newUnavailable;
  if (mayShrink <= 0 || total(oldSets, sizeOf) === 0) return [];
  const sizes = new Map(oldSets.map((set) => [set, sizeOf(set)]));
  // First what is not available anyway: it costs nothing, and stuck pods of old templates must not block the update.
  let unhealthyLeft = mayShrink;
  for (const set of byAge(oldSets)) {
    const unhealthy = Math.min(unhealthyLeft, sizeOf(set) - availableOf(set));
    sizes.set(set, sizeOf(set) - unhealthy);
    unhealthyLeft -= unhealthy;
  }
  let spare = total(all, availableOf) - minAvailable;
  for (const set of byAge(oldSets)) {
    const step = Math.max(0, Math.min(spare, sizes.get(set)!, unhealthyLeft));
    sizes.set(set, sizes.get(set)! - step);
    spare -= step;
    unhealthyLeft -= step;
  }
  const available = total(all, availableOf);
  return resizes(
    sizes,
    (set, size) => `${available} pods are available and ${minAvailable} must be; old ${set.name} may shrink to ${size}`,
  );
}

/** Available pods that stay when a set shrinks to its size: pods that are not ready are deleted first. */
function availableOf(set: ReplicaSetView): number {
  return Math.min(set.status.availableReplicas ?? 0, sizeOf(set));
}

function resizes(
  sizes: ReadonlyMap<ReplicaSetView, number>,
  reason: (set: ReplicaSetView, size: number) => string,
): Resize[] {
  const changes: Resize[] = [];
  for (const [replicaSet, size] of sizes) {
    if (size !== sizeOf(replicaSet)) changes.push({ replicaSet, size, reason: reason(replicaSet, size) });
  }
  return changes;
}

/** True when the Deployment was resized since a set with pods was last scaled. */
export function isResized(all: readonly ReplicaSetView[], bounds: Bounds): boolean {
  return all.some((set) => {
    const desired = set.annotations[annotations.desired];
    return sizeOf(set) > 0 && desired !== undefined && Number(desired) !== bounds.replicas;
  });
}

/** Follows a change of spec.replicas without moving between templates: each set keeps its share. */
export function resizeAll(
  newSet: ReplicaSetView | undefined,
  oldSets: readonly ReplicaSetView[],
  bounds: Bounds,
  isRolling: boolean,
): Resize[] {
  const all = newSet === undefined ? [...oldSets] : [...oldSets, newSet];
  const active = all.filter((set) => sizeOf(set) > 0);
  const single = active.length === 1 ? active[0] : active.length === 0 ? (newSet ?? latest(oldSets)) : undefined;
  if (single !== undefined) {
    if (sizeOf(single) === bounds.replicas) return [];
    return [
      {
        replicaSet: single,
        size: bounds.replicas,
        reason: `spec.replicas is ${bounds.replicas} and ${single.name} is the only set`,
      },
    ];
  }
  if (newSet !== undefined && isSaturated(newSet, bounds)) {
    const stale = oldSets.filter((set) => sizeOf(set) > 0);
    return stale.map((replicaSet) => ({
      replicaSet,
      size: 0,
      reason: `all ${bounds.replicas} replicas of the new ReplicaSet are available`,
    }));
  }
  return isRolling ? proportional(active, bounds) : [];
}

function latest(sets: readonly ReplicaSetView[]): ReplicaSetView | undefined {
  return [...sets].sort((a, b) => revisionOf(b) - revisionOf(a))[0];
}

function isSaturated(set: ReplicaSetView, bounds: Bounds): boolean {
  return (
    sizeOf(set) === bounds.replicas &&
    Number(set.annotations[annotations.desired]) === bounds.replicas &&
    (set.status.availableReplicas ?? 0) === bounds.replicas
  );
}

/** Spreads a change of size over the sets by their shares; what rounding leaves goes to the first (largest). */
function proportional(active: readonly ReplicaSetView[], bounds: Bounds): Resize[] {
  const allowed = bounds.replicas > 0 ? bounds.replicas + bounds.maxSurge : 0;
  const toAdd = allowed - total(active, sizeOf);
  const newestFirst = byAge(active).reverse();
  const order = (toAdd >= 0 ? newestFirst : byAge(active)).sort((a, b) => sizeOf(b) - sizeOf(a));
  const sizes = new Map<ReplicaSetView, number>();
  let added = 0;
  for (const set of order) {
    const share = toAdd === 0 ? 0 : shareOf(set, bounds, toAdd, added);
    sizes.set(set, sizeOf(set) + share);
    added += share;
  }
  const first = order[0];
  if (first !== undefined && toAdd !== added) sizes.set(first, Math.max(0, sizes.get(first)! + toAdd - added));
  if (toAdd < 0) spareAvailable(sizes, bounds);
  return resizes(sizes, (set, size) => `spec.replicas is now ${bounds.replicas}; the share of ${set.name} is ${size}`);
}

/** Shares know nothing of health: where they would take available pods that must stay, pods that are not available go instead. */
function spareAvailable(sizes: Map<ReplicaSetView, number>, bounds: Bounds): void {
  const minAvailable = bounds.replicas - bounds.maxUnavailable;
  const leftOf = (set: ReplicaSetView): number => Math.min(availableOf(set), sizes.get(set)!);
  let lacking = minAvailable - total([...sizes.keys()], leftOf);
  for (const set of sizes.keys()) {
    for (const other of sizes.keys()) {
      const more = Math.min(lacking, availableOf(set) - leftOf(set), sizes.get(other)! - leftOf(other));
      if (more <= 0 || other === set) continue;
      sizes.set(set, sizes.get(set)! + more);
      sizes.set(other, sizes.get(other)! - more);
      lacking -= more;
    }
  }
}

function shareOf(set: ReplicaSetView, bounds: Bounds, toAdd: number, added: number): number {
  if (bounds.replicas === 0) return -sizeOf(set);
  const before = Number(set.annotations[annotations.max] ?? 0);
  const fraction =
    before <= 0 ? 0 : Math.round((sizeOf(set) * (bounds.replicas + bounds.maxSurge)) / before) - sizeOf(set);
  const left = toAdd - added;
  return toAdd > 0 ? Math.max(0, Math.min(fraction, left)) : Math.min(0, Math.max(fraction, left));
}
