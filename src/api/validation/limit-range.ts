import type { LimitRange, LimitRangeItem } from "../generated/core-v1.ts";
import type { FieldErrors } from "./field-errors.ts";
import { isQualifiedName } from "./labels.ts";
import {
  compare,
  isHugePage,
  isExtendedResource,
  isStandardResource,
  validateContainerResourceName,
  validateResourceName,
  validateResourceQuantity,
} from "./quantities.ts";

const lists = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] as const;

function validateType(errors: FieldErrors, field: string, type: string): void {
  const messages = isQualifiedName(type ?? "");
  errors.invalidEach(field, type, messages);
  if (messages.length === 0 && !type.includes("/") && !["Pod", "Container", "PersistentVolumeClaim"].includes(type)) {
    errors.invalid(field, type, "must be a standard limit type or fully qualified");
  }
}

function validateNames(errors: FieldErrors, at: string, item: LimitRangeItem): Set<string> {
  const names = new Set<string>();
  for (const list of lists) {
    for (const name in item[list]) {
      names.add(name);
      const field = `${at}.${list}[${name}]`;
      if (item.type === "Container" || item.type === "Pod") validateContainerResourceName(errors, field, name);
      else if (name !== "storage" && !isStandardResource(name)) validateResourceName(errors, field, name);
      validateResourceQuantity(errors, field, name, item[list]?.[name] ?? "0");
    }
  }
  return names;
}

function validateOrder(errors: FieldErrors, at: string, item: LimitRangeItem, name: string): void {
  const min = item.min?.[name];
  const max = item.max?.[name];
  const limit = item.default?.[name];
  const request = item.defaultRequest?.[name];
  const check = (
    list: string,
    value: string,
    low: string | undefined,
    lowName: string,
    high: string | undefined,
    highName: string,
  ): void => {
    if (low !== undefined && compare(low, value) > 0) {
      errors.invalid(`${at}.${list}[${name}]`, low, `${lowName} value ${low} is greater than ${list} value ${value}`);
    }
    if (high !== undefined && compare(value, high) > 0) {
      errors.invalid(
        `${at}.${list}[${name}]`,
        value,
        `${list} value ${value} is greater than ${highName} value ${high}`,
      );
    }
  };
  if (min !== undefined && max !== undefined && compare(min, max) > 0) {
    errors.invalid(`${at}.min[${name}]`, min, `min value ${min} is greater than max value ${max}`);
  }
  if (request !== undefined) check("defaultRequest", request, min, "min", max, "max");
  if (limit !== undefined) check("default", limit, min, "min", max, "max");
  if (request !== undefined && limit !== undefined && compare(request, limit) > 0) {
    errors.invalid(
      `${at}.defaultRequest[${name}]`,
      request,
      `default request value ${request} is greater than default limit value ${limit}`,
    );
  }
  const ratio = item.maxLimitRequestRatio?.[name];
  if (ratio !== undefined && compare(ratio, "1") < 0) {
    errors.invalid(`${at}.maxLimitRequestRatio[${name}]`, ratio, `ratio ${ratio} is less than 1`);
  }
  const overcommit = !isHugePage(name) && !isExtendedResource(name);
  if (!overcommit && request !== undefined && limit !== undefined && compare(request, limit) !== 0) {
    errors.invalid(
      `${at}.defaultRequest[${name}]`,
      request,
      `default value ${limit} must equal to defaultRequest value ${request} in a resource ${name} that cannot be overcommitted`,
    );
  }
}

export function validateLimitRange(errors: FieldErrors, range: LimitRange): void {
  const types = new Set<string>();
  range.spec?.limits?.forEach((item, index) => {
    const at = `spec.limits[${index}]`;
    validateType(errors, `${at}.type`, item.type);
    if (types.has(item.type)) errors.duplicate(`${at}.type`, item.type);
    types.add(item.type);
    if (item.type === "Pod") {
      for (const list of ["default", "defaultRequest"] as const) {
        if (Object.keys(item[list] ?? {}).length > 0) {
          errors.forbidden(`${at}.${list}`, "may not be specified when `type` is 'Pod'");
        }
      }
    }
    if (
      item.type === "PersistentVolumeClaim" &&
      item.min?.["storage"] === undefined &&
      item.max?.["storage"] === undefined
    ) {
      errors.required(at, "either minimum or maximum storage value is required, but neither was provided");
    }
    for (const name of validateNames(errors, at, item)) validateOrder(errors, at, item, name);
  });
}
