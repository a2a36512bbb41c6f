import { EvaluationFailure } from "#cel/failure.ts";
import { lateFromNow } from "#cel/late.ts";
import type { Compiled } from "#cel/program.ts";
import { MapValue, type Value } from "#cel/value.ts";
import type { Clock } from "#world/clock.ts";
import { callCostMax } from "./limits.ts";

/** What the expressions of one policy may still cost. */
export interface Budget {
  left: number;
  /** By which each expression is stopped that takes too long; undefined: by nothing but its cost. */
  readonly clock: Pick<Clock, "monotonic"> | undefined;
}

/** The variable `variables`: each is evaluated when it is first read, and at most once. */
export class VariablesValue extends MapValue {
  readonly #programs: ReadonlyMap<string, Compiled>;
  readonly #inputs: readonly Value[];
  readonly #budget: Budget;
  readonly #known = new Map<string, Value | EvaluationFailure>();

  constructor(programs: ReadonlyMap<string, Compiled>, inputs: readonly Value[], budget: Budget) {
    super();
    this.#programs = programs;
    this.#inputs = inputs;
    this.#budget = budget;
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
    const { left, clock } = this.#budget;
    const isLate = clock && lateFromNow(clock);
    const result = compiled.program.evaluate([...this.#inputs, this], Math.min(callCostMax, left), isLate);
    this.#budget.left -= result.cost;
    if (result.ok) return result.value;
    return new EvaluationFailure(
      `composited variable "${name}" fails to evaluate: ${result.message}`,
      result.isOverBudget,
    );
  }
}
