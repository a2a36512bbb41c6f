import { EvaluationFailure } from "#cel/failure.ts";
import type { IsLate } from "#cel/frame.ts";
import type { Compiled, Result } from "#cel/program.ts";
import { MapValue, type Value } from "#cel/value.ts";
import { callCostMax } from "./limits.ts";
import type { Steps } from "../../turns.ts";

/** What the expressions of one policy may still cost. */
export interface Budget {
  left: number;
}

/**
 * Thrown out of an expression when its turn is used up by the variables that it reads: whoever evaluates it prepares this one in
 * turns of its own, and begins again. Deliberately no Error: nobody sees it.
 */
export class Postponed {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** The variable `variables`: each is evaluated when it is first read, and at most once. */
export class VariablesValue extends MapValue {
  readonly #programs: ReadonlyMap<string, Compiled>;
  readonly #inputs: readonly Value[];
  readonly #budget: Budget;
  readonly #known = new Map<string, Value | EvaluationFailure>();
  readonly #isOver: IsLate;

  /** `isOver`: whether the turn of the expression is over that reads them. */
  constructor(programs: ReadonlyMap<string, Compiled>, inputs: readonly Value[], budget: Budget, isOver: IsLate) {
    super();
    this.#programs = programs;
    this.#inputs = inputs;
    this.#budget = budget;
    this.#isOver = isOver;
  }

  /** Evaluates one variable in turns; what it fails with is told by whoever reads it. Throws `Postponed` for another. */
  *prepare(name: string): Steps<void> {
    const compiled = this.#programs.get(name);
    if (compiled?.ok !== true || this.#known.has(name)) return;
    const costMax = Math.min(callCostMax, this.#budget.left);
    const result = yield* compiled.program.inTurns([...this.#inputs, this], costMax, this.#isOver);
    this.#known.set(name, this.#paid(name, result));
  }

  get size(): number {
    return this.#programs.size;
  }

  get(key: Value): Value | undefined {
    return typeof key === "string" ? this.field(key) : undefined;
  }

  keys(): Iterable<Value> {
    return this.#programs.keys();
  }

  override field(name: string): Value | undefined {
    const compiled = this.#programs.get(name);
    if (compiled === undefined) return undefined;
    let known = this.#known.get(name);
    if (known === undefined) this.#known.set(name, (known = this.#evaluate(name, compiled)));
    if (known instanceof EvaluationFailure) throw known;
    return known;
  }

  #evaluate(name: string, compiled: Compiled): Value | EvaluationFailure {
    if (!compiled.ok)
      return new EvaluationFailure(`composited variable "${name}" fails to compile: ${compiled.message}`);
    if (this.#isOver()) throw new Postponed(name);
    const costMax = Math.min(callCostMax, this.#budget.left);
    const result = compiled.program.evaluate([...this.#inputs, this], costMax, this.#isOver);
    // Not its budget, but its turn is used up.
    if (!result.ok && result.isOverBudget && result.cost <= costMax) throw new Postponed(name);
    return this.#paid(name, result);
  }

  #paid(name: string, result: Result): Value | EvaluationFailure {
    this.#budget.left -= result.cost;
    if (result.ok) return result.value;
    const why = `composited variable "${name}" fails to evaluate: ${result.message}`;
    return new EvaluationFailure(why, result.isOverBudget);
  }
}
