import { fail } from "../failure.ts";
import { global, member, takes, traversal, type Overload } from "../library.ts";
import { bool, double, int, opaque, string } from "../types.ts";
import { Opaque } from "../value.ts";

const type = opaque("kubernetes.Quantity");
/** Characters of a quantity: longer ones have no meaning and would cost time. */
const lengthMax = 128;
/** Decimal exponents beyond which a quantity is refused. */
const exponentMax = 1_000;

/** An exact decimal: `digits × 10^exponent`. */
class Quantity extends Opaque {
  readonly typeName = "kubernetes.Quantity";
  readonly digits: bigint;
  readonly exponent: number;

  constructor(digits: bigint, exponent: number) {
    super();
    this.digits = digits;
    this.exponent = exponent;
  }

  equals(other: Opaque): boolean {
    return other instanceof Quantity && compare(this, other) === 0n;
  }
}

const shape = /^([-+]?)(\d*)(?:\.(\d*))?(?:([eE][-+]?\d+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?)$/;
const binary: Readonly<Record<string, bigint>> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };
const decimal: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

function parse(text: string): Quantity | undefined {
  const match = lengthMax < text.length ? null : shape.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "", fraction = "", scientific, suffix = ""] = match;
  if (whole === "" && fraction === "") return undefined;
  let digits = BigInt(whole + fraction) << (binary[suffix] ?? 0n);
  if (sign === "-") digits = -digits;
  const exponent = Number(scientific?.slice(1) ?? decimal[suffix] ?? 0) - fraction.length;
  return exponentMax < Math.abs(exponent) ? undefined : new Quantity(digits, exponent);
}

function aligned(left: Quantity, right: Quantity): [left: bigint, right: bigint, exponent: number] {
  const exponent = Math.min(left.exponent, right.exponent);
  return [
    left.digits * 10n ** BigInt(left.exponent - exponent),
    right.digits * 10n ** BigInt(right.exponent - exponent),
    exponent,
  ];
}

function compare(left: Quantity, right: Quantity): bigint {
  const [x, y] = aligned(left, right);
  return x < y ? -1n : y < x ? 1n : 0n;
}

function sum(left: Quantity, right: Quantity, sign: 1n | -1n): Quantity {
  const [x, y, exponent] = aligned(left, right);
  return new Quantity(x + sign * y, exponent);
}

/** The whole number that it is; undefined when it has a fraction or does not fit into 64 bits. */
function integerOf({ digits, exponent }: Quantity): bigint | undefined {
  const scale = 10n ** BigInt(Math.abs(exponent));
  if (exponent < 0 && digits % scale !== 0n) return undefined;
  const value = exponent < 0 ? digits / scale : digits * scale;
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

function ofInt(value: bigint): Quantity {
  return new Quantity(value, 0);
}

const reading = takes(7, traversal());

export const quantityLibrary: readonly Overload[] = [
  global(
    "quantity",
    [string],
    type,
    (text: string) => parse(text) ?? fail(`invalid quantity: ${text.slice(0, 100)}`),
    reading,
  ),
  global("isQuantity", [string], bool, (text: string) => parse(text) !== undefined, reading),
  member("sign", [type], int, ({ digits }: Quantity) => (digits < 0n ? -1n : 0n < digits ? 1n : 0n)),
  member("isInteger", [type], bool, (value: Quantity) => integerOf(value) !== undefined),
  member("asInteger", [type], int, (value: Quantity) => integerOf(value) ?? fail("cannot convert value to integer")),
  member("asApproximateFloat", [type], double, ({ digits, exponent }: Quantity) => Number(`${digits}e${exponent}`)),
  member("compareTo", [type, type], int, compare),
  member("isGreaterThan", [type, type], bool, (left: Quantity, right: Quantity) => compare(left, right) === 1n),
  member("isLessThan", [type, type], bool, (left: Quantity, right: Quantity) => compare(left, right) === -1n),
  member("add", [type, type], type, (left: Quantity, right: Quantity) => sum(left, right, 1n), takes(3)),
  member("add", [type, int], type, (left: Quantity, right: bigint) => sum(left, ofInt(right), 1n), takes(3)),
  member("sub", [type, type], type, (left: Quantity, right: Quantity) => sum(left, right, -1n), takes(3)),
  member("sub", [type, int], type, (left: Quantity, right: bigint) => sum(left, ofInt(right), -1n), takes(3)),
];
