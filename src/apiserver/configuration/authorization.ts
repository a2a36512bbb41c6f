import { configurationGroup, readDocument, type Configured, type Section } from "./document.ts";

/** One of the authorizers, in the order in which they are asked. */
export type AuthorizerSettings =
  | { readonly type: "Node" | "RBAC" | "AlwaysAllow" | "AlwaysDeny"; readonly name: string }
  | WebhookAuthorizerSettings;

export interface WebhookAuthorizerSettings {
  readonly type: "Webhook";
  readonly name: string;
  /** Path of the kubeconfig that says where it is. */
  readonly kubeconfig: string;
  readonly timeoutMs: number;
  /** How long a yes and a no are remembered; 0: not at all. */
  readonly authorizedKeepMs: number;
  readonly unauthorizedKeepMs: number;
  /** What no answer means: `Deny` ends the question, `NoOpinion` leaves it to the others. */
  readonly failurePolicy: "NoOpinion" | "Deny";
  /** It is asked only when all of them hold of the review's spec, `request`. */
  readonly matchConditions: readonly string[];
}

const timeoutMsMax = 30_000;
const conditionsMax = 64;
const localTypes = ["Node", "RBAC", "AlwaysAllow", "AlwaysDeny"] as const;

/** Reads `AuthorizationConfiguration` (apiserver.config.k8s.io/v1). */
export function readAuthorization(text: string): Configured<readonly AuthorizerSettings[]> {
  const apiVersions = [`${configurationGroup}/v1`, `${configurationGroup}/v1beta1`];
  return readDocument(text, { kind: "AuthorizationConfiguration", apiVersions }, (root) => {
    const sections = root.sections("authorizers");
    if (sections.length === 0) root.problem("authorizers", "at least one authorization mode must be defined");
    const read = sections.map(readAuthorizer);
    const names = read.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) root.problem("authorizers", `Duplicate value: "${twice}"`);
    for (const type of localTypes) {
      if (read.filter((each) => each.type === type).length > 1)
        root.problem("authorizers", `${type} may be named once`);
    }
    root.end();
    return read;
  });
}

function readAuthorizer(section: Section): AuthorizerSettings {
  const type = section.neededText("type");
  const name = section.neededText("name");
  if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name)) section.problem("name", "must be a DNS subdomain");
  const webhook = section.section("webhook");
  section.end();
  if (type === "Webhook") {
    if (webhook !== undefined) return readWebhook(webhook, name);
    section.problem("webhook", "Required value");
    return { type: "AlwaysDeny", name };
  }
  if (webhook !== undefined) section.problem("webhook", "may only be set for type Webhook");
  const local = localTypes.find((each) => each === type);
  if (local === undefined) section.problem("type", `Unsupported value: "${type}"`);
  return { type: local ?? "AlwaysDeny", name };
}

function readWebhook(section: Section, name: string): WebhookAuthorizerSettings {
  const timeoutMs = section.durationMs("timeout");
  if (timeoutMs === undefined || timeoutMs === 0) section.problem("timeout", "Required value");
  else if (timeoutMsMax < timeoutMs) section.problem("timeout", "must be <= 30s");
  for (const field of ["subjectAccessReviewVersion", "matchConditionSubjectAccessReviewVersion"]) {
    const version = section.text(field);
    if (version !== undefined && version !== "v1") section.problem(field, `Unsupported value: "${version}"`);
  }
  const failurePolicy = section.neededText("failurePolicy");
  if (failurePolicy !== "NoOpinion" && failurePolicy !== "Deny")
    section.problem("failurePolicy", `Unsupported value: "${failurePolicy}"`);
  const connection = section.section("connectionInfo");
  if (connection === undefined) section.problem("connectionInfo", "Required value");
  if (connection !== undefined && connection.text("type") !== "KubeConfigFile")
    connection.problem("type", "must be KubeConfigFile");
  const kubeconfig = connection?.neededText("kubeConfigFile") ?? "";
  connection?.end();
  const conditions = section.sections("matchConditions").map((each) => {
    const expression = each.neededText("expression");
    each.end();
    return expression;
  });
  if (conditionsMax < conditions.length) section.problem("matchConditions", `must have at most ${conditionsMax} items`);
  if (new Set(conditions).size < conditions.length) section.problem("matchConditions", "an expression stands twice");
  const read: WebhookAuthorizerSettings = {
    type: "Webhook",
    name,
    kubeconfig,
    timeoutMs: timeoutMs ?? 0,
    authorizedKeepMs: keepMs(section, "authorizedTTL", "cacheAuthorizedRequests", 300_000),
    unauthorizedKeepMs: keepMs(section, "unauthorizedTTL", "cacheUnauthorizedRequests", 30_000),
    failurePolicy: failurePolicy === "NoOpinion" ? "NoOpinion" : "Deny",
    matchConditions: conditions,
  };
  section.end();
  return read;
}

function keepMs(section: Section, field: string, switchField: string, usualMs: number): number {
  const isKept = section.flag(switchField) ?? true;
  const keptMs = section.durationMs(field) ?? usualMs;
  return isKept ? keptMs : 0;
}
