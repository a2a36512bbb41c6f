import { fail } from "../failure.ts";
import { global, takes, traversal, traversalFactor, type Overload, type Sizes } from "../library.ts";
import { scalarLengthMax } from "../limits.ts";
import {
  durationOf,
  formatDouble,
  formatDuration,
  formatTimestamp,
  splitSeconds,
  timestampOf,
} from "../scalar-text.ts";
import { bool, bytes, double, duration, int, string, timestamp, uint } from "../types.ts";
import {
  checkedInt,
  checkedTimestamp,
  checkedUint,
  type Duration,
  type Timestamp,
  type Unsigned,
  type Value,
} from "../value.ts";

const reading = { cost: traversal(), resultSize: (sizes: readonly number[]) => sizes[0] ?? 0 };
const encoding = {
  cost: ([size = 1]: Sizes, operands?: readonly Value[]) =>
    Math.ceil(size * traversalFactor) * (operands === undefined ? 1 : 2) + (operands === undefined ? 0 : 4),
  resultSize: ([size = 0]: Sizes) => size,
};
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** `int(x)`, `string(x)` and the others. */
export const conversionLibrary: readonly Overload[] = [
  global("bool", [bool], bool, (value: boolean) => value),
  global("bool", [string], bool, boolOf),
  global("int", [int], int, (value: bigint) => value),
  global("int", [uint], int, (value: Unsigned) => checkedInt(value.value)),
  global("int", [double], int, intOfDouble),
  global("int", [string], int, intOfString, takes(2)),
  global("int", [timestamp], int, (value: Timestamp) => splitSeconds(value.nanos).seconds),
  global("int", [duration], int, (value: Duration) => value.nanos),
  global("uint", [uint], uint, (value: Unsigned) => value),
  global("uint", [int], uint, (value: bigint) => checkedUint(value)),
  global("uint", [double], uint, uintOfDouble),
  global("uint", [string], uint, uintOfString),
  global("double", [double], double, (value: number) => value),
  global("double", [int], double, (value: bigint) => Number(value)),
  global("double", [uint], double, (value: Unsigned) => Number(value.value)),
  global("double", [string], double, doubleOfString, takes(2)),
  global("string", [string], string, (value: string) => value),
  global("string", [bool], string, (value: boolean) => String(value)),
  global("string", [int], string, (value: bigint) => value.toString()),
  global("string", [uint], string, (value: Unsigned) => value.value.toString()),
  global("string", [double], string, formatShort, takes(8)),
  global("string", [bytes], string, stringOfBytes, reading),
  global("string", [timestamp], string, formatTimestamp, takes(24)),
  global("string", [duration], string, formatDuration, takes(8)),
  global("bytes", [bytes], bytes, (value: Uint8Array) => value),
  global("bytes", [string], bytes, (value: string) => new TextEncoder().encode(value), encoding),
  global("timestamp", [timestamp], timestamp, (value: Timestamp) => value),
  global("timestamp", [string], timestamp, timestampOf, takes(16)),
  global("timestamp", [int], timestamp, (seconds: bigint) => checkedTimestamp(seconds * 1_000_000_000n)),
  global("duration", [duration], duration, (value: Duration) => value),
  global("duration", [string], duration, durationOf, takes(6)),
];

function boolOf(text: string): boolean {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return false;
  return fail("type conversion error from 'string' to 'bool'");
}

function intOfDouble(value: number): bigint {
  // The ends of the range cannot be told from their neighbours in a double.
  if (!Number.isFinite(value) || value <= -(2 ** 63) || 2 ** 63 <= value) return fail("integer overflow");
  return BigInt(Math.trunc(value));
}

function uintOfDouble(value: number): Unsigned {
  if (!Number.isFinite(value) || value < 0 || 2 ** 64 <= value) return fail("unsigned integer overflow");
  return checkedUint(BigInt(Math.trunc(value)));
}

function intOfString(text: string): bigint {
  if (scalarLengthMax < text.length || !/^[-+]?\d+$/.test(text))
    return fail("type conversion error from 'string' to 'int'");
  return checkedInt(BigInt(text.replace(/^\+/, "")));
}

function uintOfString(text: string): Unsigned {
  if (scalarLengthMax < text.length || !/^\d+$/.test(text))
    return fail("type conversion error from 'string' to 'uint'");
  return checkedUint(BigInt(text));
}

function doubleOfString(text: string): number {
  if (scalarLengthMax < text.length) return fail("type conversion error from 'string' to 'double'");
  if (/^[-+]?inf(inity)?$/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  if (/^nan$/i.test(text)) return Number.NaN;
  if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text))
    return fail("type conversion error from 'string' to 'double'");
  const value = Number(text);
  return Number.isFinite(value) ? value : fail("type conversion error from 'string' to 'double'");
}

function formatShort(value: number): string {
  return formatDouble(value);
}

function stringOfBytes(value: Uint8Array): string {
  try {
    return strict.decode(value);
  } catch {
    return fail("invalid UTF-8 in bytes, cannot convert to string");
  }
}
