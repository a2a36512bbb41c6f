import type { Pod } from "#api/generated/core-v1.ts";

/** Marks the shadow of a pod that a node runs by itself. */
export const mirrorAnnotation = "kubernetes.io/config.mirror";

export function isMirrorPod(pod: Pod): boolean {
  return pod.metadata.annotations?.[mirrorAnnotation] !== undefined;
}
