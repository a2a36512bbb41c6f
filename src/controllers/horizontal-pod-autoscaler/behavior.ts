import type {
  HPAScalingPolicy,
  HPAScalingRules,
  HorizontalPodAutoscalerBehavior,
} from "#api/generated/autoscaling-v2.ts";
import { parseQuantity, quantityToNumber } from "#codec/quantity.ts";
import { limits } from "../limits.ts";
import type { Tolerance } from "./ratio.ts";

/** What an autoscaler has recommended and done lately; kept by the loop, never stored. */
export interface History {
  /** Oldest first. */
  readonly recommendations: readonly { readonly atMs: number; readonly replicas: number }[];
  /** Replicas added (positive) or removed (negative). */
  readonly changes: readonly { readonly atMs: number; readonly change: number }[];
}

export const noHistory: History = { recommendations: [], changes: [] };

interface Rules {
  readonly windowMs: number;
  readonly select: string;
  readonly policies: readonly HPAScalingPolicy[];
}

/** What is used where nothing is said: the documented defaults. */
const percentDefault: HPAScalingPolicy = { type: "Percent", value: 100, periodSeconds: 15 };
const podsDefault: HPAScalingPolicy = { type: "Pods", value: 4, periodSeconds: 15 };
const downWindowSecondsDefault = 300;
const toleranceDefault = 0.1;

function rulesOf(
  given: HPAScalingRules | undefined,
  windowSeconds: number,
  policies: readonly HPAScalingPolicy[],
): Rules {
  return {
    windowMs: (given?.stabilizationWindowSeconds ?? windowSeconds) * 1000,
    select: given?.selectPolicy ?? "Max",
    policies: given?.policies ?? policies,
  };
}

function upRules(behavior: HorizontalPodAutoscalerBehavior | undefined): Rules {
  return rulesOf(behavior?.scaleUp, 0, [podsDefault, percentDefault]);
}

function downRules(behavior: HorizontalPodAutoscalerBehavior | undefined): Rules {
  return rulesOf(behavior?.scaleDown, downWindowSecondsDefault, [percentDefault]);
}

/** How long the highest recommendation of the past keeps replicas. Milliseconds. */
export function downWindowMs(behavior: HorizontalPodAutoscalerBehavior | undefined): number {
  return downRules(behavior).windowMs;
}

export function toleranceOf(behavior: HorizontalPodAutoscalerBehavior | undefined): Tolerance {
  const of = (rules: HPAScalingRules | undefined): number => {
    const parsed = parseQuantity(rules?.tolerance ?? "");
    return parsed.ok ? quantityToNumber(parsed.quantity) : toleranceDefault;
  };
  return { up: of(behavior?.scaleUp), down: of(behavior?.scaleDown) };
}

/**
 * Adds a recommendation and drops what no window sees any more. A run of equal ones keeps its ends. Times are those of a clock that
 * nobody sets.
 */
export function remember(
  history: History,
  behavior: HorizontalPodAutoscalerBehavior | undefined,
  replicas: number,
  now: number,
): History {
  const keptMs = Math.max(upRules(behavior).windowMs, downRules(behavior).windowMs);
  const recommendations = history.recommendations.filter(({ atMs }) => now - atMs <= keptMs && atMs <= now);
  const isRun = recommendations.at(-1)?.replicas === replicas && recommendations.at(-2)?.replicas === replicas;
  if (isRun) recommendations.pop();
  recommendations.push({ atMs: now, replicas });
  if (recommendations.length > limits.recommendationsMax) recommendations.shift();
  return { recommendations, changes: history.changes };
}

/** Adds what was done and drops what no policy's period sees any more. */
export function rememberChange(
  history: History,
  behavior: HorizontalPodAutoscalerBehavior | undefined,
  change: number,
  now: number,
): History {
  const periods = [...upRules(behavior).policies, ...downRules(behavior).policies].map(
    ({ periodSeconds }) => periodSeconds,
  );
  const keptMs = Math.max(0, ...periods) * 1000;
  const changes = history.changes.filter(({ atMs }) => now - atMs <= keptMs && atMs <= now).slice(-limits.changesMax);
  return { recommendations: history.recommendations, changes: [...changes, { atMs: now, change }] };
}

