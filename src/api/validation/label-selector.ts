import type { LabelSelector } from "../generated/meta-v1.ts";
import type { FieldErrors } from "./field-errors.ts";
import { isLabelValue, validateLabelKey, validateLabels } from "./labels.ts";

/** A LabelSelector as objects carry it. */
export function validateLabelSelector(errors: FieldErrors, field: string, selector: LabelSelector | undefined): void {
  if (selector === undefined) return;
  validateLabels(errors, `${field}.matchLabels`, selector.matchLabels);
  selector.matchExpressions?.forEach((requirement, index) => {
    const at = `${field}.matchExpressions[${index}]`;
    const values = requirement.values ?? [];
    switch (requirement.operator) {
      case "In":
      case "NotIn":
        if (values.length === 0)
          errors.required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
        break;
      case "Exists":
      case "DoesNotExist":
        if (values.length > 0) {
          errors.forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        break;
      default:
        errors.invalid(`${at}.operator`, requirement.operator, "not a valid selector operator");
    }
    validateLabelKey(errors, `${at}.key`, requirement.key);
    values.forEach((value, at2) => errors.invalidEach(`${at}.values[${at2}]`, value, isLabelValue(value)));
  });
}

export function isEmptySelector(selector: LabelSelector): boolean {
  return Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0;
}
