import type {
  MatchResources,
  MutatingAdmissionPolicyBinding,
  NamedRuleWithOperations,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicyBinding,
} from "#api/generated/admissionregistration-v1.ts";
import type { ApiObject } from "#api/kind.ts";
import type { Resource } from "#api/resource.ts";
import { selectorOfObject } from "#api/selectors.ts";
import type { AdmissionRequest } from "../../admission.ts";
import type { ObjectReader } from "../../object-reader.ts";
import { matchedResource, type Matching } from "../webhooks/match.ts";
import { paramsMax } from "./limits.ts";

export type Binding = ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding;

/** The resource that a policy or binding sees of a request; undefined when it does not care. Without rules: any. */
export function matched(
  request: AdmissionRequest,
  match: MatchResources | undefined,
  objects: ObjectReader,
): Resource<unknown> | undefined {
  if (match === undefined) return matchedResource(request, { rules: anything }, objects);
  const { resourceRules = [], excludeResourceRules = [], ...rest } = match;
  const named = (rules: readonly NamedRuleWithOperations[]): NamedRuleWithOperations[] =>
    rules.filter(({ resourceNames = [] }) => resourceNames.length === 0 || resourceNames.includes(request.name));
  const excluded = named(excludeResourceRules);
  const matchPolicy = match.matchPolicy ?? "Equivalent";
  if (excluded.length > 0 && matchedResource(request, { rules: excluded, matchPolicy }, objects) !== undefined)
    return undefined;
  const rules = resourceRules.length === 0 ? anything : named(resourceRules);
  const matching: Matching = { rules, matchPolicy, ...selectorsOf(rest) };
  return matchedResource(request, matching, objects);
}

function selectorsOf({
  namespaceSelector,
  objectSelector,
}: MatchResources): Pick<Matching, "namespaceSelector" | "objectSelector"> {
  return {
    ...(namespaceSelector !== undefined && { namespaceSelector }),
    ...(objectSelector !== undefined && { objectSelector }),
  };
}

const anything: NamedRuleWithOperations[] = [
  { operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*", "*/*"] },
];

export type Params =
  | { readonly ok: true; readonly all: readonly (ApiObject | undefined)[] }
  | { readonly ok: false; readonly problem: string };

/** The parameters for each of which a policy is evaluated; `undefined` among them: once without. None: not at all. */
export function paramsOf(
  request: AdmissionRequest,
  kind: ParamKind | undefined,
  ref: ParamRef | undefined,
  objects: ObjectReader,
): Params {
  if (kind === undefined || ref === undefined) return { ok: true, all: [undefined] };
  const served = request.origin?.registry.findKind(kind.apiVersion ?? "", kind.kind ?? "");
  if (served === undefined) {
    return {
      ok: false,
      problem: `failed to configure policy: failed to find resource referenced by paramKind: '${kind.apiVersion}, Kind=${kind.kind}'`,
    };
  }
  const { resource } = served;
  const namespace = resource.namespaced ? (ref.namespace ?? request.namespace) : undefined;
  if (!resource.namespaced && ref.namespace !== undefined && ref.namespace !== "") {
    return {
      ok: false,
      problem: "failed to configure binding: paramRef.namespace must not be provided for a cluster-scoped `paramKind`",
    };
  }
  if (namespace === "") {
    return {
      ok: false,
      problem:
        "failed to configure binding: cannot use namespaced paramRef in policy binding that matches cluster-scoped resources",
    };
  }
  const found = find(objects, resource, namespace, ref);
  if (found.length > 0) return { ok: true, all: found.slice(0, paramsMax) };
  if (ref.parameterNotFoundAction === "Allow") return { ok: true, all: [] };
  return {
    ok: false,
    problem: "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction",
  };
}

function find(
  objects: ObjectReader,
  resource: Resource<unknown>,
  namespace: string | undefined,
  ref: ParamRef,
): readonly ApiObject[] {
  if (ref.name !== undefined && ref.name !== "") {
    const one = objects.get(resource, namespace, ref.name);
    return one === undefined ? [] : [one];
  }
  const all = objects.list(resource, namespace);
  if (ref.selector === undefined) return all;
  const selector = selectorOfObject(ref.selector);
  return all.filter(({ metadata }) => selector.matches(metadata.labels));
}