export const inRange = "the desired count is within the acceptable range";

/** A verdict with the reason and message of the condition that tells it. */
export interface Verdict {
  readonly replicas: number;
  readonly reason: string;
  readonly message: string;
}

export interface BehaviorInput {
  readonly behavior: HorizontalPodAutoscalerBehavior | undefined;
  readonly current: number;
  readonly desired: number;
  readonly min: number;
  readonly max: number;
  readonly history: History;
  readonly now: number;
}

/** The lowest recommendation of the up window and the highest of the down window bound what may happen now. */
export function stabilize({ behavior, current, desired, history, now }: BehaviorInput): Verdict {
  let [lowest, highest] = [desired, desired];
  const [upMs, downMs] = [upRules(behavior).windowMs, downRules(behavior).windowMs];
  for (const { atMs, replicas } of history.recommendations) {
    if (now - atMs < upMs) lowest = Math.min(lowest, replicas);
    if (now - atMs < downMs) highest = Math.max(highest, replicas);
  }
  const replicas = Math.min(Math.max(current, lowest), highest);
  if (replicas === desired)
    return { replicas, reason: "ReadyForNewScale", message: "recommended size matches current size" };
  return desired >= current
    ? {
        replicas,
        reason: "ScaleUpStabilized",
        message: "recent recommendations were lower than current one, applying the lowest recent recommendation",
      }
    : {
        replicas,
        reason: "ScaleDownStabilized",
        message: "recent recommendations were higher than current one, applying the highest recent recommendation",
      };
}

/** Bounds by how fast it may change, then by the least and the most. */
export function bound(input: BehaviorInput): Verdict {
  const { behavior, current, desired, min, max } = input;
  if (desired > current) {
    const limit = Math.max(current, growthLimit(input, upRules(behavior)));
    const most = Math.min(max, limit);
    if (desired > most) {
      return limit < max
        ? limited(most, "ScaleUpLimit", "increasing faster than the maximum scale rate")
        : tooMany(max);
    }
  } else if (desired < current) {
    const limit = Math.min(current, shrinkLimit(input, downRules(behavior)));
    const least = Math.max(min, limit);
    if (desired < least) {
      return limit > min
        ? limited(least, "ScaleDownLimit", "decreasing faster than the maximum scale rate")
        : tooFew(min);
    }
  }
  if (desired < min) return tooFew(min);
  if (desired > max) return tooMany(max);
  return {
    replicas: desired,
    reason: "DesiredWithinRange",
    message: inRange,
  };
}

function limited(replicas: number, reason: string, how: string): Verdict {
  return { replicas, reason, message: `the desired replica count is ${how}` };
}

function tooMany(max: number): Verdict {
  return limited(max, "TooManyReplicas", "more than the maximum replica count");
}

function tooFew(min: number): Verdict {
  return limited(min, "TooFewReplicas", "less than the minimum replica count");
}

function growthLimit(input: BehaviorInput, { select, policies }: Rules): number {
  if (select === "Disabled") return input.current;
  const proposed = policies.map((policy) => {
    const from = periodStart(input, policy);
    if (policy.type === "Pods") return from + policy.value;
    // A part of no pods is none: without the first pod a target would never leave zero.
    return Math.max(from <= 0 ? 1 : 0, Math.ceil(from * (1 + policy.value / 100)));
  });
  return select === "Min" ? Math.min(...proposed) : Math.max(...proposed);
}

function shrinkLimit(input: BehaviorInput, { select, policies }: Rules): number {
  if (select === "Disabled") return input.current;
  const proposed = policies.map((policy) => {
    const from = periodStart(input, policy);
    return policy.type === "Pods" ? from - policy.value : Math.trunc(from * (1 - policy.value / 100));
  });
  return select === "Min" ? Math.max(...proposed) : Math.min(...proposed);
}

/** Replicas when the policy's period began. */
function periodStart({ current, history, now }: BehaviorInput, { periodSeconds }: HPAScalingPolicy): number {
  const recent = history.changes.filter(({ atMs }) => now - atMs < periodSeconds * 1000 && atMs <= now);
  return current - recent.reduce((sum, { change }) => sum + change, 0);
}
