import { EvaluationFailure } from "./failure.ts";
import { pauseCost } from "./limits.ts";
import type { Progress } from "./progress.ts";
import type { Value } from "./value.ts";

/** Whether time is up, for evaluations that take long. */
export type IsLate = () => boolean;

/** The state of one evaluation: the values of variables and what it has cost so far. */
export interface Frame {
  readonly slots: Value[];
  cost: number;
  readonly costMax: number;
  /** At this cost somebody looks whether the evaluation may go on: never above `costMax`. */
  pauseAt: number;
  readonly isLate: IsLate | undefined;
  /** Late is not too late: others get their turn, and the evaluation goes on. */
  readonly isInterruptible: boolean;
  /** Kept from the first interruption on. */
  progress: Progress | undefined;
}

/** Thrown out of an evaluation whose turn is over. Deliberately no Error: nobody sees it. */
export class Interrupted {}
const interrupted = new Interrupted();

/** Counts work before it is done; ends the evaluation when it is too much, or takes too long. */
export function charge(frame: Frame, cost: number): void {
  frame.cost += cost;
  if (frame.pauseAt < frame.cost) pause(frame);
}

function pause(frame: Frame): void {
  const { cost, costMax, isLate } = frame;
  if (costMax < cost) throw new EvaluationFailure("operation cancelled: actual cost limit exceeded", true);
  if (isLate?.() === true) {
    if (!frame.isInterruptible) throw new EvaluationFailure("operation interrupted: it took too long", true);
    // Each turn gets further than the one before it.
    if (frame.progress?.hasAdvanced !== false) throw interrupted;
  }
  frame.pauseAt = pauseAfter(cost, costMax, isLate);
}

/** What is remembered without a cost has come further: others get their turn where one is over. */
export function advance(frame: Frame): void {
  if (frame.progress !== undefined) frame.progress.hasAdvanced = true;
  if (frame.isInterruptible && frame.isLate?.() === true) throw interrupted;
}

/** Where an evaluation that has cost so much is asked for the time next; cheap ones never are. */
export function pauseAfter(cost: number, costMax: number, isLate: IsLate | undefined): number {
  return isLate === undefined ? costMax : Math.min(costMax, cost + pauseCost);
}

/** What it takes to go on after a failure, which is thrown and caught. */
export function chargeFailure(frame: Frame): void {
  charge(frame, failureCost);
}

/** Cost units, measured against additions and comparisons. */
const failureCost = 60;

/** A compiled expression. Throws an EvaluationFailure. */
export type Run = (frame: Frame) => Value;
