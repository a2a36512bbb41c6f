import type {
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  Subject,
} from "#api/generated/flowcontrol-v1.ts";
import type { RequestInfo } from "../stages/route.ts";
import type { User } from "../user.ts";

/** The schemas in the order in which they are asked: by precedence, then by name. */
export function inOrder(schemas: readonly FlowSchema[]): FlowSchema[] {
  return [...schemas].sort(
    (left, right) =>
      left.spec.matchingPrecedence - right.spec.matchingPrecedence ||
      ((left.metadata.name ?? "") < (right.metadata.name ?? "") ? -1 : 1),
  );
}

/** A schema with those of its rules that concern a user. */
export interface SchemaOfUser {
  readonly schema: FlowSchema;
  readonly rules: readonly PolicyRulesWithSubjects[];
}

/** The schemas that concern a user at all, in their order: the same for all that the user asks. */
export function schemasOf(schemas: readonly FlowSchema[], user: User): SchemaOfUser[] {
  return schemas.flatMap((schema): SchemaOfUser[] => {
    const rules = (schema.spec.rules ?? []).filter((rule) =>
      rule.subjects.some((subject) => subjectMatches(subject, user)),
    );
    return rules.length === 0 ? [] : [{ schema, rules }];
  });
}

/** The first of a user's schemas that a request belongs to. */
export function classify(schemas: readonly SchemaOfUser[], info: RequestInfo): FlowSchema | undefined {
  for (const { schema, rules } of schemas) {
    for (const rule of rules) if (ruleMatches(rule, info)) return schema;
  }
  return undefined;
}

/** What parts a schema's requests into flows that share fairly. */
export function flowOf({ spec }: FlowSchema, info: RequestInfo, user: User): string {
  if (spec.distinguisherMethod?.type === "ByUser") return user.name;
  return spec.distinguisherMethod?.type === "ByNamespace" ? info.namespace : "";
}

function ruleMatches(rule: PolicyRulesWithSubjects, info: RequestInfo): boolean {
  return info.isResource
    ? rule.resourceRules?.some((each) => resourceMatches(each, info)) === true
    : rule.nonResourceRules?.some((each) => pathMatches(each, info)) === true;
}

const accountPrefix = "system:serviceaccount:";

function subjectMatches(subject: Subject, user: User): boolean {
  switch (subject.kind) {
    case "User":
      return subject.user?.name === "*" || subject.user?.name === user.name;
    case "Group":
      return subject.group?.name === "*" || user.groups.includes(subject.group?.name ?? "");
    case "ServiceAccount": {
      if (!user.name.startsWith(accountPrefix)) return false;
      const [namespace, name] = user.name.slice(accountPrefix.length).split(":", 2);
      const wanted = subject.serviceAccount;
      return wanted?.namespace === namespace && (wanted?.name === "*" || wanted?.name === name);
    }
    default:
      return false;
  }
}

function has(list: readonly string[], value: string): boolean {
  return list.includes("*") || list.includes(value);
}

function resourceMatches(rule: ResourcePolicyRule, info: RequestInfo): boolean {
  const resource = info.subresource === "" ? info.resource : `${info.resource}/${info.subresource}`;
  return (
    has(rule.verbs, info.verb) &&
    has(rule.apiGroups, info.group) &&
    has(rule.resources, resource) &&
    (info.namespace === "" ? rule.clusterScope === true : has(rule.namespaces ?? [], info.namespace))
  );
}

function pathMatches(rule: NonResourcePolicyRule, { verb, path }: RequestInfo): boolean {
  return (
    has(rule.verbs, verb) &&
    rule.nonResourceURLs.some(
      (url) => url === "*" || url === path || (url.endsWith("/*") && path.startsWith(url.slice(0, -1))),
    )
  );
}
