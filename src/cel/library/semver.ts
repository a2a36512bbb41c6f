import { fail } from "../failure.ts";
import { global, member, takes, traversal, type Overload } from "../library.ts";
import { bool, int, opaque, string } from "../types.ts";
import { Opaque } from "../value.ts";

const type = opaque("kubernetes.Semver");
const lengthMax = 256;

class Semver extends Opaque {
  readonly typeName = "kubernetes.Semver";
  readonly numbers: readonly bigint[];
  readonly prerelease: readonly string[];

  constructor(numbers: readonly bigint[], prerelease: readonly string[]) {
    super();
    this.numbers = numbers;
    this.prerelease = prerelease;
  }

  equals(other: Opaque): boolean {
    return other instanceof Semver && compare(this, other) === 0n;
  }
}

const number = "(0|[1-9]\\d*)";
const identifiers = "((?:0|[1-9]\\d*|\\d*[-A-Za-z][-0-9A-Za-z]*)(?:\\.(?:0|[1-9]\\d*|\\d*[-A-Za-z][-0-9A-Za-z]*))*)";
const shape = new RegExp(
  `^${number}\\.${number}\\.${number}(?:-${identifiers})?(?:\\+[-0-9A-Za-z]+(?:\\.[-0-9A-Za-z]+)*)?$`,
);

function parse(text: string, isTolerant: boolean): Semver | undefined {
  if (lengthMax < text.length) return undefined;
  const match = shape.exec(isTolerant ? normalized(text) : text);
  if (match === null) return undefined;
  const numbers = match.slice(1, 4).map((part) => BigInt(part));
  if (numbers.some((each) => 2n ** 64n <= each)) return undefined;
  return new Semver(numbers, match[4]?.split(".") ?? []);
}

/** Drops a `v`, adds missing numbers, drops leading zeros. */
function normalized(text: string): string {
  const [, core = "", rest = ""] = /^v?([0-9.]*)(.*)$/s.exec(text.trim()) ?? [];
  const parts = core.split(".").map((part) => part.replace(/^0+(?=\d)/, ""));
  if (parts.length < 3 && rest !== "") return "";
  while (parts.length < 3) parts.push("0");
  return parts.join(".") + rest;
}

function compare(left: Semver, right: Semver): bigint {
  for (let i = 0; i < 3; i += 1) {
    const x = left.numbers[i] ?? 0n;
    const y = right.numbers[i] ?? 0n;
    if (x !== y) return x < y ? -1n : 1n;
  }
  return comparePrerelease(left.prerelease, right.prerelease);
}

function comparePrerelease(left: readonly string[], right: readonly string[]): bigint {
  // A version comes after its own prereleases.
  if (left.length === 0 || right.length === 0) return BigInt(Math.sign(right.length - left.length));
  for (let i = 0; i < Math.min(left.length, right.length); i += 1) {
    const x = left[i] ?? "";
    const y = right[i] ?? "";
    if (x === y) continue;
    const isNumberX = /^\d+$/.test(x);
    const isNumberY = /^\d+$/.test(y);
    if (isNumberX && isNumberY) return BigInt(x) < BigInt(y) ? -1n : 1n;
    if (isNumberX !== isNumberY) return isNumberX ? -1n : 1n;
    return x < y ? -1n : 1n;
  }
  return BigInt(Math.sign(left.length - right.length));
}

const reading = takes(9, traversal());

function semver(text: string, isTolerant: boolean): Semver {
  return parse(text, isTolerant) ?? fail(`semver parse error during conversion from string: ${text.slice(0, 100)}`);
}

export const semverLibrary: readonly Overload[] = [
  global("semver", [string], type, (text: string) => semver(text, false), reading),
  global("semver", [string, bool], type, semver, reading),
  global("isSemver", [string], bool, (text: string) => parse(text, false) !== undefined, reading),
  global(
    "isSemver",
    [string, bool],
    bool,
    (text: string, isTolerant: boolean) => parse(text, isTolerant) !== undefined,
    reading,
  ),
  member("major", [type], int, ({ numbers }: Semver) => numbers[0] ?? 0n),
  member("minor", [type], int, ({ numbers }: Semver) => numbers[1] ?? 0n),
  member("patch", [type], int, ({ numbers }: Semver) => numbers[2] ?? 0n),
  member("compareTo", [type, type], int, compare),
  member("isGreaterThan", [type, type], bool, (left: Semver, right: Semver) => compare(left, right) === 1n),
  member("isLessThan", [type, type], bool, (left: Semver, right: Semver) => compare(left, right) === -1n),
];
