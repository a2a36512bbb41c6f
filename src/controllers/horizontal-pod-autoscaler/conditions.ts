import type { HorizontalPodAutoscalerCondition } from "#api/generated/autoscaling-v2.ts";
import { timeText } from "#reconcile/object-view.ts";

/** The conditions that users know: AbleToScale, ScalingActive, ScalingLimited. Changed ones get a new time. */
export class Conditions {
  #conditions: readonly HorizontalPodAutoscalerCondition[];
  readonly #now: number;

  constructor(before: readonly HorizontalPodAutoscalerCondition[] | undefined, now: number) {
    this.#conditions = before ?? [];
    this.#now = now;
  }

  set(
    type: "AbleToScale" | "ScalingActive" | "ScalingLimited",
    isTrue: boolean,
    reason: string,
    message: string,
  ): void {
    const status = isTrue ? "True" : "False";
    const known = this.#conditions.find((condition) => condition.type === type);
    const lastTransitionTime = known?.status === status ? known.lastTransitionTime : timeText(this.#now);
    const made = { type, status, reason, message, ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }) };
    this.#conditions =
      known === undefined
        ? [...this.#conditions, made]
        : this.#conditions.map((condition) => (condition.type === type ? made : condition));
  }

  all(): HorizontalPodAutoscalerCondition[] {
    return [...this.#conditions];
  }
}
