import { resolve } from "../deployment/observed.ts";
import { revisionLabel } from "../revision-history.ts";
import { isAvailable, type PodView } from "../views/pod.ts";
import type { DaemonSetView } from "../views/workload.ts";
import type { Place } from "./plan.ts";

interface Budget {
  readonly maxUnavailable: number;
  readonly maxSurge: number;
}

function budgetOf(set: DaemonSetView, places: readonly Place[]): Budget | undefined {
  if (set.spec.updateStrategy?.type === "OnDelete") return undefined;
  const desired = places.filter((place) => place.shouldRun).length;
  const { maxSurge = 0, maxUnavailable = 1 } = set.spec.updateStrategy?.rollingUpdate ?? {};
  const budget = {
    maxSurge: resolve(maxSurge, desired, Math.ceil),
    maxUnavailable: resolve(maxUnavailable, desired, Math.ceil),
  };
  // Nothing could move: one node at a time.
  return budget.maxSurge === 0 && budget.maxUnavailable === 0 ? { ...budget, maxUnavailable: 1 } : budget;
}

interface Standing {
  readonly place: Place;
  readonly old: PodView | undefined;
  readonly new: PodView | undefined;
  readonly isAvailable: boolean;
}

function standingOf(set: DaemonSetView, places: readonly Place[], hash: string, now: number): Standing[] {
  const minReadySeconds = set.spec.minReadySeconds ?? 0;
  return places
    .filter((place) => place.shouldRun)
    .map((place) => {
      const alive = place.pods.filter((pod) => pod.deletionMs === undefined);
      return {
        place,
        old: alive.find((pod) => pod.labels[revisionLabel] !== hash),
        new: alive.find((pod) => pod.labels[revisionLabel] === hash),
        isAvailable: alive.some((pod) => isAvailable(pod, minReadySeconds, now)),
      };
    });
}

/** Nodes that may get a pod of the new template beside the old one now. */
export function surgeNodes(
  set: DaemonSetView,
  places: readonly Place[],
  hash: string,
  now: number,
): ReadonlySet<Place> {
  const budget = budgetOf(set, places);
  if (budget === undefined || budget.maxSurge === 0) return new Set();
  const standings = standingOf(set, places, hash, now);
  const surging = standings.filter((standing) => standing.old !== undefined && standing.new !== undefined).length;
  const waiting = standings.filter((standing) => standing.old !== undefined && standing.new === undefined);
  // Where the old pod does not work anyway, first.
  const order = [
    ...waiting.filter((standing) => !standing.isAvailable),
    ...waiting.filter((standing) => standing.isAvailable),
  ];
  return new Set(order.slice(0, Math.max(0, budget.maxSurge - surging)).map((standing) => standing.place));
}

/** Pods of old templates that may go now. */
export function rollingDeletions(set: DaemonSetView, places: readonly Place[], hash: string, now: number): PodView[] {
  const budget = budgetOf(set, places);
  if (budget === undefined) return [];
  const standings = standingOf(set, places, hash, now);
  const minReadySeconds = set.spec.minReadySeconds ?? 0;
  if (budget.maxSurge > 0) {
    return standings.flatMap(({ old, new: fresh }) =>
      old !== undefined && fresh !== undefined && isAvailable(fresh, minReadySeconds, now) ? [old] : [],
    );
  }
  const unavailable = standings.filter((standing) => !standing.isAvailable).length;
  const stale = standings.filter((standing) => standing.old !== undefined);
  // What is not available costs nothing to replace.
  const broken = stale.filter((standing) => !standing.isAvailable);
  const working = stale
    .filter((standing) => standing.isAvailable)
    .slice(0, Math.max(0, budget.maxUnavailable - unavailable));
  return [...broken, ...working].map((standing) => standing.old!);
}
