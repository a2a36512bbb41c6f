import type { FieldErrors } from "./field-errors.ts";

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === "object") {
    for (const key in value) if (!isEmpty((value as Record<string, unknown>)[key])) return false;
    return true;
  }
  return false;
}

/** Equal as Go's semantic equality has it: an absent, a null and an empty collection are the same. */
export function semanticallyEqual(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) {
    return isEmpty(left) && isEmpty(right);
  }
  if (Array.isArray(left)) {
    if (!Array.isArray(right) || left.length !== right.length) return false;
    for (let i = 0; i < left.length; i++) if (!semanticallyEqual(left[i], right[i])) return false;
    return true;
  }
  if (Array.isArray(right)) return false;
  const leftRecord = left as Record<string, unknown>;
  const rightRecord = right as Record<string, unknown>;
  for (const key in leftRecord) if (!semanticallyEqual(leftRecord[key], rightRecord[key])) return false;
  for (const key in rightRecord) if (!(key in leftRecord) && !isEmpty(rightRecord[key])) return false;
  return true;
}

export const immutableMessage = "field is immutable";

export function validateImmutable(errors: FieldErrors, field: string, value: unknown, old: unknown): void {
  if (!semanticallyEqual(value, old)) errors.invalid(field, value, immutableMessage);
}
