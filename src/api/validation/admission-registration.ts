import type {
  MatchCondition,
  MatchResources,
  NamedRuleWithOperations,
  ParamKind,
  ParamRef,
  RuleWithOperations,
  ServiceReference,
  Variable,
  WebhookClientConfig,
} from "../generated/admissionregistration-v1.ts";
import type { FieldErrors } from "./field-errors.ts";
import { validateLabelSelector } from "./label-selector.ts";
import { isQualifiedName } from "./labels.ts";
import { isCIdentifier, isDns1123Label, isDns1123Subdomain } from "./names.ts";
import { isPortNumber } from "./ports.ts";

const operations = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const scopes = ["*", "Cluster", "Namespaced"];
const failurePolicies = ["Fail", "Ignore"];
const matchPolicies = ["Equivalent", "Exact"];
const conditionsMax = 64;
const timeoutMaxSeconds = 30;
const httpsPort = 443;

export function validateFailurePolicy(errors: FieldErrors, field: string, policy: string | undefined): void {
  if (policy !== undefined && !failurePolicies.includes(policy)) errors.notSupported(field, policy, failurePolicies);
}

export function validateMatchPolicy(errors: FieldErrors, field: string, policy: string | undefined): void {
  if (policy !== undefined && !matchPolicies.includes(policy)) errors.notSupported(field, policy, matchPolicies);
}

function validateStar(errors: FieldErrors, field: string, values: readonly string[], what: string): void {
  if (values.length === 0) errors.required(field);
  if (values.length > 1 && values.includes("*")) {
    errors.invalid(field, values, `if '*' is present, must not specify other ${what}`);
  }
}

function validateResources(errors: FieldErrors, field: string, resources: readonly string[]): void {
  if (resources.length === 0) errors.required(field);
  const all = resources.includes("*/*");
  resources.forEach((resource, index) => {
    if (resource === "") errors.required(`${field}[${index}]`);
    const [, subresource] = resource.split("/");
    if (all && resources.length > 1 && resource !== "*/*") return;
    if (
      subresource !== undefined &&
      subresource !== "*" &&
      resources.includes(`*/${subresource}`) &&
      !resource.startsWith("*/")
    ) {
      errors.invalid(`${field}[${index}]`, resource, `if '*/${subresource}' is present, must not specify ${resource}`);
    }
  });
  if (all && resources.length > 1)
    errors.invalid(field, resources, "if '*/*' is present, must not specify other resources");
  if (resources.includes("*") && resources.some((resource) => resource !== "*" && !resource.includes("/"))) {
    errors.invalid(field, resources, "if '*' is present, must not specify other resources without subresources");
  }
}

export function validateRule(errors: FieldErrors, at: string, rule: RuleWithOperations): void {
  const given = rule.operations ?? [];
  validateStar(errors, `${at}.operations`, given, "operations");
  given.forEach((operation, index) => {
    if (!operations.includes(operation)) errors.notSupported(`${at}.operations[${index}]`, operation, operations);
  });
  validateStar(errors, `${at}.apiGroups`, rule.apiGroups ?? [], "API groups");
  validateStar(errors, `${at}.apiVersions`, rule.apiVersions ?? [], "API versions");
  rule.apiVersions?.forEach((version, index) => {
    if (version === "") errors.required(`${at}.apiVersions[${index}]`);
  });
  validateResources(errors, `${at}.resources`, rule.resources ?? []);
  if (rule.scope !== undefined && !scopes.includes(rule.scope)) errors.notSupported(`${at}.scope`, rule.scope, scopes);
}

function validateNamedRule(errors: FieldErrors, at: string, rule: NamedRuleWithOperations): void {
  validateRule(errors, at, rule);
  const names = new Set<string>();
  rule.resourceNames?.forEach((name, index) => {
    if (names.has(name)) errors.duplicate(`${at}.resourceNames[${index}]`, name);
    names.add(name);
  });
}

/** Clients may leave out scope and policies of what they match. */
export function defaultRule(rule: RuleWithOperations): void {
  rule.scope ??= "*";
}

export function defaultMatchResources(match: MatchResources | undefined): void {
  if (match === undefined) return;
  match.matchPolicy ??= "Equivalent";
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  match.resourceRules?.forEach(defaultRule);
  match.excludeResourceRules?.forEach(defaultRule);
}

export function validateMatchResources(errors: FieldErrors, field: string, match: MatchResources | undefined): void {
  if (match === undefined) return;
  validateMatchPolicy(errors, `${field}.matchPolicy`, match.matchPolicy);
  validateLabelSelector(errors, `${field}.namespaceSelector`, match.namespaceSelector);
  validateLabelSelector(errors, `${field}.objectSelector`, match.objectSelector);
  match.resourceRules?.forEach((rule, index) => validateNamedRule(errors, `${field}.resourceRules[${index}]`, rule));
  match.excludeResourceRules?.forEach((rule, index) =>
    validateNamedRule(errors, `${field}.excludeResourceRules[${index}]`, rule),
  );
}

/** Expressions are compiled where CEL is; here only that there is one. */
export function validateMatchConditions(
  errors: FieldErrors,
  field: string,
  conditions: readonly MatchCondition[] | undefined,
): void {
  if ((conditions?.length ?? 0) > conditionsMax) errors.tooMany(field, conditions?.length ?? 0, conditionsMax);
  const names = new Set<string>();
  conditions?.forEach((condition, index) => {
    const at = `${field}[${index}]`;
    if (!condition.expression?.trim()) errors.required(`${at}.expression`);
    if (!condition.name) errors.required(`${at}.name`);
    else {
      errors.invalidEach(`${at}.name`, condition.name, isQualifiedName(condition.name));
      if (names.has(condition.name)) errors.duplicate(`${at}.name`, condition.name);
      names.add(condition.name);
    }
  });
}

