const unitNanos: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1_000n],
  ["µs", 1_000n],
  ["μs", 1_000n],
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n],
]);
const nanosMax = 2n ** 63n - 1n;

export type DurationResult =
  | { readonly ok: true; readonly nanos: bigint }
  | { readonly ok: false; readonly message: string };

/** Reads Go's duration notation: `1h30m`, `1.5s`, `-3ms`, `0`. */
export function parseDuration(text: string): DurationResult {
  const invalid: DurationResult = { ok: false, message: `time: invalid duration ${JSON.stringify(text)}` };
  const negative = text.startsWith("-");
  let rest = /^[+-]/.test(text) ? text.slice(1) : text;
  if (rest === "0") return { ok: true, nanos: 0n };
  if (rest === "") return invalid;
  let total = 0n;
  while (rest !== "") {
    const match = /^(\d*)(?:\.(\d*))?([^\d.]*)/.exec(rest);
    const [whole = "", fraction = "", unit = ""] = match?.slice(1) ?? [];
    if (match === null || (whole === "" && fraction === "")) return invalid;
    if (unit === "") return { ok: false, message: `time: missing unit in duration ${JSON.stringify(text)}` };
    const scale = unitNanos.get(unit);
    if (scale === undefined) {
      return { ok: false, message: `time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}` };
    }
    const digits = fraction.slice(0, 18);
    total += BigInt(whole === "" ? "0" : whole.slice(0, 30)) * scale;
    if (digits !== "") total += (BigInt(digits) * scale) / 10n ** BigInt(digits.length);
    if (total > nanosMax) return invalid;
    rest = rest.slice(match[0].length);
  }
  return { ok: true, nanos: negative ? -total : total };
}

/** Go's form of a duration: `1h30m0s`, `1.5s`, `20ms`, `0s`. */
export function formatDuration(nanos: bigint): string {
  if (nanos === 0n) return "0s";
  const sign = nanos < 0n ? "-" : "";
  const value = nanos < 0n ? -nanos : nanos;
  if (value < 1_000n) return `${sign}${value}ns`;
  if (value < 1_000_000n) return `${sign}${decimal(value, 3)}µs`;
  if (value < 1_000_000_000n) return `${sign}${decimal(value, 6)}ms`;
  const minutes = value / 60_000_000_000n;
  const seconds = `${decimal(value % 60_000_000_000n, 9)}s`;
  if (minutes === 0n) return sign + seconds;
  const hours = minutes / 60n;
  return hours === 0n ? `${sign}${minutes}m${seconds}` : `${sign}${hours}h${minutes % 60n}m${seconds}`;
}

function decimal(value: bigint, places: number): string {
  const text = value.toString().padStart(places + 1, "0");
  const fraction = text.slice(-places).replace(/0+$/, "");
  return text.slice(0, -places) + (fraction === "" ? "" : `.${fraction}`);
}

/** A metav1.Duration as Go writes it. */
export function canonicalizeDuration(text: string): { ok: true; value: string } | { ok: false; message: string } {
  const parsed = parseDuration(text);
  return parsed.ok ? { ok: true, value: formatDuration(parsed.nanos) } : parsed;
}
