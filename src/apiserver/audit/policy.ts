import { isRecord } from "#codec/record.ts";
import type { RequestInfo } from "../stages/route.ts";
import type { User } from "../user.ts";

export type Level = "None" | "Metadata" | "Request" | "RequestResponse";
export type AuditStage = "RequestReceived" | "ResponseStarted" | "ResponseComplete" | "Panic";

export interface ResourceRule {
  readonly group: string;
  readonly resources: readonly string[];
  readonly resourceNames: readonly string[];
}

export interface AuditRule {
  readonly level: Level;
  readonly users: readonly string[];
  readonly userGroups: readonly string[];
  readonly verbs: readonly string[];
  readonly resources: readonly ResourceRule[];
  readonly namespaces: readonly string[];
  readonly nonResourceURLs: readonly string[];
  readonly omitStages: readonly AuditStage[];
  /** Undefined: as the policy says. */
  readonly omitManagedFields?: boolean;
}

/** audit.k8s.io/v1 Policy: the first rule that matches says how much is written; none: nothing is. */
export interface AuditPolicy {
  readonly rules: readonly AuditRule[];
  readonly omitStages: readonly AuditStage[];
  /** Objects are written without `metadata.managedFields`. */
  readonly omitManagedFields?: boolean;
}

const policyFields: ReadonlySet<string> = new Set([
  ...["kind", "apiVersion", "metadata", "rules", "omitStages", "omitManagedFields"],
]);
const ruleFields: ReadonlySet<string> = new Set([
  ...["level", "users", "userGroups", "verbs", "resources", "namespaces", "nonResourceURLs", "omitStages"],
  "omitManagedFields",
]);

/** A field that nobody knows would silently match more than was meant. */
function unknownField(value: Readonly<Record<string, unknown>>, known: ReadonlySet<string>): string | undefined {
  return Object.keys(value).find((field) => !known.has(field));
}

