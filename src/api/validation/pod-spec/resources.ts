import type { Container, ResourceRequirements } from "../../generated/core-v1.ts";
import type { FieldErrors } from "../field-errors.ts";
import { isDns1123Label } from "../names.ts";
import {
  compare,
  isExtendedResource,
  isHugePage,
  validateContainerResourceName,
  validateResourceQuantity,
} from "../quantities.ts";

const restartPolicies = ["NotRequired", "RestartContainer"];
const resizableResources = ["cpu", "memory"];
const podLevelResources: ReadonlySet<string> = new Set(["cpu", "memory"]);

/** Resources that a node gives out only once: requests must equal limits. */
function canOvercommit(name: string): boolean {
  return !isExtendedResource(name) && !isHugePage(name);
}

export function validateResources(
  errors: FieldErrors,
  field: string,
  resources: ResourceRequirements | undefined,
  claims: ReadonlySet<string>,
): void {
  if (resources === undefined) return;
  const { limits, requests } = resources;
  for (const name in limits) {
    validateContainerResourceName(errors, `${field}.limits`, name);
    validateResourceQuantity(errors, `${field}.limits[${name}]`, name, limits[name] ?? "0");
  }
  for (const name in requests) {
    const at = `${field}.requests`;
    const request = requests[name] ?? "0";
    validateContainerResourceName(errors, at, name);
    validateResourceQuantity(errors, `${at}[${name}]`, name, request);
    const limit = limits?.[name];
    if (limit === undefined) {
      if (!canOvercommit(name))
        errors.required(`${field}.limits`, "Limit must be set for non overcommitable resources");
    } else if (!canOvercommit(name) && compare(request, limit) !== 0) {
      errors.invalid(at, request, `must be equal to ${name} limit of ${limit}`);
    } else if (compare(request, limit) > 0) {
      errors.invalid(at, request, `must be less than or equal to ${name} limit of ${limit}`);
    }
  }
  validateHugePages(errors, field, resources);
  validateClaims(errors, `${field}.claims`, resources, claims);
}

function validateHugePages(errors: FieldErrors, field: string, { limits, requests }: ResourceRequirements): void {
  const names = [...Object.keys(limits ?? {}), ...Object.keys(requests ?? {})];
  if (!names.some(isHugePage)) return;
  if (names.includes("cpu") || names.includes("memory")) return;
  errors.forbidden(field, "HugePages require cpu or memory");
}

function validateClaims(
  errors: FieldErrors,
  field: string,
  resources: ResourceRequirements,
  claims: ReadonlySet<string>,
): void {
  const seen = new Set<string>();
  resources.claims?.forEach((claim, index) => {
    const at = `${field}[${index}]`;
    if (!claim.name) {
      errors.required(`${at}.name`);
      return;
    }
    const identity = `${claim.name}/${claim.request ?? ""}`;
    if (seen.has(identity)) errors.duplicate(at, claim.request ? identity : claim.name);
    seen.add(identity);
    if (!claims.has(claim.name)) errors.notFound(`${at}.name`, claim.name);
    if (claim.request) errors.invalidEach(`${at}.request`, claim.request, isDns1123Label(claim.request));
  });
}

/** Resources of the pod as a whole: only CPU, memory and huge pages, and not less than the containers' requests. */
export function validatePodLevelResources(
  errors: FieldErrors,
  field: string,
  resources: ResourceRequirements | undefined,
): void {
  if (resources === undefined) return;
  for (const list of ["limits", "requests"] as const) {
    for (const name in resources[list]) {
      if (!podLevelResources.has(name) && !isHugePage(name)) {
        errors.notSupported(`${field}.${list}`, name, ["cpu", "hugepages-", "memory"]);
      }
    }
  }
  if (resources.claims !== undefined && resources.claims.length > 0) {
    errors.forbidden(`${field}.claims`, "claims at pod-level are not supported");
  }
  validateResources(errors, field, { ...resources, claims: [] }, new Set());
}

export function validateResizePolicy(
  errors: FieldErrors,
  field: string,
  container: Container,
  podRestartPolicy: string,
): void {
  const seen = new Set<string>();
  container.resizePolicy?.forEach((policy) => {
    if (seen.has(policy.resourceName)) errors.duplicate(field, policy);
    seen.add(policy.resourceName);
    if (!policy.resourceName) errors.required(field);
    else if (!resizableResources.includes(policy.resourceName))
      errors.notSupported(field, policy.resourceName, resizableResources);
    if (!policy.restartPolicy) errors.required(field);
    else if (!restartPolicies.includes(policy.restartPolicy))
      errors.notSupported(field, policy.restartPolicy, restartPolicies);
    if (
      podRestartPolicy === "Never" &&
      policy.restartPolicy !== "NotRequired" &&
      container.restartPolicy === undefined
    ) {
      errors.invalid(field, policy.restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'");
    }
  });
}
