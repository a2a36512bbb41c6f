import type { MatchCondition, Variable } from "#api/generated/admissionregistration-v1.ts";
import type { Environment } from "#cel/environment.ts";
import { compileExpression, type Compiled, type Result } from "#cel/program.ts";
import { bool, dyn, type ObjectField, type ObjectType, type Type } from "#cel/types.ts";
import { mutationEnvironment, mutationTypes, policyVariables, validationEnvironment } from "./environment.ts";
import { callCostMax } from "./limits.ts";
import type { ConditionsResult } from "../webhooks/conditions.ts";
import type { Steps, Turn } from "../../turns.ts";
import { Postponed, VariablesValue, type Budget } from "./variables.ts";
import type { Value } from "#cel/value.ts";

/** The expressions of a policy with what they see: its variables, one after the other, then all of them for the rest. */
export class PolicyExpressions {
  readonly variables: ReadonlyMap<string, Compiled>;
  readonly #environment: Environment;

  constructor(variables: readonly Variable[], options: { readonly isMutating: boolean; readonly object?: Type }) {
    const base = options.isMutating ? mutationEnvironment : validationEnvironment;
    const objectTypes = options.isMutating ? mutationTypes : [];
    const inputs = policyVariables(options.object);
    const fields = new Map<string, ObjectField>();
    const compiled = new Map<string, Compiled>();
    const environment = (): Environment =>
      base.with([...inputs, { name: "variables", type: variablesType(new Map(fields)) }], objectTypes);
    for (const { name, expression } of variables) {
      const found = compileExpression(environment(), expression);
      compiled.set(name, found);
      fields.set(name, { name, type: found.ok ? found.program.type : dyn });
    }
    this.variables = compiled;
    this.#environment = environment();
  }

  compile(expression: string, expected: readonly Type[]): Compiled {
    return compileExpression(this.#environment, expression, expected);
  }
}

function variablesType(fields: ReadonlyMap<string, ObjectField>): ObjectType {
  return { kind: "object", name: "kubernetes.variables", fields };
}

/** Evaluates expressions of one policy with one set of inputs. */
export class PolicyEvaluation {
  readonly #values: readonly Value[];
  readonly #variables: VariablesValue;
  readonly #budget: Budget;
  readonly #turn: Turn;

  constructor(expressions: PolicyExpressions, inputs: readonly Value[], budget: Budget, turn: Turn) {
    this.#variables = new VariablesValue(expressions.variables, inputs, budget, turn.isOver);
    this.#values = [...inputs, this.#variables];
    this.#budget = budget;
    this.#turn = turn;
  }

  /** One expression, and a turn for others when it has taken long. */
  *run(compiled: Compiled): Steps<Result> {
    return yield* this.#turn.through(this.#evaluated(compiled));
  }

  *#evaluated(compiled: Compiled): Steps<Result> {
    if (!compiled.ok)
      return { ok: false, message: `compilation error: ${compiled.message}`, cost: 0, isOverBudget: false };
    const result = yield* this.#withVariables(() =>
      compiled.program.inTurns(this.#values, Math.min(callCostMax, this.#budget.left), this.#turn.isOver),
    );
    this.#budget.left -= result.cost;
    if (this.#turn.isOver()) yield;
    if (result.ok || !result.isOverBudget) return result;
    const message = "validation failed due to running out of cost budget, no further validation rules will be run";
    return { ...result, message };
  }

  /** Does it; again each time when a variable that takes long was prepared for it, which happens once for each. */
  *#withVariables<T>(act: () => Steps<T>): Steps<T> {
    for (;;) {
      try {
        return yield* act();
      } catch (error) {
        if (!(error instanceof Postponed)) throw error;
        const { name } = error;
        yield;
        // It may read others first, all of which come before it in the policy.
        yield* this.#withVariables(() => this.#variables.prepare(name));
      }
    }
  }
}

export interface CompiledCondition {
  readonly name: string;
  readonly expression: string;
  readonly test: Compiled;
}

export function compileConditions(
  expressions: PolicyExpressions,
  conditions: readonly MatchCondition[] | undefined,
): readonly CompiledCondition[] {
  return (conditions ?? []).map(({ name, expression }) => ({
    name,
    expression,
    test: expressions.compile(expression, [bool]),
  }));
}

/** One that is false ends it, whatever is wrong with others; without one, an error counts. */
export function* conditionsHold(
  conditions: readonly CompiledCondition[],
  evaluation: PolicyEvaluation,
): Steps<ConditionsResult> {
  let error: string | undefined;
  for (const { expression, test } of conditions) {
    const result = yield* evaluation.run(test);
    if (!result.ok) error ??= `expression '${expression}' resulted in error: ${result.message}`;
    else if (result.value === false) return { holds: false };
  }
  return error === undefined ? { holds: true } : { error };
}