const levels: ReadonlySet<unknown> = new Set(["None", "Metadata", "Request", "RequestResponse"]);
const stages: ReadonlySet<unknown> = new Set(["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]);

const anything: Omit<AuditRule, "level"> = {
  users: [],
  userGroups: [],
  verbs: [],
  resources: [],
  namespaces: [],
  nonResourceURLs: [],
  omitStages: [],
};
const writes = ["create", "update", "patch", "delete", "deletecollection"];
const questions = { resourceNames: [], resources: ["*"] };

/** Metadata of writes, nothing of reads; heartbeats, reports and questions are no writes that anybody looks for. */
export const defaultPolicy: AuditPolicy = {
  omitStages: ["RequestReceived"],
  rules: [
    {
      ...anything,
      level: "None",
      resources: [
        { group: "coordination.k8s.io", resources: ["leases"], resourceNames: [] },
        { group: "", resources: ["events", "nodes/status", "pods/status"], resourceNames: [] },
        { group: "events.k8s.io", resources: ["events"], resourceNames: [] },
        { group: "authentication.k8s.io", ...questions },
        { group: "authorization.k8s.io", ...questions },
      ],
    },
    { ...anything, level: "Metadata", verbs: writes, resources: [{ group: "*", ...questions }] },
    {
      ...anything,
      level: "Metadata",
      resources: [{ group: "", resources: ["pods/exec", "pods/attach"], resourceNames: [] }],
    },
  ],
};

/** Reads a policy document; a text says what is wrong with it. */
export function readPolicy(document: unknown): AuditPolicy | string {
  if (!isRecord(document) || document.kind !== "Policy" || document.apiVersion !== "audit.k8s.io/v1")
    return "it is no Policy of audit.k8s.io/v1";
  if (!Array.isArray(document.rules) || document.rules.length === 0) return "it has no rules";
  const odd = unknownField(document, policyFields);
  if (odd !== undefined) return `it has the unknown field ${odd}`;
  const rules: AuditRule[] = [];
  for (const [index, rule] of document.rules.entries()) {
    if (!isRecord(rule) || !levels.has(rule.level)) return `rules[${index}].level is none of ${[...levels].join(", ")}`;
    const oddInRule = unknownField(rule, ruleFields);
    if (oddInRule !== undefined) return `rules[${index}] has the unknown field ${oddInRule}`;
    const omitStages = textsOf(rule.omitStages);
    const wrong = omitStages.find((stage) => !stages.has(stage));
    if (wrong !== undefined) return `rules[${index}].omitStages names ${wrong}, which is no stage`;
    const resources = Array.isArray(rule.resources) ? rule.resources.filter(isRecord) : [];
    const nonResourceURLs = textsOf(rule.nonResourceURLs);
    if (resources.length > 0 && nonResourceURLs.length > 0) return `rules[${index}] names both resources and paths`;
    rules.push({
      level: rule.level as Level,
      users: textsOf(rule.users),
      userGroups: textsOf(rule.userGroups),
      verbs: textsOf(rule.verbs),
      namespaces: textsOf(rule.namespaces),
      nonResourceURLs,
      omitStages: omitStages as AuditStage[],
      ...(typeof rule.omitManagedFields === "boolean" && { omitManagedFields: rule.omitManagedFields }),
      resources: resources.map((each) => ({
        group: typeof each.group === "string" ? each.group : "",
        resources: textsOf(each.resources),
        resourceNames: textsOf(each.resourceNames),
      })),
    });
  }
  return {
    rules,
    omitStages: textsOf(document.omitStages).filter((stage): stage is AuditStage => stages.has(stage)),
    omitManagedFields: document.omitManagedFields === true,
  };
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : [];
}

export interface Decision {
  readonly level: Level;
  readonly omitStages: readonly AuditStage[];
  readonly omitManagedFields: boolean;
}

const nothing: Decision = { level: "None", omitStages: [], omitManagedFields: false };

/** How much a policy wants to know of a request. */
export function decide(policy: AuditPolicy, info: RequestInfo, user: User): Decision {
  const words = wordsFor(info);
  const rule = policy.rules.find((each) => matches(each, info, words, user));
  if (rule === undefined || rule.level === "None") return nothing;
  const omitStages = [...policy.omitStages, ...rule.omitStages];
  const omitManagedFields = rule.omitManagedFields ?? policy.omitManagedFields === true;
  return { level: isSecret(info) ? "Metadata" : rule.level, omitStages, omitManagedFields };
}

/** All that a rule may say for the resource of a request. */
function wordsFor({ resource, subresource }: RequestInfo): readonly string[] {
  return subresource === ""
    ? ["*", resource]
    : ["*", `${resource}/${subresource}`, `${resource}/*`, `*/${subresource}`];
}

/** What must never be written down, whatever a policy asks for: the values of Secrets, and tokens. */
function isSecret({ group, resource, subresource }: RequestInfo): boolean {
  if (group === "authentication.k8s.io") return resource === "tokenreviews";
  return group === "" && (resource === "secrets" || (resource === "serviceaccounts" && subresource === "token"));
}

function matches(rule: AuditRule, info: RequestInfo, words: readonly string[], user: User): boolean {
  if (rule.verbs.length > 0 && !rule.verbs.includes(info.verb)) return false;
  if (rule.users.length > 0 && !rule.users.includes(user.name)) return false;
  if (rule.userGroups.length > 0 && !rule.userGroups.some((group) => user.groups.includes(group))) return false;
  if (rule.resources.length > 0 || rule.namespaces.length > 0) {
    if (!info.isResource) return false;
    if (rule.namespaces.length > 0 && !rule.namespaces.includes(info.namespace)) return false;
    return rule.resources.length === 0 || rule.resources.some((each) => resourceMatches(each, info, words));
  }
  if (rule.nonResourceURLs.length > 0)
    return !info.isResource && rule.nonResourceURLs.some((url) => pathMatches(url, info.path));
  return true;
}

function resourceMatches(
  { group, resources, resourceNames }: ResourceRule,
  info: RequestInfo,
  words: readonly string[],
): boolean {
  if (group !== "*" && group !== info.group) return false;
  if (resourceNames.length > 0 && !resourceNames.includes(info.name)) return false;
  return resources.length === 0 || resources.some((each) => words.includes(each));
}

function pathMatches(url: string, path: string): boolean {
  if (url === "*" || url === path) return true;
  return url.endsWith("*") && path.startsWith(url.slice(0, -1));
}
