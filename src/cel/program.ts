import { check } from "./checker.ts";
import { compile } from "./compile.ts";
import { estimateCost } from "./cost.ts";
import type { Environment } from "./environment.ts";
import { describeIssues, EvaluationFailure, SyntaxFailure, type Issue } from "./failure.ts";
import { Interrupted, pauseAfter, type Frame, type IsLate, type Run } from "./frame.ts";
import { evaluationCostMax } from "./limits.ts";
import { parse } from "./parser.ts";
import { Progress } from "./progress.ts";
import { formatType, type Type } from "./types.ts";
import type { Value } from "./value.ts";

export type Result =
  | { readonly ok: true; readonly value: Value; readonly cost: number }
  | { readonly ok: false; readonly message: string; readonly cost: number; readonly isOverBudget: boolean };

/** A compiled expression: evaluated as often as wanted. */
export class Program {
  readonly text: string;
  readonly type: Type;
  /** What one evaluation costs at most, from the sizes that the types of the variables declare. */
  readonly costEstimate: number;
  readonly #run: Run;
  readonly #slots: number;

  constructor(text: string, type: Type, run: Run, slots: number, costEstimate: number) {
    this.text = text;
    this.type = type;
    this.costEstimate = costEstimate;
    this.#run = run;
    this.#slots = slots;
  }

  /**
   * Evaluates with the values of the environment's variables, in their order; undefined stands for one that is not set.
   * `isLate` is asked now and then by evaluations that cost much; one that is late ends like one that costs too much.
   */
  evaluate(variables: readonly (Value | undefined)[], costMax: number = evaluationCostMax, isLate?: IsLate): Result {
    return this.#go(this.#frame(variables, costMax, isLate, false));
  }

  /**
   * The same in turns: when `isOver` says that one is over, which is asked now and then by evaluations that cost much, it yields, and
   * goes on where it was. A turn is as long as one operation at least.
   */
  *inTurns(variables: readonly (Value | undefined)[], costMax: number, isOver: () => boolean): Generator<void, Result> {
    const frame = this.#frame(variables, costMax, isOver, true);
    for (;;) {
      try {
        return this.#go(frame);
      } catch (error) {
        if (!(error instanceof Interrupted)) throw error;
      }
      yield;
      frame.pauseAt = pauseAfter(frame.cost, costMax, isOver);
      frame.cost = 0;
      frame.progress ??= new Progress();
      frame.progress.hasAdvanced = false;
    }
  }

  #frame(
    variables: readonly (Value | undefined)[],
    costMax: number,
    isLate: IsLate | undefined,
    isInterruptible: boolean,
  ): Frame {
    const slots = new Array<Value>(this.#slots);
    for (let i = 0; i < variables.length; i += 1) {
      const value = variables[i];
      if (value !== undefined) slots[i] = value;
    }
    const pauseAt = pauseAfter(0, costMax, isLate);
    return { slots, cost: 0, costMax, pauseAt, isLate, isInterruptible, progress: undefined };
  }

  #go(frame: Frame): Result {
    try {
      return { ok: true, value: this.#run(frame), cost: frame.cost };
    } catch (error) {
      if (!(error instanceof EvaluationFailure)) throw error;
      return { ok: false, message: error.message, cost: frame.cost, isOverBudget: error.isFinal };
    }
  }
}

export type Compiled =
  | { readonly ok: true; readonly program: Program }
  /** `message` holds all issues, each with its position, as clients know it. */
  | { readonly ok: false; readonly issues: readonly Issue[]; readonly message: string };

/** Parses, checks and compiles an expression; with `expected`, its result must be of one of these types. */
export function compileExpression(environment: Environment, text: string, expected?: readonly Type[]): Compiled {
  try {
    const node = parse(text);
    const { issues, type, slots } = check(node, environment);
    if (issues.length > 0) return { ok: false, issues, message: describeIssues(text, issues) };
    if (expected !== undefined && !expected.some((each) => isExpected(each, type))) {
      const message = `must evaluate to ${expected.map(formatType).join(" or ")}`;
      return { ok: false, issues: [{ message, at: 0 }], message };
    }
    const cost = estimateCost(node, environment);
    return { ok: true, program: new Program(text, type, compile(node), slots, cost) };
  } catch (error) {
    if (!(error instanceof SyntaxFailure)) throw error;
    return { ok: false, issues: [error.issue], message: describeIssues(text, [error.issue]) };
  }
}

function isExpected(expected: Type, type: Type): boolean {
  return type.kind === "dyn" || type.kind === expected.kind;
}
