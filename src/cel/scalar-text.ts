import { fail } from "./failure.ts";
import { scalarLengthMax } from "./limits.ts";
import { checkedDuration, checkedTimestamp, type Duration, type Timestamp } from "./value.ts";

/** A double as Go's shortest form writes it: an exponent below -4 and from 21 digits on, of two digits at least. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value < 0 ? "-Inf" : "+Inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa = "", exponentText = "0"] = value.toExponential().split("e");
  const exponent = Number(exponentText);
  if (-4 <= exponent && exponent < 21) return plainDouble(value, mantissa, exponent);
  const sign = exponent < 0 ? "-" : "+";
  return `${mantissa}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

function plainDouble(value: number, mantissa: string, exponent: number): string {
  if (exponent >= 0) return String(value);
  const digits = mantissa.replace("-", "").replace(".", "");
  return `${value < 0 ? "-" : ""}0.${"0".repeat(-exponent - 1)}${digits}`;
}

const units: Readonly<Record<string, bigint>> = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ns: 1n,
};

const durationPart = /(\d+)?(?:\.(\d*))?(ns|us|µs|μs|ms|h|m|s)/y;

/** Reads `1h30m`, `-1.5s`, `0`; undefined when it is none. */
export function parseDuration(text: string): bigint | undefined {
  if (scalarLengthMax < text.length) return undefined;
  const sign = /^[-+]/.exec(text)?.[0] ?? "";
  const rest = text.slice(sign.length);
  if (rest === "0") return 0n;
  if (rest === "") return undefined;
  let nanos = 0n;
  durationPart.lastIndex = 0;
  while (durationPart.lastIndex < rest.length) {
    const match = durationPart.exec(rest);
    if (match === null) return undefined;
    const [, whole = "", fraction = "", unit = ""] = match;
    if (whole === "" && fraction === "") return undefined;
    const scale = units[unit] ?? 1n;
    nanos += BigInt(whole || "0") * scale;
    if (fraction !== "") nanos += (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length);
  }
  if (2n ** 63n <= nanos) return undefined;
  return sign === "-" ? -nanos : nanos;
}

/** Reads a duration; fails when it is none. */
export function durationOf(text: string): Duration {
  const nanos = parseDuration(text);
  return nanos === undefined ? fail(`invalid duration: ${JSON.stringify(text.slice(0, 100))}`) : checkedDuration(nanos);
}

/** As the language writes durations: seconds, with a fraction where there is one. */
export function formatDuration({ nanos }: Duration): string {
  const absolute = nanos < 0n ? -nanos : nanos;
  const fraction = String(absolute % 1_000_000_000n)
    .padStart(9, "0")
    .replace(/0+$/, "");
  const seconds = `${absolute / 1_000_000_000n}${fraction === "" ? "" : `.${fraction}`}s`;
  return nanos < 0n ? `-${seconds}` : seconds;
}

const timestampShape = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([-+])(\d\d):(\d\d))$/;

/** Reads RFC 3339; undefined when it is none. */
export function parseTimestamp(text: string): bigint | undefined {
  if (scalarLengthMax < text.length) return undefined;
  const match = timestampShape.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = "", sign, offsetHours, offsetMinutes] = match;
  const fields = [year, month, day, hour, minute, second].map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (23 < fields[3] || 59 < fields[4] || 59 < fields[5]) return undefined;
  const date = new Date(Date.UTC(2000, 0, 1));
  date.setUTCFullYear(fields[0], fields[1] - 1, fields[2]);
  if (date.getUTCMonth() !== fields[1] - 1 || date.getUTCDate() !== fields[2]) return undefined;
  date.setUTCHours(fields[3], fields[4], fields[5]);
  const offset = (Number(offsetHours ?? 0) * 60 + Number(offsetMinutes ?? 0)) * (sign === "-" ? -60 : 60);
  const seconds = date.getTime() / 1000 - offset;
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** Reads a moment; fails when it is none. */
export function timestampOf(text: string): Timestamp {
  const nanos = parseTimestamp(text);
  return nanos === undefined
    ? fail(`invalid timestamp: ${JSON.stringify(text.slice(0, 100))}`)
    : checkedTimestamp(nanos);
}

/** RFC 3339 in UTC with as many digits as there are. */
export function formatTimestamp({ nanos }: Timestamp): string {
  const { seconds, fraction } = splitSeconds(nanos);
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const digits = String(fraction).padStart(9, "0").replace(/0+$/, "");
  return `${text}${digits === "" ? "" : `.${digits}`}Z`;
}

/** Whole seconds, rounded down, and the nanoseconds above them. */
export function splitSeconds(nanos: bigint): { seconds: bigint; fraction: bigint } {
  const fraction = ((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { seconds: (nanos - fraction) / 1_000_000_000n, fraction };
}
