import { hexOf } from "#base/bytes.ts";
import { fail } from "../failure.ts";
import { precisionMax, resultLengthMax } from "../limits.ts";
import { formatDouble, formatDuration, formatTimestamp } from "../scalar-text.ts";
import {
  Duration,
  formatKey,
  isNumeric,
  ListValue,
  MapValue,
  Timestamp,
  typeNameOf,
  TypeValue,
  Unsigned,
  type Value,
} from "../value.ts";

const clause = /%(?:%|(?:\.(\d+))?(.?))/gsu;

/** `"%s is %d".format([…])`. */
export function format(text: string, values: ListValue): string {
  let index = 0;
  let length = 0;
  const result = text.replace(clause, (match: string, precision: string | undefined, verb: string | undefined) => {
    if (match === "%%") return "%";
    if (values.size <= index) return fail(`index ${index} out of range`);
    const value = values.at(index);
    index += 1;
    const written = one(verb ?? "", value, precision === undefined ? undefined : Number(precision));
    length += written.length;
    return resultLengthMax < length ? fail("string is too long") : written;
  });
  return result;
}

function one(verb: string, value: Value, precision: number | undefined): string {
  if (precision !== undefined && precisionMax < precision) return fail("precision is too large");
  switch (verb) {
    case "s":
      return written(value, 0);
    case "d":
      return decimal(value);
    case "f":
      return fixed(value, precision ?? 6);
    case "e":
      return scientific(value, precision ?? 6);
    case "b":
      if (typeof value === "boolean") return value ? "1" : "0";
      return integer(value, "binary").toString(2);
    case "o":
      return integer(value, "octal").toString(8);
    case "x":
      return hexadecimal(value);
    case "X":
      return hexadecimal(value).toUpperCase();
    default:
      return fail(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
  }
}

function wrong(what: string, value: Value): never {
  return fail(`error during formatting: ${what} clause can only be used on numbers, was given ${typeNameOf(value)}`);
}

function integer(value: Value, what: string): bigint {
  if (typeof value === "bigint") return value;
  return value instanceof Unsigned ? value.value : wrong(what, value);
}

function decimal(value: Value): string {
  if (typeof value === "number") return formatDouble(value);
  return integer(value, "decimal").toString();
}

function numberOf(value: Value, what: string): number {
  if (typeof value === "string" && ["NaN", "Infinity", "-Infinity"].includes(value)) return Number(value);
  if (value instanceof Unsigned) return Number(value.value);
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : wrong(what, value);
}

function notFinite(value: number): string | undefined {
  if (Number.isNaN(value)) return "NaN";
  return Number.isFinite(value) ? undefined : value < 0 ? "-Infinity" : "Infinity";
}

function fixed(value: Value, precision: number): string {
  const number = numberOf(value, "fixed-point");
  const special = notFinite(number);
  if (special !== undefined) return special;
  if (Math.abs(number) < 1e21) return number.toFixed(precision);
  // toFixed falls back to exponents here; such numbers are whole.
  return BigInt(number).toString() + (precision === 0 ? "" : `.${"0".repeat(precision)}`);
}

function scientific(value: Value, precision: number): string {
  const number = numberOf(value, "scientific notation");
  return notFinite(number) ?? number.toExponential(precision).replace(/e([-+])(\d)$/, "e$10$2");
}

function hexadecimal(value: Value): string {
  if (typeof value === "string") return hexOf(new TextEncoder().encode(value));
  if (value instanceof Uint8Array) return hexOf(value);
  return integer(value, "hex").toString(16);
}

const depthMax = 100;

/** A value as `%s` writes it. */
function written(value: Value, depth: number): string {
  if (depthMax < depth) return fail("values nest too deeply to be written");
  if (typeof value === "string") return value;
  if (value === null) return "null";
  if (typeof value === "number") return notFinite(value) ?? formatDouble(value);
  if (typeof value === "boolean" || isNumeric(value)) return formatKey(value);
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (value instanceof Timestamp) return formatTimestamp(value);
  if (value instanceof Duration) return formatDuration(value);
  if (value instanceof TypeValue) return value.name;
  if (value instanceof ListValue) return writtenList(value, depth);
  if (value instanceof MapValue) return writtenMap(value, depth);
  return fail(`error during formatting: no formatting function for ${typeNameOf(value)}`);
}

function writtenList(values: ListValue, depth: number): string {
  const parts: string[] = [];
  let length = 0;
  for (let i = 0; i < values.size; i += 1) {
    const text = written(values.at(i), depth + 1);
    length += text.length;
    if (resultLengthMax < length) return fail("string is too long");
    parts.push(text);
  }
  return `[${parts.join(", ")}]`;
}

function writtenMap(entries: MapValue, depth: number): string {
  const parts: string[] = [];
  for (const key of entries.keys())
    parts.push(`${written(key, depth + 1)}: ${written(entries.get(key) ?? null, depth + 1)}`);
  return `{${parts.sort((left, right) => (left < right ? -1 : 1)).join(", ")}}`;
}
