import type {
  DeviceClaim,
  DeviceSelector,
  DeviceToleration,
  ExactDeviceRequest,
  OpaqueDeviceConfiguration,
} from "../generated/resource-v1.ts";
import type { FieldErrors } from "./field-errors.ts";
import { isLabelValue, isQualifiedName } from "./labels.ts";
import { isDns1123Label, isDns1123Subdomain } from "./names.ts";

const requestsMax = 32;
const constraintsMax = 32;
const configurationsMax = 32;
const selectorsMax = 32;
const alternativesMax = 8;
const tolerationsMax = 16;
const allocationModes = ["All", "ExactCount"];
const celLengthMaxBytes = 10 * 1024;
const driverNameLengthMax = 63;

export function validateDriverName(errors: FieldErrors, field: string, name: string | undefined): void {
  if (!name) {
    errors.required(field);
    return;
  }
  if (name.length > driverNameLengthMax) errors.tooLong(field, driverNameLengthMax);
  errors.invalidEach(field, name, isDns1123Subdomain(name));
}

export function validateDeviceSelectors(
  errors: FieldErrors,
  field: string,
  selectors: readonly DeviceSelector[] | undefined,
): void {
  if ((selectors?.length ?? 0) > selectorsMax) errors.tooMany(field, selectors?.length ?? 0, selectorsMax);
  selectors?.forEach((selector, index) => {
    const at = `${field}[${index}].cel`;
    if (selector.cel === undefined) errors.required(at);
    else if (!selector.cel.expression?.trim()) errors.required(`${at}.expression`);
    else if (selector.cel.expression.length > celLengthMaxBytes) errors.tooLong(`${at}.expression`, celLengthMaxBytes);
  });
}

export function validateOpaque(
  errors: FieldErrors,
  field: string,
  opaque: OpaqueDeviceConfiguration | undefined,
): void {
  if (opaque === undefined) {
    errors.required(field);
    return;
  }
  validateDriverName(errors, `${field}.driver`, opaque.driver);
  if (opaque.parameters === undefined || opaque.parameters === null) errors.required(`${field}.parameters`);
  else if (typeof opaque.parameters !== "object") {
    errors.invalid(`${field}.parameters`, opaque.parameters, "must be a valid JSON object");
  }
}

function validateTolerations(
  errors: FieldErrors,
  field: string,
  tolerations: readonly DeviceToleration[] | undefined,
): void {
  if ((tolerations?.length ?? 0) > tolerationsMax) errors.tooMany(field, tolerations?.length ?? 0, tolerationsMax);
  tolerations?.forEach((toleration, index) => {
    const at = `${field}[${index}]`;
    if (toleration.key) errors.invalidEach(`${at}.key`, toleration.key, isQualifiedName(toleration.key));
    if (toleration.operator === "Exists") {
      if (toleration.value) errors.invalid(`${at}.value`, toleration.value, "must be empty for operator `Exists`");
    } else if (toleration.operator === "Equal") {
      errors.invalidEach(`${at}.value`, toleration.value ?? "", isLabelValue(toleration.value ?? ""));
    } else if (!toleration.operator) errors.required(`${at}.operator`);
    else errors.notSupported(`${at}.operator`, toleration.operator, ["Equal", "Exists"]);
    if (toleration.effect && !["NoExecute", "NoSchedule", "None"].includes(toleration.effect)) {
      errors.notSupported(`${at}.effect`, toleration.effect, ["NoExecute", "NoSchedule", "None"]);
    }
  });
}

function validateExact(errors: FieldErrors, field: string, request: ExactDeviceRequest): void {
  if (!request.deviceClassName) errors.required(`${field}.deviceClassName`);
  else
    errors.invalidEach(
      `${field}.deviceClassName`,
      request.deviceClassName,
      isDns1123Subdomain(request.deviceClassName),
    );
  validateDeviceSelectors(errors, `${field}.selectors`, request.selectors);
  switch (request.allocationMode) {
    case "All":
      if (request.count)
        errors.invalid(`${field}.count`, request.count, "must not be specified when allocationMode is 'All'");
      break;
    case "ExactCount":
      if ((request.count ?? 0) <= 0) errors.invalid(`${field}.count`, request.count ?? 0, "must be greater than zero");
      break;
    default:
      errors.notSupported(`${field}.allocationMode`, request.allocationMode ?? "", allocationModes);
  }
  validateTolerations(errors, `${field}.tolerations`, request.tolerations);
}

export function validateDeviceClaim(errors: FieldErrors, field: string, claim: DeviceClaim | undefined): void {
  const requests = claim?.requests ?? [];
  if (requests.length > requestsMax) errors.tooMany(`${field}.requests`, requests.length, requestsMax);
  const names = new Set<string>();
  requests.forEach((request, index) => {
    const at = `${field}.requests[${index}]`;
    if (!request.name) errors.required(`${at}.name`);
    else errors.invalidEach(`${at}.name`, request.name, isDns1123Label(request.name));
    if (names.has(request.name)) errors.duplicate(`${at}.name`, request.name);
    names.add(request.name);
    const alternatives = request.firstAvailable ?? [];
    if (request.exactly !== undefined && alternatives.length > 0) {
      errors.invalid(
        at,
        request,
        "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set",
      );
    } else if (request.exactly !== undefined) {
      validateExact(errors, `${at}.exactly`, request.exactly);
    } else if (alternatives.length === 0) {
      errors.required(at, "exactly one of `exactly` or `firstAvailable` is required");
    }
    if (alternatives.length > alternativesMax)
      errors.tooMany(`${at}.firstAvailable`, alternatives.length, alternativesMax);
    alternatives.forEach((alternative, position) => {
      const inner = `${at}.firstAvailable[${position}]`;
      if (!alternative.name) errors.required(`${inner}.name`);
      else errors.invalidEach(`${inner}.name`, alternative.name, isDns1123Label(alternative.name));
      validateExact(errors, inner, alternative);
      names.add(`${request.name}/${alternative.name}`);
    });
  });
  validateParts(errors, field, claim, names);
}

function validateParts(
  errors: FieldErrors,
  field: string,
  claim: DeviceClaim | undefined,
  names: ReadonlySet<string>,
): void {
  const refer = (at: string, requests: readonly string[] | undefined): void =>
    requests?.forEach((name, index) => {
      if (!names.has(name))
        errors.invalid(
          `${at}[${index}]`,
          name,
          "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
        );
    });
  const constraints = claim?.constraints ?? [];
  if (constraints.length > constraintsMax) errors.tooMany(`${field}.constraints`, constraints.length, constraintsMax);
  constraints.forEach((constraint, index) => {
    const at = `${field}.constraints[${index}]`;
    refer(`${at}.requests`, constraint.requests);
    if (constraint.matchAttribute === undefined && constraint.distinctAttribute === undefined) {
      errors.required(`${at}.matchAttribute`);
    } else if (constraint.matchAttribute !== undefined && !constraint.matchAttribute.includes("/")) {
      errors.invalid(`${at}.matchAttribute`, constraint.matchAttribute, "must include a domain");
    }
  });
  const configurations = claim?.config ?? [];
  if (configurations.length > configurationsMax)
    errors.tooMany(`${field}.config`, configurations.length, configurationsMax);
  configurations.forEach((configuration, index) => {
    refer(`${field}.config[${index}].requests`, configuration.requests);
    validateOpaque(errors, `${field}.config[${index}].opaque`, configuration.opaque);
  });
}
