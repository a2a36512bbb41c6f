import { compareQuantities, parseQuantity, quantityOf } from "#codec/quantity.ts";
import type { FieldErrors } from "./field-errors.ts";
import { isQualifiedName } from "./labels.ts";

const mustBeNonNegative = "must be greater than or equal to 0";

const containerResources: ReadonlySet<string> = new Set(["cpu", "memory", "ephemeral-storage"]);
const integerResources: ReadonlySet<string> = new Set([
  "pods",
  "services",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "services.nodeports",
  "services.loadbalancers",
]);
const standardResources: ReadonlySet<string> = new Set([
  ...containerResources,
  ...integerResources,
  "requests.cpu",
  "requests.memory",
  "requests.ephemeral-storage",
  "limits.cpu",
  "limits.memory",
  "limits.ephemeral-storage",
  "storage",
  "requests.storage",
]);

export function isHugePage(name: string): boolean {
  return name.startsWith("hugepages-");
}

function isNativeResource(name: string): boolean {
  return !name.includes("/") || name.includes("kubernetes.io/");
}

/** Whether a resource comes from a device plugin: qualified, outside of the house's own names. */
export function isExtendedResource(name: string): boolean {
  if (isNativeResource(name) || name.startsWith("requests.")) return false;
  return isQualifiedName(`requests.${name}`).length === 0;
}

export function isStandardResource(name: string): boolean {
  return standardResources.has(name) || isHugePage(name);
}

export function isStandardQuotaResource(name: string): boolean {
  return isStandardResource(name) || name.startsWith("requests.hugepages-");
}

/** Whether only whole numbers make sense: counts of objects and of devices. */
export function isIntegerResource(name: string): boolean {
  return integerResources.has(name) || isExtendedResource(name);
}

/** Names in lists of resources: standard or fully qualified. */
export function validateResourceName(errors: FieldErrors, field: string, name: string): void {
  const messages = isQualifiedName(name);
  if (messages.length > 0) {
    errors.invalidEach(field, name, messages);
    return;
  }
  if (!name.includes("/") && !isStandardQuotaResource(name)) {
    errors.invalid(field, name, "must be a standard resource type or fully qualified");
  }
}

/** Names in a container's resources. */
export function validateContainerResourceName(errors: FieldErrors, field: string, name: string): void {
  if (containerResources.has(name)) return;
  const before = errors.list.length;
  validateResourceName(errors, field, name);
  if (errors.list.length > before) return;
  if (!name.includes("/")) {
    if (!isHugePage(name)) errors.invalid(field, name, "must be a standard resource for containers");
  } else if (!isNativeResource(name) && !isExtendedResource(name)) {
    errors.invalid(field, name, "doesn't follow extended resource name standard");
  }
}

/** Not negative, and whole where only whole numbers make sense. */
export function validateResourceQuantity(errors: FieldErrors, field: string, name: string, value: string): void {
  validateNonNegativeQuantity(errors, field, value);
  if (isIntegerResource(name) && !isWhole(value)) errors.invalid(field, value, "must be an integer");
}

export function validateNonNegativeQuantity(errors: FieldErrors, field: string, value: string): void {
  if (isNegative(value)) errors.invalid(field, value, mustBeNonNegative);
}

export function validatePositiveQuantity(errors: FieldErrors, field: string, value: string): void {
  if (isNegative(value) || isZero(value)) errors.invalid(field, value, "must be greater than zero");
}

export function isNegative(value: string): boolean {
  return value.startsWith("-");
}

export function isZero(value: string): boolean {
  return value === "0" || /^[+-]?[0.]+[A-Za-z]*$/.test(value);
}

/** Negative, zero or positive as `left` is less than, equal to, or greater than `right`. Unreadable ones compare equal. */
export function compare(left: string, right: string): number {
  if (left === right) return 0;
  const parsedLeft = parseQuantity(left);
  const parsedRight = parseQuantity(right);
  return parsedLeft.ok && parsedRight.ok ? compareQuantities(parsedLeft.quantity, parsedRight.quantity) : 0;
}

function isWhole(value: string): boolean {
  // In canonical form only the suffixes below one and exponents can stand for parts.
  if (/^[+-]?\d+[A-Z]?i?$|^[+-]?\d+k$/.test(value)) return true;
  const { digits, exponent } = quantityOf(value);
  return exponent >= 0 || digits % 10n ** BigInt(-exponent) === 0n;
}
