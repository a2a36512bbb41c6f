/** The part of a Deployment's spec that bounds a rollout. */
export interface DeploymentSpec {
  readonly replicas?: number;
  readonly minReadySeconds?: number;
  readonly paused?: boolean;
  readonly revisionHistoryLimit?: number;
  readonly strategy?: {
    readonly type?: string;
    readonly rollingUpdate?: { readonly maxSurge?: number | string; readonly maxUnavailable?: number | string };
  };
}

/**
 * The most pods that a rollout may have and the least that must be available, as documented for Deployments: shares of surge
 * are rounded up, those of unavailability down, and both cannot be zero.
 */
export function rolloutBounds(spec: DeploymentSpec): { readonly most: number; readonly least: number } {
  const replicas = spec.replicas ?? 1;
  if (spec.strategy?.type === "Recreate") return { most: replicas, least: 0 };
  const { maxSurge = "25%", maxUnavailable = "25%" } = spec.strategy?.rollingUpdate ?? {};
  const surge = share(maxSurge, replicas, Math.ceil);
  const unavailable = share(maxUnavailable, replicas, Math.floor);
  return {
    most: replicas + surge,
    least: replicas - (surge === 0 && unavailable === 0 ? 1 : Math.min(unavailable, replicas)),
  };
}

/** A number, or a percentage of `of` rounded as told. */
export function share(value: number | string, of: number, round: (value: number) => number): number {
  return typeof value === "number" ? value : round((Number.parseInt(value, 10) * of) / 100);
}
