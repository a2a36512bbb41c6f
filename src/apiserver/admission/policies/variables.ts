import { EvaluationFailure } from "#cel/failure.ts";
import type { IsLate } from "#cel/frame.ts";
import { lateFromNow } from "#cel/late.ts";
import type { Compiled } from "#cel/program.ts";
import { MapValue, type Value } from "#cel/value.ts";
import type { Clock } from "#world/clock.ts";
import { callCostMax } from "./limits.ts";

/** What the expressions of one policy may still cost. */
export interface Budget {
  left: number;
  /** By which each expression is stopped that takes too long, with the variables that it reads first. */
  readonly clock: Pick<Clock, "monotonic">;
}

/**
 * Thrown out of an expression when the time that it has is used up by the variables that it reads: whoever evaluates it prepares
 * this one in a turn of its own, and begins again. Deliberately no Error: nobody sees it.
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
  #isLate: IsLate;
  #alone: string | undefined;

  constructor(programs: ReadonlyMap<string, Compiled>, inputs: readonly Value[], budget: Budget) {
    super();
    this.#programs = programs;
    this.#inputs = inputs;
    this.#budget = budget;
    this.#isLate = lateFromNow(budget.clock);
  }

  /** An expression begins: what it reads shares its time, which is answered. */
  begin(): IsLate {
    this.#alone = undefined;
    this.#isLate = lateFromNow(this.#budget.clock);
    return this.#isLate;
  }

  /** Evaluates one variable with time of its own; what it fails with is told by whoever reads it. Throws `Postponed` for another. */
  prepare(name: string): void {
    this.begin();
    this.#alone = name;
    try {
      this.field(name);
    } catch (error) {
      if (!(error instanceof EvaluationFailure)) throw error;
    }
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
    const isAlone = this.#alone === name;
    if (!isAlone && this.#isLate()) throw new Postponed(name);
    const costMax = Math.min(callCostMax, this.#budget.left);
    const result = compiled.program.evaluate([...this.#inputs, this], costMax, this.#isLate);
    this.#budget.left -= result.cost;
    if (result.ok) return result.value;
    // Others before it may have taken its time.
    if (!isAlone && result.isOverBudget && result.cost <= costMax && this.#isLate()) throw new Postponed(name);
    return new EvaluationFailure(
      `composited variable "${name}" fails to evaluate: ${result.message}`,
      result.isOverBudget,
    );
  }
}
