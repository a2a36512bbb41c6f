/**
 * An exact decimal with Kubernetes' suffixes: `digits × 10^exponent`, shown in one of three notations.
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
export interface Quantity {
  readonly digits: bigint;
  readonly exponent: number;
  readonly format: "binary" | "decimal" | "exponent";
}

export type QuantityResult =
  | { readonly ok: true; readonly quantity: Quantity }
  | { readonly ok: false; readonly message: string };

const binarySuffixes: readonly string[] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const decimalSuffixes: ReadonlyMap<number, string> = new Map([
  [-9, "n"],
  [-6, "u"],
  [-3, "m"],
  [0, ""],
  [3, "k"],
  [6, "M"],
  [9, "G"],
  [12, "T"],
  [15, "P"],
  [18, "E"],
]);
const decimalExponents: ReadonlyMap<string, number> = new Map(
  [...decimalSuffixes].map(([exponent, suffix]) => [suffix, exponent]),
);

/** Beyond this magnitude a quantity is capped, as in Go. */
const valueMax = 2n ** 63n - 1n;
/** Characters of a quantity's text: longer ones have no meaning and would cost time. */
const lengthMax = 128;

const formatMessage = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const suffixMessage = "unable to parse quantity's suffix";

const shape = /^([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*)([-+]?\d*)$/;

/** Reads `100m`, `1.5Gi`, `2e3`. Finer than a nano is rounded up, larger than 2^63-1 capped, as in Go. */
export function parseQuantity(text: string): QuantityResult {
  if (text === "") return { ok: false, message: formatMessage };
  const match = text.length > lengthMax ? null : shape.exec(text);
  if (match === null) return { ok: false, message: formatMessage };
  const [, sign = "", whole = "", fraction = "", letters = "", tail = ""] = match;
  if (whole === "" && fraction === "") return { ok: false, message: formatMessage };
  const suffix = readSuffix(letters, tail);
  if (suffix === undefined) return { ok: false, message: suffixMessage };
  let digits = BigInt(whole + fraction);
  if (sign === "-") digits = -digits;
  let exponent = -fraction.length;
  if (suffix.format === "binary") digits *= 1024n ** BigInt(suffix.power);
  else exponent += suffix.power;
  return { ok: true, quantity: bounded(digits, exponent, suffix.format) };
}

function readSuffix(letters: string, tail: string): { format: Quantity["format"]; power: number } | undefined {
  if (tail === "") {
    const binary = binarySuffixes.indexOf(letters);
    if (binary > 0) return { format: "binary", power: binary };
    const power = decimalExponents.get(letters);
    return power === undefined ? undefined : { format: "decimal", power };
  }
  if (letters !== "e" && letters !== "E") return undefined;
  if (!/\d/.test(tail)) return undefined;
  const power = Number(tail);
  return Number.isSafeInteger(power) && Math.abs(power) < 2 ** 31 ? { format: "exponent", power } : undefined;
}

/** Rounds up to nanos and caps at 2^63-1, away from zero on both sides. */
function bounded(digits: bigint, exponent: number, format: Quantity["format"]): Quantity {
  if (digits === 0n) return { digits: 0n, exponent: 0, format };
  // A binary quantity below one is shown in decimals: 0.5Ki stays, 0.0005Ki does not.
  if (exponent < -9) {
    const drop = BigInt(-9 - exponent);
    // So small that one nano remains, whatever the digits: avoids raising to huge powers.
    const divisor = drop > 200n ? undefined : 10n ** drop;
    digits = divisor === undefined ? (digits < 0n ? -1n : 1n) : divideUp(digits, divisor);
    exponent = -9;
  }
  if (exponent > 20) return capped(digits, format);
  const magnitude = digits < 0n ? -digits : digits;
  const tooLarge =
    exponent >= 0 ? magnitude * 10n ** BigInt(exponent) > valueMax : magnitude > valueMax * 10n ** BigInt(-exponent);
  return tooLarge ? capped(digits, format) : { digits, exponent, format };
}

function capped(digits: bigint, format: Quantity["format"]): Quantity {
  return { digits: digits < 0n ? -valueMax : valueMax, exponent: 0, format };
}

function divideUp(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  if (quotient * divisor === value) return quotient;
  return value < 0n ? quotient - 1n : quotient + 1n;
}

/** The canonical text: the largest suffix that keeps the mantissa whole. */
export function formatQuantity(quantity: Quantity): string {
  const { digits, exponent } = quantity;
  if (digits === 0n) return "0";
  let format = quantity.format;
  if (format === "binary") {
    const magnitude = scaled(digits < 0n ? -digits : digits, exponent);
    // Go shows binary quantities below 1024, and those with parts, in decimal.
    if (magnitude === undefined || magnitude < 1024n) format = "decimal";
    else return formatBinary(digits < 0n, magnitude);
  }
  return formatDecimal(digits, exponent, format);
}

/** The value as a whole number; undefined when it has parts. */
function scaled(digits: bigint, exponent: number): bigint | undefined {
  if (exponent >= 0) return digits * 10n ** BigInt(exponent);
  const divisor = 10n ** BigInt(-exponent);
  return digits % divisor === 0n ? digits / divisor : undefined;
}

function formatBinary(negative: boolean, magnitude: bigint): string {
  let power = 0;
  while (power < binarySuffixes.length - 1 && magnitude % 1024n === 0n) {
    magnitude /= 1024n;
    power += 1;
  }
  return `${negative ? "-" : ""}${magnitude}${binarySuffixes[power]}`;
}

function formatDecimal(digits: bigint, exponent: number, format: "decimal" | "exponent"): string {
  while (digits % 10n === 0n) {
    digits /= 10n;
    exponent += 1;
  }
  const floor = Math.floor(exponent / 3) * 3;
  const shift = Math.min(floor, format === "decimal" ? 18 : floor);
  digits *= 10n ** BigInt(exponent - shift);
  if (format === "decimal") return `${digits}${decimalSuffixes.get(shift) ?? ""}`;
  return shift === 0 ? `${digits}` : `${digits}e${shift}`;
}

const plainInteger = /^(?:0|[1-9]\d{0,2})(?:m|k|M|G|T|Ki|Mi|Gi|Ti)?$/;
const canonicalCache = new Map<string, string>();
const cacheSizeMax = 1024;

/** The canonical text of a quantity given as text or JSON number. */
export function canonicalizeQuantity(
  value: string | number | bigint,
): { ok: true; value: string } | { ok: false; message: string } {
  const text = typeof value === "string" ? value.trim() : String(value);
  // Up to three digits that are no multiple of 1000 or 1024 are canonical already, except zero with a suffix.
  if (plainInteger.test(text) && text.charCodeAt(0) !== 48) return { ok: true, value: text };
  const cached = canonicalCache.get(text);
  if (cached !== undefined) return { ok: true, value: cached };
  const parsed = parseQuantity(text);
  if (!parsed.ok) return parsed;
  const canonical = formatQuantity(parsed.quantity);
  if (canonicalCache.size >= cacheSizeMax) canonicalCache.clear();
  canonicalCache.set(text, canonical);
  return { ok: true, value: canonical };
}

/** Reads a quantity that is known to be valid (it was decoded); throws a TypeError otherwise. */
export function quantityOf(text: string): Quantity {
  const parsed = parseQuantity(text);
  if (!parsed.ok) throw new TypeError(`Cannot read quantity ${JSON.stringify(text)}: ${parsed.message}`);
  return parsed.quantity;
}

/** Negative, zero or positive, as a is less than, equal to or greater than b. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  const exponent = Math.min(a.exponent, b.exponent);
  const difference = raise(a, exponent) - raise(b, exponent);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** The sum in the notation of `a` (of `b` when `a` is zero). */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  const exponent = Math.min(a.exponent, b.exponent);
  return bounded(raise(a, exponent) + raise(b, exponent), exponent, a.digits === 0n ? b.format : a.format);
}

