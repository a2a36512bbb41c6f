import type {
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  Mutation,
} from "#api/generated/admissionregistration-v1.ts";
import { mutatingadmissionpolicies, mutatingadmissionpolicybindings } from "#api/generated/resources.ts";
import type { ApiObject } from "#api/kind.ts";
import { apiVersionOf, type Resource } from "#api/resource.ts";
import { EvaluationFailure } from "#cel/failure.ts";
import { toJson } from "#cel/json.ts";
import type { Compiled } from "#cel/program.ts";
import { dyn, list } from "#cel/types.ts";
import type { Value } from "#cel/value.ts";
import { decode } from "#codec/decode.ts";
import { PlainRecord } from "#codec/record.ts";
import type { AdmissionPlugin, AdmissionRequest, Verdict } from "../../admission.ts";
import { getStored, listStored } from "../../authorize/stored.ts";
import { toStorage } from "../../objects/convert.ts";
import { applyJsonPatch } from "../../patch/json-patch.ts";
import { semanticallyEqual } from "#api/validation/immutable.ts";
import { allow } from "../request.ts";
import { whenAnswered } from "./answers.ts";
import { isExempt } from "../webhooks/match.ts";
import { applyConfiguration, ApplyProblem } from "./apply-configuration.ts";
import { matched, paramsOf } from "./bindings.ts";
import {
  compileConditions,
  conditionsHold,
  PolicyEvaluation,
  PolicyExpressions,
  type CompiledCondition,
} from "./compile.ts";
import { CompiledPolicies } from "./compiled-policies.ts";
import { mutationTypes, patchType } from "./environment.ts";
import { Inputs, seenObjects, type PolicyParts } from "./inputs.ts";
import { policyCostMax } from "./limits.ts";
import { Turn, type Steps } from "../../turns.ts";

interface CompiledPolicy {
  readonly expressions: PolicyExpressions;
  readonly conditions: readonly CompiledCondition[];
  readonly mutations: readonly { readonly mutation: Mutation; readonly made: Compiled }[];
}

function compilePolicy({ spec }: MutatingAdmissionPolicy): CompiledPolicy {
  const expressions = new PolicyExpressions(spec.variables ?? [], { isMutating: true });
  return {
    expressions,
    conditions: compileConditions(expressions, spec.matchConditions),
    mutations: (spec.mutations ?? []).map((mutation) => ({
      mutation,
      made:
        mutation.patchType === "JSONPatch"
          ? expressions.compile(mutation.jsonPatch?.expression ?? "", [list(patchType)])
          : expressions.compile(mutation.applyConfiguration?.expression ?? "", [mutationTypes[0] ?? dyn]),
    })),
  };
}

type Compiler = CompiledPolicies<MutatingAdmissionPolicy, CompiledPolicy>;

/** A policy that may run again when a later step has changed the object, with the state that it left behind. */
type Seen = Map<string, ApiObject>;

/** Changes objects as the mutating policies say that bindings bring into force, in the order of the policies' names. */
export function mutatingPolicies(parts: PolicyParts): AdmissionPlugin {
  const compiled: Compiler = new CompiledPolicies(compilePolicy);
  const seenOf = new WeakMap<AdmissionRequest, Seen>();
  return {
    name: "MutatingAdmissionPolicy",
    mutate(request) {
      if (request.object === undefined) return allow;
      const all = listStored<MutatingAdmissionPolicyBinding>(parts.objects, mutatingadmissionpolicybindings);
      if (all.length === 0 || isExempt(request)) return allow;
      const bindings = all.toSorted((left, right) =>
        (left.spec.policyName ?? "") < (right.spec.policyName ?? "") ? -1 : 1,
      );
      const { object } = request;
      const before = seenOf.get(request);
      function* steps(): Steps<Verdict> {
        request.object = object;
        const seen: Seen = new Map(before);
        seenOf.set(request, seen);
        const all = { ...parts, turn: new Turn(parts.clock) };
        const first =
          request.isReinvocation === true ? allow : yield* round(all, request, bindings, compiled, seen, false);
        // One more turn for those that want to see what others did after them.
        return first.allowed ? yield* round(all, request, bindings, compiled, seen, true) : first;
      }
      return whenAnswered(steps, parts.timers);
    },
  };
}

type TurnParts = PolicyParts & { readonly turn: Turn };

