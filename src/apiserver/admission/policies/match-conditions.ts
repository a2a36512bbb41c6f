import type { MatchCondition } from "#api/generated/admissionregistration-v1.ts";
import type { MatchConditions } from "../webhooks/conditions.ts";
import {
  compileConditions,
  conditionsHold,
  PolicyEvaluation,
  PolicyExpressions,
  type CompiledCondition,
} from "./compile.ts";
import { Inputs, type PolicyParts } from "./inputs.ts";
import { conditionsCostMax, conditionsMax } from "./limits.ts";
import { Turn } from "../../turns.ts";

interface Remembered {
  readonly expressions: PolicyExpressions;
  readonly conditions: readonly CompiledCondition[];
}

/** Evaluates the match conditions of webhooks. What was compiled is remembered by its text. */
export function matchConditions(parts: PolicyParts): MatchConditions {
  const known = new Map<string, Remembered>();
  const compiled = (conditions: readonly MatchCondition[]): Remembered => {
    const key = JSON.stringify(conditions);
    const found = known.get(key);
    if (found !== undefined) return found;
    const expressions = new PolicyExpressions([], { isMutating: false });
    const made = { expressions, conditions: compileConditions(expressions, conditions) };
    if (conditionsMax <= known.size) known.clear();
    known.set(key, made);
    return made;
  };
  return function* (conditions, request, seen) {
    const { expressions, conditions: tests } = compiled(conditions);
    const inputs = new Inputs(parts, request, { resource: request.kind.storage, ...seen });
    const budget = { left: conditionsCostMax };
    const turn = new Turn(parts.clock);
    return yield* conditionsHold(tests, new PolicyEvaluation(expressions, inputs.values(undefined), budget, turn));
  };
}
