import type { RuleWithOperations } from "#api/generated/admissionregistration-v1.ts";
import type { Namespace } from "#api/generated/core-v1.ts";
import { namespaces } from "#api/generated/resources.ts";
import type { LabelSelector } from "#api/generated/meta-v1.ts";
import type { ApiObject } from "#api/kind.ts";
import type { Resource } from "#api/resource.ts";
import { isEmptySelector } from "#api/validation/label-selector.ts";
import { selectorOfObject } from "#api/selectors.ts";
import type { AdmissionRequest } from "../../admission.ts";
import { getStored } from "../../authorize/stored.ts";
import type { ObjectReader } from "../../object-reader.ts";

/** What decides whether a webhook or a policy is asked at all. */
export interface Matching {
  readonly rules?: readonly RuleWithOperations[];
  readonly matchPolicy?: string;
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
}

const exempt: ReadonlySet<string> = new Set([
  "validatingwebhookconfigurations",
  "mutatingwebhookconfigurations",
  "validatingadmissionpolicies",
  "validatingadmissionpolicybindings",
  "mutatingadmissionpolicies",
  "mutatingadmissionpolicybindings",
]);

/** What configures admission is never judged by it: otherwise a wrong webhook could not be removed. */
export function isExempt({ group, resource }: AdmissionRequest): boolean {
  return group === "admissionregistration.k8s.io" && exempt.has(resource);
}

/** The version of the request's resource that a webhook wants to see; undefined: it is not asked. */
export function matchedResource(
  request: AdmissionRequest,
  matching: Matching,
  objects: ObjectReader,
): Resource<unknown> | undefined {
  const found = byRules(request, matching);
  if (found === undefined) return undefined;
  if (!namespaceMatches(request, matching.namespaceSelector, objects)) return undefined;
  return objectMatches(request, matching.objectSelector) ? found : undefined;
}

function byRules(request: AdmissionRequest, { rules = [], matchPolicy }: Matching): Resource<unknown> | undefined {
  const own = request.kind.versions.find(
    ({ group, version, resource }) =>
      group === request.group && version === request.version && resource === request.resource,
  );
  const asked = own ?? { ...request.kind.storage, group: request.group, version: request.version };
  if (rules.some((rule) => ruleMatches(rule, request, asked))) return asked;
  if (matchPolicy === "Exact") return undefined;
  return request.kind.versions.find((other) => rules.some((rule) => ruleMatches(rule, request, other)));
}

function ruleMatches(rule: RuleWithOperations, request: AdmissionRequest, resource: Resource<unknown>): boolean {
  return (
    has(rule.operations, request.operation) &&
    has(rule.apiGroups, resource.group) &&
    has(rule.apiVersions, resource.version) &&
    scopeMatches(rule.scope, request) &&
    (rule.resources ?? []).some((wanted) => resourceMatches(wanted, resource.resource, request.subresource))
  );
}

function has(list: readonly string[] | undefined, value: string): boolean {
  return list !== undefined && (list.includes("*") || list.includes(value));
}

function scopeMatches(scope: string | undefined, { namespace, group, resource }: AdmissionRequest): boolean {
  if (scope === undefined || scope === "*") return true;
  const isNamespaced = namespace !== "" && !(group === "" && resource === "namespaces");
  return (scope === "Namespaced") === isNamespaced;
}

/** `pods`, `pods/exec`, `pods/*`, `*`, `*` with a subresource: a part with a subresource matches only such. */
function resourceMatches(wanted: string, resource: string, subresource: string): boolean {
  const slash = wanted.indexOf("/");
  const wantedResource = slash === -1 ? wanted : wanted.slice(0, slash);
  const wantedSubresource = slash === -1 ? "" : wanted.slice(slash + 1);
  return (
    (wantedResource === "*" || wantedResource === resource) &&
    (wantedSubresource === subresource || wantedSubresource === "*")
  );
}

function namespaceMatches(
  request: AdmissionRequest,
  selector: LabelSelector | undefined,
  objects: ObjectReader,
): boolean {
  if (selector === undefined || isEmptySelector(selector)) return true;
  const isNamespace = request.group === "" && request.resource === "namespaces";
  if (isNamespace) {
    return selectorOfObject(selector).matches((request.object ?? request.oldObject)?.metadata.labels);
  }
  if (request.namespace === "") return true;
  const namespace = getStored<Namespace>(objects, namespaces, undefined, request.namespace);
  return selectorOfObject(selector).matches(namespace?.metadata?.labels);
}

function objectMatches(request: AdmissionRequest, selector: LabelSelector | undefined): boolean {
  if (selector === undefined || isEmptySelector(selector)) return true;
  const compiled = selectorOfObject(selector);
  const matches = (object: ApiObject | undefined): boolean =>
    object !== undefined && compiled.matches(object.metadata?.labels);
  return matches(request.object) || matches(request.oldObject);
}
