import { isActive, type PodView } from "../views/pod.ts";
import type { PodValue } from "./reading.ts";

/** How far the measured may be from the wanted before anything happens, as parts of 1. */
export interface Tolerance {
  readonly up: number;
  readonly down: number;
}

/** A number of replicas that one metric asks for, with the measured usage in thousandths; or why there is none. */
export type Proposal =
  | { readonly ok: true; readonly replicas: number; readonly usage: number; readonly utilization?: number }
  | { readonly ok: false; readonly message: string };

/** A pod that was started less long ago may still be warming up: its CPU does not count while it is not ready. Milliseconds. */
const cpuInitializationMs = 300_000;
/** A pod that became unready within this time after its start has never been ready. Milliseconds. */
const initialReadinessMs = 30_000;

export function isWithin({ up, down }: Tolerance, ratio: number): boolean {
  return 1 - down <= ratio && ratio <= 1 + up;
}

interface PodGroups {
  readonly ready: number;
  readonly unready: ReadonlySet<string>;
  readonly missing: ReadonlySet<string>;
  readonly ignored: ReadonlySet<string>;
}

/** Sorts pods as the published algorithm does: counted, not ready yet, without a measurement, not to be counted. */
function groupPods(
  pods: readonly PodView[],
  values: ReadonlyMap<string, PodValue>,
  isCpu: boolean,
  now: number,
): PodGroups {
  let ready = 0;
  const [unready, missing, ignored] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const pod of pods) {
    const value = values.get(pod.name);
    if (!isActive(pod)) ignored.add(pod.name);
    else if (pod.phase === "Pending") unready.add(pod.name);
    else if (value === undefined) missing.add(pod.name);
    else if (isCpu && isWarmingUp(pod, value, now)) unready.add(pod.name);
    else ready += 1;
  }
  return { ready, unready, missing, ignored };
}

function isWarmingUp(pod: PodView, value: PodValue, now: number): boolean {
  const ready = pod.conditions.find(({ type }) => type === "Ready");
  if (ready === undefined || pod.startedMs === undefined) return true;
  if (now < pod.startedMs + cpuInitializationMs) {
    // Measured before or while it became ready: the start is in the number.
    return ready.status === "False" || value.atMs < pod.readyChangedMs + value.windowMs;
  }
  return ready.status === "False" && pod.readyChangedMs < pod.startedMs + initialReadinessMs;
}

/** What a metric of single pods is held against. */
export type PodTarget =
  | { readonly kind: "utilization"; readonly percent: number; readonly requests: ReadonlyMap<string, number> }
  | { readonly kind: "average"; readonly value: number };

export interface PodMetricInput {
  readonly pods: readonly PodView[];
  readonly values: ReadonlyMap<string, PodValue>;
  readonly target: PodTarget;
  readonly isCpu: boolean;
  readonly current: number;
  readonly tolerance: Tolerance;
  readonly now: number;
}

/**
 * Replicas by a metric of single pods. Missing measurements count as the wanted usage when that would shrink the workload less,
 * and as nothing when it would grow; pods that are not ready count as nothing when it would grow. If that turns the direction
 * around, nothing happens. https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details
 */
export function podMetricReplicas(input: PodMetricInput): Proposal {
  const { pods, values, target, current, tolerance } = input;
  if (pods.length === 0) return { ok: false, message: "no pods returned by selector while calculating replica count" };
  const groups = groupPods(pods, values, input.isCpu, input.now);
  const counted = new Map<string, number>();
  for (const { name } of pods) {
    const value = values.get(name);
    if (value !== undefined && !groups.unready.has(name) && !groups.ignored.has(name)) counted.set(name, value.value);
  }
  if (counted.size === 0)
    return { ok: false, message: "did not receive metrics for targeted pods (pods might be unready)" };
  const first = ratioOf(counted, target);
  if (first === undefined) return { ok: false, message: "no metrics returned matched known pods" };
  const measured = {
    usage: first.usage,
    ...(first.utilization === undefined ? {} : { utilization: first.utilization }),
  };
  const growsWithUnready = groups.unready.size > 0 && first.ratio > 1;
  if (!growsWithUnready && groups.missing.size === 0) {
    const replicas = isWithin(tolerance, first.ratio) ? current : Math.ceil(first.ratio * groups.ready);
    return { ok: true, replicas, ...measured };
  }
  for (const name of groups.missing) {
    if (first.ratio < 1) counted.set(name, wantedOf(name, target));
    else if (first.ratio > 1) counted.set(name, 0);
  }
  if (growsWithUnready) for (const name of groups.unready) counted.set(name, 0);
  const ratio = ratioOf(counted, target)?.ratio ?? 1;
  const isTurned = (first.ratio < 1 && ratio > 1) || (first.ratio > 1 && ratio < 1);
  if (isTurned || isWithin(tolerance, ratio)) return { ok: true, replicas: current, ...measured };
  const replicas = Math.ceil(ratio * counted.size);
  const isBackwards = (ratio < 1 && replicas > current) || (ratio > 1 && replicas < current);
  return { ok: true, replicas: isBackwards ? current : replicas, ...measured };
}

function wantedOf(name: string, target: PodTarget): number {
  if (target.kind === "average") return target.value;
  return ((target.requests.get(name) ?? 0) * Math.max(100, target.percent)) / 100;
}

function ratioOf(
  values: ReadonlyMap<string, number>,
  target: PodTarget,
): { readonly ratio: number; readonly usage: number; readonly utilization?: number } | undefined {
  let total = 0;
  let requested = 0;
  let count = 0;
  for (const [name, value] of values) {
    if (target.kind === "utilization") {
      const request = target.requests.get(name);
      if (request === undefined) continue;
      requested += request;
    }
    total += value;
    count += 1;
  }
  if (count === 0 || (target.kind === "utilization" && requested <= 0)) return undefined;
  const usage = Math.trunc(total / count);
  if (target.kind === "average") return { ratio: usage / target.value, usage };
  const utilization = Math.trunc((total * 100) / requested);
  return { ratio: utilization / target.percent, usage, utilization };
}

export interface WholeMetricInput {
  readonly pods: readonly PodView[];
  /** Measured, in thousandths. */
  readonly usage: number;
  readonly target: { readonly kind: "value" | "average"; readonly value: number };
  readonly current: number;
  readonly tolerance: Tolerance;
}

/** Replicas by a metric of one object or from outside. From zero replicas it grows by the ratio alone. */
export function wholeMetricReplicas({ pods, usage, target, current, tolerance }: WholeMetricInput): Proposal {
  if (target.kind === "average") {
    const ratio = usage / (target.value * current);
    const isKept = current > 0 && isWithin(tolerance, ratio);
    const average = current === 0 ? usage : Math.ceil(usage / current);
    return { ok: true, replicas: isKept ? current : Math.ceil(usage / target.value), usage: average };
  }
  const ratio = usage / target.value;
  if (current === 0) return { ok: true, replicas: Math.ceil(ratio), usage };
  if (isWithin(tolerance, ratio)) return { ok: true, replicas: current, usage };
  const ready = pods.filter((pod) => pod.phase === "Running" && pod.ready && pod.deletionMs === undefined).length;
  if (pods.length === 0) return { ok: false, message: "no pods returned by selector while calculating replica count" };
  return { ok: true, replicas: Math.ceil(ratio * ready), usage };
}