/** `a - b` in the notation of `a` (of `b` when `a` is zero). */
export function subtractQuantities(a: Quantity, b: Quantity): Quantity {
  return addQuantities(a, { ...b, digits: -b.digits });
}

function raise(quantity: Quantity, exponent: number): bigint {
  return quantity.digits * 10n ** BigInt(quantity.exponent - exponent);
}

/** Thousandths, rounded up (away from zero), as Go's MilliValue; exact as a bigint. */
export function quantityToMillis(quantity: Quantity): bigint {
  return toScale(quantity, -3);
}

/** The whole value, rounded up (away from zero), as Go's Value; exact as a bigint. */
export function quantityToInteger(quantity: Quantity): bigint {
  return toScale(quantity, 0);
}

/** The nearest double. */
export function quantityToNumber(quantity: Quantity): number {
  return Number(`${quantity.digits}e${quantity.exponent}`);
}

function toScale(quantity: Quantity, scale: number): bigint {
  const power = quantity.exponent - scale;
  if (power >= 0) return quantity.digits * 10n ** BigInt(power);
  return divideUp(quantity.digits, 10n ** BigInt(-power));
}

/** A quantity from thousandths, e.g. CPU. */
export function quantityFromMillis(millis: number | bigint): Quantity {
  return bounded(BigInt(millis), -3, "decimal");
}

/** A quantity from a whole number of bytes (`binary`) or units (`decimal`). */
export function quantityFromInteger(value: number | bigint, format: Quantity["format"] = "decimal"): Quantity {
  return bounded(BigInt(value), 0, format);
}