export function validateVariables(
  errors: FieldErrors,
  field: string,
  variables: readonly Variable[] | undefined,
): void {
  const names = new Set<string>();
  variables?.forEach((variable, index) => {
    const at = `${field}[${index}]`;
    if (!variable.name?.trim()) errors.required(`${at}.name`, "name is not specified");
    else {
      if (isCIdentifier(variable.name).length > 0)
        errors.invalid(`${at}.name`, variable.name, "name is not a valid CEL identifier");
      if (names.has(variable.name)) errors.duplicate(`${at}.name`, variable.name);
      names.add(variable.name);
    }
    if (!variable.expression?.trim()) errors.required(`${at}.expression`, "expression is not specified");
  });
}

export function validateParamKind(errors: FieldErrors, field: string, kind: ParamKind | undefined): void {
  if (kind === undefined) return;
  if (!kind.apiVersion) errors.required(`${field}.apiVersion`);
  else if (kind.apiVersion.split("/").length > 2) {
    errors.invalid(`${field}.apiVersion`, kind.apiVersion, `unexpected GroupVersion string: ${kind.apiVersion}`);
  }
  if (!kind.kind) errors.required(`${field}.kind`);
  else errors.invalidEach(`${field}.kind`, kind.kind, isDns1123Label(kind.kind.toLowerCase()));
}

export function validateParamRef(errors: FieldErrors, field: string, ref: ParamRef | undefined): void {
  if (ref === undefined) return;
  if (ref.name) errors.invalidEach(`${field}.name`, ref.name, isDns1123Subdomain(ref.name));
  if (ref.name && ref.selector !== undefined)
    errors.forbidden(`${field}.name`, "name and selector are mutually exclusive");
  if (!ref.name && ref.selector === undefined) errors.required(field, "one of name or selector must be specified");
  validateLabelSelector(errors, `${field}.selector`, ref.selector);
  if (ref.parameterNotFoundAction === undefined) errors.required(`${field}.parameterNotFoundAction`);
  else if (!["Allow", "Deny"].includes(ref.parameterNotFoundAction)) {
    errors.notSupported(`${field}.parameterNotFoundAction`, ref.parameterNotFoundAction, ["Allow", "Deny"]);
  }
}

/** Where a webhook is: a URL or a Service, not both. Also for conversion webhooks. */
export function validateClientConfig(
  errors: FieldErrors,
  field: string,
  config: WebhookClientConfig | undefined,
): void {
  if ((config?.url === undefined) === (config?.service === undefined)) {
    errors.required(field, "exactly one of url or service is required");
    return;
  }
  if (config?.url !== undefined) validateUrl(errors, `${field}.url`, config.url);
  if (config?.service !== undefined) validateServiceReference(errors, `${field}.service`, config.service);
}

function validateUrl(errors: FieldErrors, field: string, text: string): void {
  const form = "url must have the form https://host[:port][/path]";
  if (!URL.canParse(text)) {
    errors.required(field, `url must be a valid URL: ${form}`);
    return;
  }
  const url = new URL(text);
  if (url.protocol !== "https:")
    errors.invalid(
      field,
      url.protocol.replace(/:$/, ""),
      `'https' is the only allowed URL scheme; desired format: https://host[/path]`,
    );
  if (url.host === "") errors.invalid(field, url.host, "host must be specified; desired format: https://host[/path]");
  if (/^[a-z]+:\/\/[^/]*@/.test(text)) errors.invalid(field, text, "user information is not permitted in the URL");
  if (text.includes("#")) errors.invalid(field, text, "fragments are not permitted in the URL");
  if (text.includes("?")) errors.invalid(field, text, "query parameters are not permitted in the URL");
}

function validateServiceReference(errors: FieldErrors, field: string, service: ServiceReference): void {
  if (!service.name) errors.required(`${field}.name`, "service name is required");
  if (!service.namespace) errors.required(`${field}.namespace`, "service namespace is required");
  if (!isPortNumber(service.port ?? httpsPort)) {
    errors.invalid(`${field}.port`, service.port, "port is not valid: must be between 1 and 65535, inclusive");
  }
  const path = service.path;
  if (path === undefined) return;
  if (!path.startsWith("/")) errors.invalid(`${field}.path`, path, "must start with a '/'");
  if (path !== "/" && path.split("/").slice(1, -1).includes("")) {
    errors.invalid(`${field}.path`, path, "segment may not be empty");
  }
}

export function validateTimeout(errors: FieldErrors, field: string, seconds: number | undefined): void {
  if (seconds !== undefined && (seconds < 1 || seconds > timeoutMaxSeconds)) {
    errors.invalid(field, seconds, "the timeout value must be between 1 and 30 seconds");
  }
}

export function validateReviewVersions(
  errors: FieldErrors,
  field: string,
  versions: readonly string[] | undefined,
): void {
  const known = ["v1", "v1beta1"];
  if ((versions ?? []).length === 0) {
    errors.required(field, "must specify one of v1, v1beta1");
    return;
  }
  if (!versions?.some((version) => known.includes(version))) {
    errors.invalid(field, versions, `must include at least one of v1, v1beta1`);
  }
  const seen = new Set<string>();
  versions?.forEach((version, index) => {
    if (seen.has(version)) errors.invalid(`${field}[${index}]`, version, "duplicate version");
    seen.add(version);
  });
}
