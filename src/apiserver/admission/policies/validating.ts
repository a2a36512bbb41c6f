import type {
  AuditAnnotation,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  Validation,
} from "#api/generated/admissionregistration-v1.ts";
import { validatingadmissionpolicies, validatingadmissionpolicybindings } from "#api/generated/resources.ts";
import type { Compiled } from "#cel/program.ts";
import { bool, nullType, string } from "#cel/types.ts";
import type { AdmissionPlugin, AdmissionRequest, Verdict } from "../../admission.ts";
import { getStored, listStored } from "../../authorize/stored.ts";
import { allow } from "../request.ts";
import { whenAnswered } from "./answers.ts";
import { isExempt } from "../webhooks/match.ts";
import { matched, paramsOf } from "./bindings.ts";
import {
  compileConditions,
  conditionsHold,
  PolicyEvaluation,
  PolicyExpressions,
  type CompiledCondition,
} from "./compile.ts";
import { CompiledPolicies } from "./compiled-policies.ts";
import { Inputs, seenObjects, type PolicyParts } from "./inputs.ts";
import { annotationLengthMax, messageLengthMax, policyCostMax } from "./limits.ts";
import { Outcomes, type Problem } from "./outcomes.ts";
import { Turn, type Steps } from "../../turns.ts";

interface CompiledPolicy {
  readonly expressions: PolicyExpressions;
  readonly conditions: readonly CompiledCondition[];
  readonly validations: readonly {
    readonly validation: Validation;
    readonly test: Compiled;
    readonly message: Compiled | undefined;
  }[];
  readonly annotations: readonly { readonly annotation: AuditAnnotation; readonly value: Compiled }[];
}

function compilePolicy({ spec }: ValidatingAdmissionPolicy): CompiledPolicy {
  const expressions = new PolicyExpressions(spec.variables ?? [], { isMutating: false });
  return {
    expressions,
    conditions: compileConditions(expressions, spec.matchConditions),
    validations: (spec.validations ?? []).map((validation) => ({
      validation,
      test: expressions.compile(validation.expression, [bool]),
      message: validation.messageExpression ? expressions.compile(validation.messageExpression, [string]) : undefined,
    })),
    annotations: (spec.auditAnnotations ?? []).map((annotation) => ({
      annotation,
      value: expressions.compile(annotation.valueExpression, [string, nullType]),
    })),
  };
}

/** Judges requests by the validating policies that bindings bring into force. */
export function validatingPolicies(parts: PolicyParts): AdmissionPlugin {
  const compiled = new CompiledPolicies(compilePolicy);
  return {
    name: "ValidatingAdmissionPolicy",
    validate(request) {
      const bindings = listStored<ValidatingAdmissionPolicyBinding>(parts.objects, validatingadmissionpolicybindings);
      if (bindings.length === 0 || isExempt(request)) return allow;
      return whenAnswered(() => judgeAll(parts, request, bindings, compiled), parts.timers);
    },
  };
}

type Compiler = CompiledPolicies<ValidatingAdmissionPolicy, CompiledPolicy>;

/** What all bindings say; others get their turn between the expressions. */
function* judgeAll(
  parts: PolicyParts,
  request: AdmissionRequest,
  bindings: readonly ValidatingAdmissionPolicyBinding[],
  compiled: Compiler,
): Steps<Verdict> {
  const outcomes = new Outcomes(request);
  const turn = new Turn(parts.clock);
  for (const binding of bindings) yield* judge({ ...parts, turn }, request, binding, compiled, outcomes);
  return outcomes.verdict();
}

function* judge(
  parts: PolicyParts & { readonly turn: Turn },
  request: AdmissionRequest,
  binding: ValidatingAdmissionPolicyBinding,
  compiled: Compiler,
  outcomes: Outcomes,
): Steps<void> {
  const policy = getStored<ValidatingAdmissionPolicy>(
    parts.objects,
    validatingadmissionpolicies,
    undefined,
    binding.spec.policyName ?? "",
  );
  if (policy === undefined) return;
  const resource = matched(request, policy.spec.matchConstraints, parts.objects);
  if (resource === undefined || matched(request, binding.spec.matchResources, parts.objects) === undefined) return;
  const names = { policy: policy.metadata.name ?? "", binding: binding.metadata.name ?? "" };
  const actions = binding.spec.validationActions ?? [];
  const report = (problem: Problem): void => outcomes.add(names, actions, problem);
  const failure = (message: string): void => {
    if (policy.spec.failurePolicy !== "Ignore") report({ message, reason: "Invalid", index: 0 });
  };
  const params = paramsOf(request, policy.spec.paramKind, binding.spec.paramRef, parts.objects);
  if (!params.ok) {
    failure(params.problem);
    return;
  }
  const inputs = new Inputs(parts, request, seenObjects(request, resource));
  const made = compiled.of(policy);
  for (const param of params.all) {
    const budget = { left: policyCostMax };
    const evaluation = new PolicyEvaluation(made.expressions, inputs.values(param), budget, parts.turn);
    const conditions = yield* conditionsHold(made.conditions, evaluation);
    if ("error" in conditions) failure(conditions.error);
    else if (conditions.holds) {
      yield* validate(made, evaluation, report, failure);
      yield* annotate(made, evaluation, names.policy, outcomes, failure);
    }
  }
}

function* validate(
  { validations }: CompiledPolicy,
  evaluation: PolicyEvaluation,
  report: (problem: Problem) => void,
  failure: (message: string) => void,
): Steps<void> {
  for (const [index, { validation, test, message }] of validations.entries()) {
    const result = yield* evaluation.run(test);
    if (!result.ok) {
      failure(`expression '${validation.expression}' resulted in error: ${result.message}`);
      if (result.isOverBudget) return;
    } else if (result.value !== true) {
      const text =
        (yield* messageOf(message, evaluation)) ??
        (validation.message?.trim() || `failed expression: ${validation.expression.trim()}`);
      report({ message: text, reason: validation.reason ?? "Invalid", index });
    }
  }
}

/** The message that an expression makes, when it is a good one. */
function* messageOf(message: Compiled | undefined, evaluation: PolicyEvaluation): Steps<string | undefined> {
  if (message === undefined) return undefined;
  const result = yield* evaluation.run(message);
  if (!result.ok || typeof result.value !== "string") return undefined;
  const text = result.value.trim();
  return text === "" || text.includes("\n") || messageLengthMax < text.length ? undefined : text;
}

function* annotate(
  { annotations }: CompiledPolicy,
  evaluation: PolicyEvaluation,
  policy: string,
  outcomes: Outcomes,
  failure: (message: string) => void,
): Steps<void> {
  for (const { annotation, value } of annotations) {
    const result = yield* evaluation.run(value);
    if (!result.ok) failure(`expression '${annotation.valueExpression}' resulted in error: ${result.message}`);
    else if (typeof result.value === "string" && result.value.trim() !== "")
      outcomes.annotate(`${policy}/${annotation.key}`, result.value.trim().slice(0, annotationLengthMax));
  }
}
