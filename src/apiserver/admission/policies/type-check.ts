import type {
  ExpressionWarning,
  NamedRuleWithOperations,
  ValidatingAdmissionPolicy,
} from "#api/generated/admissionregistration-v1.ts";
import { bool, nullType, string, type Type } from "#cel/types.ts";
import type { Registry, Served } from "../../registry.ts";
import { PolicyExpressions } from "./compile.ts";
import { typeWarningsMax } from "./limits.ts";
import { typeOfStruct } from "./struct-types.ts";

/** Kinds that one policy is checked against. */
const kindsMax = 10;

/** What is wrong with a policy's expressions for the kinds that its rules name without stars. */
export function typeWarnings(policy: ValidatingAdmissionPolicy, registry: Registry): ExpressionWarning[] {
  const byField = new Map<string, string[]>();
  for (const served of kindsOf(policy, registry)) {
    for (const { fieldRef, warning } of warningsFor(policy, served)) {
      const found = byField.get(fieldRef);
      if (found === undefined) byField.set(fieldRef, [warning]);
      else found.push(warning);
    }
  }
  return [...byField].slice(0, typeWarningsMax).map(([fieldRef, all]) => ({ fieldRef, warning: all.join("\n") }));
}

function kindsOf({ spec }: ValidatingAdmissionPolicy, registry: Registry): Served[] {
  const found = new Set<Served>();
  for (const rule of spec.matchConstraints?.resourceRules ?? []) {
    for (const served of kindsOfRule(rule, registry)) found.add(served);
  }
  return [...found].slice(0, kindsMax);
}

function* kindsOfRule(rule: NamedRuleWithOperations, registry: Registry): Iterable<Served> {
  for (const group of rule.apiGroups ?? []) {
    for (const version of rule.apiVersions ?? []) {
      for (const resource of rule.resources ?? []) {
        const served = registry.find(group === "" ? version : `${group}/${version}`, resource);
        if (served !== undefined) yield served;
      }
    }
  }
}

function warningsFor({ spec }: ValidatingAdmissionPolicy, served: Served): ExpressionWarning[] {
  const object = typeOfStruct(served.schema);
  const expressions = new PolicyExpressions(spec.variables ?? [], { isMutating: false, object });
  const title = `${served.apiVersion}, Kind=${served.resource.kind}`;
  const warnings: ExpressionWarning[] = [];
  const check = (fieldRef: string, expression: string | undefined, expected: readonly Type[]): void => {
    if (expression === undefined || expression === "") return;
    const compiled = expressions.compile(expression, expected);
    if (!compiled.ok) warnings.push({ fieldRef, warning: `${title}: ${compiled.message}` });
  };
  spec.variables?.forEach(({ name }, index) => {
    const compiled = expressions.variables.get(name);
    if (compiled?.ok === false)
      warnings.push({ fieldRef: `spec.variables[${index}].expression`, warning: `${title}: ${compiled.message}` });
  });
  spec.validations?.forEach(({ expression, messageExpression }, index) => {
    check(`spec.validations[${index}].expression`, expression, [bool]);
    check(`spec.validations[${index}].messageExpression`, messageExpression, [string]);
  });
  spec.matchConditions?.forEach(({ expression }, index) =>
    check(`spec.matchConditions[${index}].expression`, expression, [bool]),
  );
  spec.auditAnnotations?.forEach(({ valueExpression }, index) =>
    check(`spec.auditAnnotations[${index}].valueExpression`, valueExpression, [string, nullType]),
  );
  return warnings;
}
