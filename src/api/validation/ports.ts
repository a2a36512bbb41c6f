import type { FieldErrors } from "./field-errors.ts";
import { isValidPortName } from "./names.ts";

const portMessage = "must be between 1 and 65535, inclusive";

export function isPortNumber(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

export function validatePortNumber(errors: FieldErrors, field: string, port: number): void {
  if (!isPortNumber(port)) errors.invalid(field, port, portMessage);
}

/** A port given by number or by the name of a container's port. */
export function validatePortOrName(errors: FieldErrors, field: string, port: number | string): void {
  if (typeof port === "number") validatePortNumber(errors, field, port);
  else errors.invalidEach(field, port, isValidPortName(port));
}
