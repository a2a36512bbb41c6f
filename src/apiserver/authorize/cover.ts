import type { PolicyRule } from "#api/generated/rbac-v1.ts";
import { simpleRulesMax } from "./limits.ts";
import { urlMatches } from "./rule.ts";

/** One permission: the smallest part of a rule. */
interface Permission {
  readonly verb: string;
  readonly group?: string;
  readonly resource?: string;
  /** Undefined: every name. */
  readonly name?: string | undefined;
  readonly url?: string;
}

/**
 * The rules among `wanted` of which `owned` does not give every part, each cut down to the missing part: what a user would
 * gain. Parts are single verbs, groups, resources and names, so that several owned rules may cover one wanted rule.
 */
export function uncoveredRules(owned: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  const out: PolicyRule[] = [];
  let parts = 0;
  for (const rule of wanted) {
    if (owned.some((own) => coversWhole(own, rule))) continue;
    for (const permission of permissionsOf(rule)) {
      // Judging a rule that is larger costs more than such a rule is worth: it counts as not covered.
      if (simpleRulesMax < ++parts) return [...out, rule];
      if (!owned.some((own) => covers(own, permission))) out.push(toRule(permission));
    }
  }
  return out;
}

/** The usual case, without taking the rule apart: one owned rule has everything. */
function coversWhole(own: PolicyRule, rule: PolicyRule): boolean {
  const has = (owned: readonly string[] | undefined, wanted: readonly string[] | undefined): boolean =>
    owned?.includes("*") === true || (wanted ?? []).every((value) => owned?.includes(value) === true);
  if (!has(own.verbs, rule.verbs)) return false;
  if ((rule.nonResourceURLs ?? []).length !== 0) {
    return (rule.resources ?? []).length === 0 && (rule.nonResourceURLs ?? []).every((url) => coversUrl(own, url));
  }
  if (!has(own.apiGroups, rule.apiGroups) || !has(own.resources, rule.resources)) return false;
  const ownNames = own.resourceNames ?? [];
  const names = rule.resourceNames ?? [];
  return ownNames.length === 0 || (names.length !== 0 && names.every((name) => ownNames.includes(name)));
}

function* permissionsOf(rule: PolicyRule): Generator<Permission> {
  const names: readonly (string | undefined)[] =
    (rule.resourceNames ?? []).length === 0 ? [undefined] : (rule.resourceNames ?? []);
  for (const verb of rule.verbs ?? []) {
    for (const url of rule.nonResourceURLs ?? []) yield { verb, url };
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        for (const name of names) yield { verb, group, resource, name };
      }
    }
  }
}

function covers(own: PolicyRule, wanted: Permission): boolean {
  const has = (values: readonly string[] | undefined, value: string): boolean =>
    values?.includes("*") === true || values?.includes(value) === true;
  if (!has(own.verbs, wanted.verb)) return false;
  if (wanted.url !== undefined) return coversUrl(own, wanted.url);
  if (!has(own.apiGroups, wanted.group ?? "")) return false;
  const resource = wanted.resource ?? "";
  const slash = resource.indexOf("/");
  const ofAny = slash === -1 ? undefined : `*${resource.slice(slash)}`;
  if (!has(own.resources, resource) && (ofAny === undefined || own.resources?.includes(ofAny) !== true)) return false;
  const names = own.resourceNames ?? [];
  return names.length === 0 || (wanted.name !== undefined && names.includes(wanted.name));
}

/** An owned pattern covers a wanted one when everything that the wanted one matches is matched. */
function coversUrl(own: PolicyRule, url: string): boolean {
  return (own.nonResourceURLs ?? []).some(
    (pattern) => pattern === url || (pattern.endsWith("*") && urlMatches(pattern, url)),
  );
}

function toRule({ verb, group, resource, name, url }: Permission): PolicyRule {
  if (url !== undefined) return { verbs: [verb], nonResourceURLs: [url] };
  const names = name === undefined ? {} : { resourceNames: [name] };
  return { verbs: [verb], apiGroups: [group ?? ""], resources: [resource ?? ""], ...names };
}
