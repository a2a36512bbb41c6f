/**
 * A hold on a Deployment: its controller keeps one ReplicaSet whole and brings another to a size, instead of moving from old to
 * new. Written as an annotation by whoever steers a release.
 */
export interface Hold {
  /** Name of the ReplicaSet that keeps all replicas of the Deployment. */
  readonly keep: string;
  /** Name of the ReplicaSet that comes on top, with `size` pods; all others have none. */
  readonly bring?: string;
  readonly size?: number;
  /** Name of a ReplicaSet whose template was judged bad: the rollout to it counts as failed. */
  readonly rejected?: string;
  /** Who holds: `Canary/web`. */
  readonly by?: string;
}

/** On a Deployment: its hold, as JSON. */
export const holdAnnotation = "steersman.dev/hold";
/** On a ReplicaSet: its pods stay outside the endpoints of Services that do not name their template's hash. */
export const onHoldAnnotation = "steersman.dev/on-hold";

/** The hold that annotations tell of; undefined when there is none or it cannot be read. */
export function holdOf(annotations: Readonly<Record<string, string>>): Hold | undefined {
  const text = annotations[holdAnnotation];
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { keep, bring, size, rejected, by } = value as Record<string, unknown>;
  if (typeof keep !== "string" || keep === "") return undefined;
  return {
    keep,
    ...(typeof bring === "string" ? { bring } : {}),
    ...(Number.isSafeInteger(size) && Number(size) >= 0 ? { size: Number(size) } : {}),
    ...(typeof rejected === "string" ? { rejected } : {}),
    ...(typeof by === "string" ? { by } : {}),
  };
}

/** In the form of the annotation: equal holds are equal texts. */
export function holdText({ keep, bring, size, rejected, by }: Hold): string {
  return JSON.stringify({ keep, bring, size, rejected, by });
}
