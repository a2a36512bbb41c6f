import type { FieldErrors } from "./field-errors.ts";

const percent = /^[0-9]+%$/;

/** The number of a percentage; undefined for anything else. */
export function percentOf(value: number | string | undefined): number | undefined {
  return typeof value === "string" && percent.test(value) ? Number(value.slice(0, -1)) : undefined;
}

export function validatePositiveIntOrPercent(
  errors: FieldErrors,
  field: string,
  value: number | string | undefined,
): void {
  if (value === undefined) return;
  if (typeof value === "number") errors.nonNegative(field, value);
  else if (!percent.test(value)) {
    errors.invalid(
      field,
      value,
      "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', " +
        "regex used for validation is '[0-9]+%')",
    );
  }
}

export function validateNotMoreThan100Percent(
  errors: FieldErrors,
  field: string,
  value: number | string | undefined,
): void {
  const number = percentOf(value);
  if (number !== undefined && number > 100) errors.invalid(field, value, "must not be greater than 100%");
}

/** The value as an integer; percentages count as their number, as upstream compares them with 0. */
export function intOrPercentValue(value: number | string | undefined): number {
  return typeof value === "number" ? value : (percentOf(value) ?? 0);
}
