import type { ScalarType } from "./schema.ts";
import { canonicalizeBase64 } from "./base64.ts";
import { canonicalizeDuration } from "./duration.ts";
import { canonicalizeQuantity } from "./quantity.ts";
import { canonicalizeMicroTime, canonicalizeTime } from "./time.ts";

export type ScalarResult =
  | { readonly ok: true; readonly value: unknown }
  /** Without a message: the JSON type is wrong, which the caller words with its place. */
  | { readonly ok: false; readonly message?: string };

const wrong: ScalarResult = { ok: false };

/** A JSON value (never null) as a scalar in Go's canonical form. */
export function decodeScalar(type: ScalarType, value: unknown): ScalarResult {
  switch (type) {
    case "string":
      return typeof value === "string" ? { ok: true, value } : wrong;
    case "bool":
      return typeof value === "boolean" ? { ok: true, value } : wrong;
    case "int32":
      return Number.isInteger(value) && (value as number) === ((value as number) | 0)
        ? { ok: true, value: (value as number) + 0 }
        : wrong;
    case "int64":
      return Number.isSafeInteger(value) || typeof value === "bigint" ? { ok: true, value } : wrong;
    case "float64":
      return typeof value === "number"
        ? { ok: true, value }
        : typeof value === "bigint"
          ? { ok: true, value: Number(value) }
          : wrong;
    case "int-or-string":
      return typeof value === "string" ? { ok: true, value } : asGoInt32(value);
    case "quantity":
      if (typeof value !== "string" && typeof value !== "number" && typeof value !== "bigint") {
        return {
          ok: false,
          message: "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        };
      }
      return canonicalizeQuantity(value);
    case "time":
      return typeof value === "string" ? canonicalizeTime(value) : asGoString(value);
    case "micro-time":
      return typeof value === "string" ? canonicalizeMicroTime(value) : asGoString(value);
    case "duration":
      return typeof value === "string" ? canonicalizeDuration(value) : asGoString(value);
    case "bytes":
      return typeof value === "string" ? canonicalizeBase64(value) : wrong;
  }
}

/** Types that read their own JSON as a string know nothing of the field they stand in. */
function asGoString(value: unknown): ScalarResult {
  return { ok: false, message: `json: cannot unmarshal ${valueKind(value)} into Go value of type string` };
}

function asGoInt32(value: unknown): ScalarResult {
  const result = decodeScalar("int32", value);
  if (result.ok) return result;
  return { ok: false, message: `json: cannot unmarshal ${valueKind(value, "int32")} into Go value of type int32` };
}

/** What Go writes for a zero value; `null` for times. */
export function zeroScalar(type: ScalarType): unknown {
  switch (type) {
    case "string":
    case "bytes":
      return "";
    case "bool":
      return false;
    case "int32":
    case "int64":
    case "float64":
    case "int-or-string":
      return 0;
    case "quantity":
      return "0";
    case "time":
    case "micro-time":
      return null;
    case "duration":
      return "0s";
  }
}

/** As Go's decoder names what it met: `string`, `number 1.5`, `bool`, `array`, `object`. */
export function valueKind(value: unknown, into?: ScalarType): string {
  if (typeof value === "number" || typeof value === "bigint") {
    return into === "int32" || into === "int64" || into === "float64" ? `number ${value}` : "number";
  }
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "string";
  return Array.isArray(value) ? "array" : "object";
}
