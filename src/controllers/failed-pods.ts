import { limits } from "./limits.ts";
import type { PodView } from "./views/pod.ts";

/** How long after the one before a pod that fails is replaced: at once the first time, then ever later. Milliseconds. */
function delayMs(replacements: number): number {
  if (replacements === 0) return 0;
  return Math.min(limits.failedPodMaxMs, limits.failedPodMinMs * 2 ** Math.min(replacements - 1, 30));
}

/**
 * Milliseconds until missing pods may be made beside failed ones that stay: pods that a node refuses fail as fast as they are made.
 * Those that failed long after they were made say nothing about the next. Pure.
 */
export function untilReplacedMs(failed: readonly PodView[], wanted: number, now: number): number {
  const recent = failed.filter((pod) => pod.createdMs > now - 2 * limits.failedPodMaxMs);
  if (recent.length === 0) return 0;
  const rounds = Math.ceil(recent.length / Math.max(1, wanted));
  return Math.max(0, Math.max(...recent.map(({ createdMs }) => createdMs)) + delayMs(rounds - 1) - now);
}

/** Remembers how often the pod of one place (a node, an ordinal) has failed, where a failed pod goes before the next one comes. */
export class FailedPods {
  readonly #places = new Map<string, { uid: string; replacements: number; dueMs: number }>();

  /** Milliseconds until this failed pod may be replaced. */
  untilReplacedMs(place: string, pod: PodView, now: number): number {
    const last = this.#places.get(place);
    if (last?.uid === pod.uid) return Math.max(0, last.dueMs - now);
    const isForgotten = last === undefined || now - last.dueMs > 2 * limits.failedPodMaxMs;
    const replacements = isForgotten ? 0 : last.replacements + 1;
    const dueMs = isForgotten ? now : Math.max(now, last.dueMs + delayMs(replacements));
    this.#places.delete(place);
    this.#places.set(place, { uid: pod.uid, replacements, dueMs });
    const [oldest] = this.#places.keys();
    if (this.#places.size > limits.failingPlacesMax && oldest !== undefined) this.#places.delete(oldest);
    return dueMs - now;
  }
}
