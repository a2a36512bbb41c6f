import { EvaluationFailure } from "./failure.ts";
import type { Value } from "./value.ts";

/** The state of one evaluation: the values of variables and what it has cost so far. */
export interface Frame {
  readonly slots: Value[];
  cost: number;
  readonly costMax: number;
}

/** Counts work before it is done; ends the evaluation when it is too much. */
export function charge(frame: Frame, cost: number): void {
  frame.cost += cost;
  if (frame.costMax < frame.cost) throw new EvaluationFailure("operation cancelled: actual cost limit exceeded", true);
}

/** A compiled expression. Throws an EvaluationFailure. */
export type Run = (frame: Frame) => Value;
