import { stringifyJson } from "#codec/json.ts";

/** A value of a user as text. Parsed objects have no prototype, so that `String` would throw at them. */
export function shown(value: unknown): string {
  return typeof value === "object" && value !== null ? stringifyJson(value) : String(value);
}
