import type {
  MatchCondition,
  MutatingAdmissionPolicySpec,
  ValidatingAdmissionPolicySpec,
  ValidatingWebhook,
} from "#api/generated/admissionregistration-v1.ts";
import type { FieldError } from "#api/kind.ts";
import { FieldErrors } from "#api/validation/field-errors.ts";
import type { Compiled } from "#cel/program.ts";
import { bool, dyn, list, nullType, string, type Type } from "#cel/types.ts";
import { isRecord } from "#codec/record.ts";
import { PolicyExpressions } from "./compile.ts";
import { mutationTypes, patchType } from "./environment.ts";

/**
 * What is wrong with the expressions of a policy or a webhook configuration, by the name of its resource. An expression that `old`
 * has as well is let through.
 */
export function expressionErrors(resource: string, object: unknown, old: unknown): FieldError[] {
  const checker = new ExpressionChecker(textsOf(old));
  switch (resource) {
    case "validatingadmissionpolicies":
      checker.validating((object as { spec: ValidatingAdmissionPolicySpec }).spec);
      break;
    case "mutatingadmissionpolicies":
      checker.mutating((object as { spec: MutatingAdmissionPolicySpec }).spec);
      break;
    case "validatingwebhookconfigurations":
    case "mutatingwebhookconfigurations": {
      const { webhooks } = object as { webhooks?: ValidatingWebhook[] };
      const expressions = new PolicyExpressions([], { isMutating: false });
      webhooks?.forEach(({ matchConditions }, index) =>
        checker.conditions(`webhooks[${index}].matchConditions`, expressions, matchConditions),
      );
    }
  }
  return checker.errors.list;
}

/** All texts in an object, among them its expressions. */
function textsOf(value: unknown, found = new Set<string>()): Set<string> {
  if (typeof value === "string") found.add(value);
  else if (Array.isArray(value)) for (const item of value) textsOf(item, found);
  else if (isRecord(value)) for (const item of Object.values(value)) textsOf(item, found);
  return found;
}

class ExpressionChecker {
  readonly errors = new FieldErrors();
  readonly #known: ReadonlySet<string>;

  constructor(known: ReadonlySet<string>) {
    this.#known = known;
  }

  validating(spec: ValidatingAdmissionPolicySpec): void {
    const expressions = this.#variables(spec.variables ?? [], false);
    this.conditions("spec.matchConditions", expressions, spec.matchConditions);
    spec.validations?.forEach(({ expression, messageExpression }, index) => {
      this.#check(`spec.validations[${index}].expression`, expressions, expression, [bool]);
      this.#check(`spec.validations[${index}].messageExpression`, expressions, messageExpression, [string]);
    });
    spec.auditAnnotations?.forEach(({ valueExpression }, index) =>
      this.#check(`spec.auditAnnotations[${index}].valueExpression`, expressions, valueExpression, [string, nullType]),
    );
  }

  mutating(spec: MutatingAdmissionPolicySpec): void {
    const expressions = this.#variables(spec.variables ?? [], true);
    this.conditions("spec.matchConditions", expressions, spec.matchConditions);
    spec.mutations?.forEach(({ applyConfiguration, jsonPatch }, index) => {
      const at = `spec.mutations[${index}]`;
      const applied = [mutationTypes[0] ?? dyn];
      this.#check(`${at}.applyConfiguration.expression`, expressions, applyConfiguration?.expression, applied);
      this.#check(`${at}.jsonPatch.expression`, expressions, jsonPatch?.expression, [list(patchType)]);
    });
  }

  conditions(field: string, expressions: PolicyExpressions, conditions: readonly MatchCondition[] | undefined): void {
    conditions?.forEach(({ expression }, index) =>
      this.#check(`${field}[${index}].expression`, expressions, expression, [bool]),
    );
  }

  #variables(variables: readonly { name: string; expression: string }[], isMutating: boolean): PolicyExpressions {
    const expressions = new PolicyExpressions(variables, { isMutating });
    variables.forEach(({ name, expression }, index) => {
      this.#report(`spec.variables[${index}].expression`, expression, expressions.variables.get(name));
    });
    return expressions;
  }

  #check(field: string, expressions: PolicyExpressions, text: string | undefined, expected: readonly Type[]): void {
    if (text === undefined || text.trim() === "" || this.#known.has(text)) return;
    this.#report(field, text, expressions.compile(text, expected));
  }

  #report(field: string, text: string, compiled: Compiled | undefined): void {
    if (compiled?.ok !== false || this.#known.has(text) || text.trim() === "") return;
    const isTyped = compiled.message.startsWith("must evaluate to");
    this.errors.invalid(field, text, isTyped ? compiled.message : `compilation failed: ${compiled.message}`);
  }
}
