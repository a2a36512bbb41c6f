import type { FieldErrors } from "./field-errors.ts";

export function validateNoBacksteps(errors: FieldErrors, field: string, path: string): void {
  if (path.split("/").includes("..")) errors.invalid(field, path, "must not contain '..'");
}

/** A path that stays below the place it is relative to. */
export function validateDescendingPath(errors: FieldErrors, field: string, path: string): void {
  if (path.startsWith("/")) errors.invalid(field, path, "must be a relative path");
  validateNoBacksteps(errors, field, path);
}

/** A descending path that also does not begin like the atomic writer's own files. */
export function validateLocalPath(errors: FieldErrors, field: string, path: string): void {
  validateDescendingPath(errors, field, path);
  if (path.startsWith("..") && !path.startsWith("../") && path !== "..")
    errors.invalid(field, path, "must not start with '..'");
}

/** Permission bits of files in volumes. */
export function validateFileMode(errors: FieldErrors, field: string, mode: number | undefined): void {
  if (mode !== undefined && (mode < 0 || mode > 0o777)) {
    errors.invalid(field, mode, "must be a number between 0 and 0777 (octal), both inclusive");
  }
}
