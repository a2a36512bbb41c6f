import type { Owned } from "../owned-objects.ts";
import type { DeploymentView, ReplicaSetView } from "../views/workload.ts";

/** What the plan of a Deployment sees. */
export interface ObservedDeployment extends Owned<ReplicaSetView> {
  readonly deployment: DeploymentView;
  /** For strategy Recreate: pods that exist and have not finished, by the uid of their ReplicaSet. */
  readonly unfinishedPods: (replicaSetUid: string) => number;
  /** Any ReplicaSet of the namespace by its name: tells collisions of names. */
  readonly replicaSetNamed: (name: string) => ReplicaSetView | undefined;
}

export const annotations = {
  revision: "deployment.kubernetes.io/revision",
  revisionHistory: "deployment.kubernetes.io/revision-history",
  desired: "deployment.kubernetes.io/desired-replicas",
  max: "deployment.kubernetes.io/max-replicas",
} as const;

export const hashLabel = "pod-template-hash";

/** What a Deployment asks for in numbers of pods. */
export interface Bounds {
  readonly replicas: number;
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/** Percentages of `replicas` resolved: surge upwards, unavailable downwards, and never both zero (nothing could move). */
export function boundsOf(deployment: DeploymentView): Bounds {
  const replicas = deployment.spec.replicas ?? 1;
  if (deployment.spec.strategy?.type === "Recreate") return { replicas, maxSurge: 0, maxUnavailable: 0 };
  const rolling = deployment.spec.strategy?.rollingUpdate;
  const maxSurge = resolve(rolling?.maxSurge ?? "25%", replicas, Math.ceil);
  let maxUnavailable = resolve(rolling?.maxUnavailable ?? "25%", replicas, Math.floor);
  if (maxSurge === 0 && maxUnavailable === 0) maxUnavailable = 1;
  return { replicas, maxSurge, maxUnavailable: Math.min(maxUnavailable, replicas) };
}

/** An absolute number, or a percentage of `total` rounded as told; what cannot be read counts as 0. */
export function resolve(value: number | string, total: number, round: (value: number) => number): number {
  if (typeof value === "number") return Math.max(0, value);
  const match = /^([0-9]{1,9})%$/.exec(value);
  return match === null ? 0 : round((Number(match[1]) * total) / 100);
}

export function sizeOf(replicaSet: ReplicaSetView): number {
  return replicaSet.spec.replicas ?? 1;
}

/** Pods a set has or may have: until it has followed its spec, the larger of wanted and counted. */
export function footprintOf(replicaSet: ReplicaSetView): number {
  return Math.max(sizeOf(replicaSet), replicaSet.status.replicas);
}

export function total(
  replicaSets: readonly ReplicaSetView[],
  count: (replicaSet: ReplicaSetView) => number | undefined,
): number {
  return replicaSets.reduce((sum, replicaSet) => sum + (count(replicaSet) ?? 0), 0);
}

/** Its status speaks of its current spec. */
export function isObserved(replicaSet: ReplicaSetView): boolean {
  return (replicaSet.status.observedGeneration ?? 0) >= replicaSet.generation;
}