function* round(
  parts: TurnParts,
  request: AdmissionRequest,
  bindings: readonly MutatingAdmissionPolicyBinding[],
  compiled: Compiler,
  seen: Seen,
  isAgain: boolean,
): Steps<Verdict> {
  for (const binding of bindings) {
    const id = binding.metadata.name ?? "";
    const left = seen.get(id);
    if (isAgain && (left === undefined || semanticallyEqual(left, request.object))) continue;
    const policy = getStored<MutatingAdmissionPolicy>(
      parts.objects,
      mutatingadmissionpolicies,
      undefined,
      binding.spec.policyName ?? "",
    );
    if (policy === undefined) continue;
    const problem = yield* mutate(parts, request, policy, binding, compiled);
    if (problem !== undefined && policy.spec.failurePolicy !== "Ignore")
      return denied(request, policy, binding, problem);
    if (policy.spec.reinvocationPolicy === "IfNeeded" && request.object !== undefined) seen.set(id, request.object);
  }
  return allow;
}

/** Undefined when all went well, or the policy does not care. */
function* mutate(
  parts: TurnParts,
  request: AdmissionRequest,
  policy: MutatingAdmissionPolicy,
  binding: MutatingAdmissionPolicyBinding,
  compiled: Compiler,
): Steps<string | undefined> {
  const resource = matched(request, policy.spec.matchConstraints, parts.objects);
  if (resource === undefined || matched(request, binding.spec.matchResources, parts.objects) === undefined)
    return undefined;
  const params = paramsOf(request, policy.spec.paramKind, binding.spec.paramRef, parts.objects);
  if (!params.ok) return params.problem;
  const { expressions, conditions, mutations } = compiled.of(policy);
  const budget = { left: policyCostMax };
  for (const param of params.all) {
    for (const [index, { mutation, made }] of mutations.entries()) {
      // Each change is made with what the one before has left.
      const inputs = new Inputs(parts, request, seenObjects(request, resource));
      const evaluation = new PolicyEvaluation(expressions, inputs.values(param), budget, parts.turn);
      if (index === 0) {
        const result = yield* conditionsHold(conditions, evaluation);
        if ("error" in result) return result.error;
        if (!result.holds) break;
      }
      const result = yield* evaluation.run(made);
      if (!result.ok) return `expression '${expressionOf(mutation)}' resulted in error: ${result.message}`;
      const problem = change(request, resource, mutation, inputs.object, result.value);
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
}

function expressionOf({ applyConfiguration: applied, jsonPatch }: Mutation): string {
  return applied?.expression ?? jsonPatch?.expression ?? "";
}

/** Puts the changed object, decoded and with defaults, into the request. */
function change(
  request: AdmissionRequest,
  resource: Resource<unknown>,
  mutation: Mutation,
  object: unknown,
  made: Value,
): string | undefined {
  const registry = request.origin?.registry;
  const served = registry?.find(apiVersionOf(resource), resource.resource);
  if (registry === undefined || served === undefined) return "the kind of the object is not served";
  let changed: unknown;
  try {
    const data = toJson(made, () => new PlainRecord());
    if (mutation.patchType === "JSONPatch") {
      const patched = applyJsonPatch(object, data);
      if (!patched.ok) return `JSON Patch: ${patched.message}`;
      changed = patched.value;
    } else changed = applyConfiguration(served.schema, object, data);
  } catch (error) {
    if (error instanceof EvaluationFailure || error instanceof ApplyProblem) return error.message;
    throw error;
  }
  const decoded = decode(served.schema, changed, { defaults: true });
  const [error] = decoded.errors;
  if (error !== undefined) return error.message;
  const next = decoded.object as ApiObject;
  const { metadata } = request.object ?? {};
  if (
    typeof next.metadata !== "object" ||
    next.metadata.name !== metadata?.name ||
    next.metadata.namespace !== metadata?.namespace
  )
    return "a policy may not change the name or the namespace of an object";
  const stored = toStorage(served, registry.storageServed(served), next);
  served.kind.rules.defaults?.(stored);
  request.object = stored;
  return undefined;
}

function denied(
  { group, resource, name }: AdmissionRequest,
  policy: MutatingAdmissionPolicy,
  binding: MutatingAdmissionPolicyBinding,
  problem: string,
): Verdict {
  const what = group === "" ? resource : `${resource}.${group}`;
  const by = `policy '${policy.metadata.name}' with binding '${binding.metadata.name}' denied request: ${problem}`;
  const message = `${what} "${name}" is forbidden: ${by}`;
  return {
    allowed: false,
    isWhole: true,
    code: 422,
    reason: "Invalid",
    message,
    causes: [{ field: "", reason: "", message: by }],
  };
}
