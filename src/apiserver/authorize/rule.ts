import type { PolicyRule } from "#api/generated/rbac-v1.ts";
import type { Attributes } from "../authorizer.ts";

/** A rule made ready for asking: sets instead of lists, wildcards as flags. */
export interface CompiledRule {
  readonly rule: PolicyRule;
  /** Undefined: every verb. */
  readonly verbs: ReadonlySet<string> | undefined;
  readonly groups: ReadonlySet<string> | undefined;
  /** Plain names, `name/subresource` and any resource’s subresource; undefined: every resource and subresource. */
  readonly resources: ReadonlySet<string> | undefined;
  /** Undefined: every name. */
  readonly names: ReadonlySet<string> | undefined;
  readonly urls: readonly string[];
}

export function compileRule(rule: PolicyRule): CompiledRule {
  const unlessAll = (values: readonly string[] | undefined): ReadonlySet<string> | undefined =>
    values?.includes("*") === true ? undefined : new Set(values);
  return {
    rule,
    verbs: unlessAll(rule.verbs),
    groups: unlessAll(rule.apiGroups),
    resources: unlessAll(rule.resources),
    // A star is no wildcard among names.
    names:
      rule.resourceNames === undefined || rule.resourceNames.length === 0 ? undefined : new Set(rule.resourceNames),
    urls: rule.nonResourceURLs ?? [],
  };
}

/** Whether a rule allows what a request wants (Kubernetes: "Using RBAC Authorization"). */
export function ruleAllows(rule: CompiledRule, wanted: Attributes): boolean {
  if (rule.verbs !== undefined && !rule.verbs.has(wanted.verb)) return false;
  if (!wanted.isResource) return rule.urls.some((pattern) => urlMatches(pattern, wanted.path));
  if (rule.groups !== undefined && !rule.groups.has(wanted.group)) return false;
  if (rule.resources !== undefined && !resourceMatches(rule.resources, wanted.resource, wanted.subresource))
    return false;
  return rule.names === undefined || rule.names.has(wanted.name);
}

function resourceMatches(resources: ReadonlySet<string>, resource: string, subresource: string): boolean {
  if (subresource === "") return resources.has(resource);
  return resources.has(`${resource}/${subresource}`) || resources.has(`*/${subresource}`);
}

/** A pattern is a path, `*`, or a prefix that ends with a star. */
export function urlMatches(pattern: string, path: string): boolean {
  if (pattern.endsWith("*")) return path.startsWith(pattern.slice(0, -1));
  return pattern === path;
}
