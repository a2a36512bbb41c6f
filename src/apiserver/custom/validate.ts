import type { ApiObject, FieldError } from "#api/kind.ts";
import type { Served } from "../registry.ts";

/** What the structural schema of a custom resource says against an object. Built-in kinds have none. */
export function customErrors(_served: Served, _object: ApiObject): FieldError[] {
  return [];
}
