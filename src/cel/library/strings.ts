import { fail } from "../failure.ts";
import { global, member, traversal, traversalFactor, type Overload, type Sizes } from "../library.ts";
import { resultLengthMax } from "../limits.ts";
import { dyn, int, list, string } from "../types.ts";
import { ArrayList, lengthOf, type ListValue, type Value } from "../value.ts";
import { weightOf } from "../weight.ts";
import { format } from "./format-string.ts";

const sameSize = (sizes: Sizes): number => sizes[0] ?? 0;
const reading = { cost: traversal(), resultSize: sameSize };
/** Character by character, into a list and out of it. */
const turning = {
  cost: ([size = 1]: Sizes, operands?: readonly Value[]) =>
    Math.ceil(size * (operands === undefined ? 1 : 4) * traversalFactor),
  resultSize: sameSize,
};
/** Parts of lists and maps take longer to write than characters of a text. */
const writingFactor = 12;
/** A search may have to look at the part anew at each character. */
const seeking = (times: number) => ({
  cost: ([size = 1, part = 1]: Sizes, operands?: readonly Value[]) =>
    Math.ceil(size * times * traversalFactor) + (operands === undefined ? 0 : Math.ceil((size * part) / 1_000)),
  resultSize: sameSize,
});
const searching = seeking(1);
const rebuilding = seeking(2);

/** What replaced texts may grow to: each character surrounded by the longest replacement. */
const replaced = {
  cost: (sizes: Sizes, operands?: readonly Value[]) => {
    const [size = 0, old = 0, next = 0] = sizes;
    const growth = operands !== undefined && old === 0 ? size * next : 0;
    const again = operands === undefined ? 0 : (size * old) / 1_000;
    return Math.ceil((size * 2 + growth) * traversalFactor + again);
  },
  resultSize: ([size = 0, , next = 0]: Sizes) => size + (size + 1) * next,
};

const joining = {
  cost: ([size = 0, separator = 0]: Sizes, operands?: readonly Value[]) =>
    Math.ceil(((operands?.[0] === undefined ? size : weightOf(operands[0])) + size * separator) * traversalFactor),
  resultSize: ([size = 0, separator = 0]: Sizes) => size * (1 + separator),
};

/** The strings extension, by code points. */
export const stringLibrary: readonly Overload[] = [
  member("charAt", [string, int], string, charAt, reading),
  member("indexOf", [string, string], int, (text: string, part: string) => indexOf(text, part, 0n), searching),
  member("indexOf", [string, string, int], int, indexOf, searching),
  member("lastIndexOf", [string, string], int, (text: string, part: string) => lastIndexOf(text, part), searching),
  member("lastIndexOf", [string, string, int], int, lastIndexOf, searching),
  member("lowerAscii", [string], string, lowerAscii, reading),
  member("upperAscii", [string], string, upperAscii, reading),
  member(
    "replace",
    [string, string, string],
    string,
    (text: string, old: string, next: string) => replace(text, old, next, -1n),
    replaced,
  ),
  member("replace", [string, string, string, int], string, replace, replaced),
  member("split", [string, string], list(string), (text: string, by: string) => split(text, by, -1n), rebuilding),
  member("split", [string, string, int], list(string), split, rebuilding),
  member("substring", [string, int], string, (text: string, from: bigint) => substring(text, from, undefined), reading),
  member("substring", [string, int, int], string, substring, reading),
  member("trim", [string], string, trim, reading),
  member("reverse", [string], string, (text: string) => [...text].reverse().join(""), turning),
  member("join", [list(string)], string, (texts: ListValue) => join(texts, ""), joining),
  member("join", [list(string), string], string, join, joining),
  member("format", [string, list(dyn)], string, format, {
    cost: ([size = 0, values = 0], operands) =>
      Math.ceil((size + (operands?.[1] === undefined ? 0 : writingFactor * weightOf(operands[1]))) * traversalFactor) +
      values,
  }),
  global("strings.quote", [string], string, quote, reading),
];

/** Strings without surrogates are indexed directly. */
function isFlat(text: string): boolean {
  return lengthOf(text) === text.length;
}

function charAt(text: string, index: bigint): string {
  const characters = isFlat(text) ? text : [...text];
  const at = Number(index);
  if (at < 0 || characters.length < at) return fail(`index out of range: ${index}`);
  return characters[at] ?? "";
}

/** The index in UTF-16 of a code point. */
function unitsAt(text: string, codePoints: number): number {
  if (isFlat(text)) return codePoints;
  return [...text].slice(0, codePoints).join("").length;
}

function indexOf(text: string, part: string, from: bigint): bigint {
  const start = Number(from);
  if (start < 0 || lengthOf(text) < start) return part === "" ? from : fail(`index out of range: ${from}`);
  if (part === "") return from;
  const at = text.indexOf(part, unitsAt(text, start));
  return at < 0 ? -1n : BigInt(lengthOf(text.slice(0, at)));
}

function lastIndexOf(text: string, part: string, from?: bigint): bigint {
  const length = lengthOf(text);
  if (from !== undefined && (from < 0n || length <= Number(from))) return fail(`index out of range: ${from}`);
  if (part === "") return from ?? BigInt(length);
  const at = text.lastIndexOf(part, from === undefined ? undefined : unitsAt(text, Number(from)));
  return at < 0 ? -1n : BigInt(lengthOf(text.slice(0, at)));
}

function lowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function upperAscii(text: string): string {
  return text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}

function replace(text: string, old: string, next: string, limit: bigint): string {
  if (limit === 0n) return text;
  const most = limit < 0n ? Number.MAX_SAFE_INTEGER : Number(limit);
  const pieces = old === "" ? emptySplit(text) : text.split(old);
  const count = Math.min(pieces.length - 1, most);
  if (resultLengthMax < text.length + count * next.length) return fail("string is too long");
  const head = pieces.slice(0, count + 1).join(next);
  return count + 1 < pieces.length ? head + old + pieces.slice(count + 1).join(old) : head;
}

/** An empty text is found before each character and at the end. */
function emptySplit(text: string): string[] {
  return ["", ...text, ""];
}

function split(text: string, by: string, limit: bigint): ListValue {
  if (limit === 0n) return new ArrayList([]);
  if (limit === 1n) return new ArrayList([text]);
  const all = by === "" ? [...text] : text.split(by);
  const most = limit < 0n ? all.length : Number(limit);
  if (all.length <= most) return new ArrayList(all);
  return new ArrayList([...all.slice(0, most - 1), all.slice(most - 1).join(by)]);
}

function substring(text: string, from: bigint, to: bigint | undefined): string {
  const length = lengthOf(text);
  const start = Number(from);
  const end = to === undefined ? length : Number(to);
  if (start < 0 || length < start) return fail(`index out of range: ${from}`);
  if (end < 0 || length < end) return fail(`index out of range: ${end}`);
  if (end < start) return fail(`invalid substring range. start: ${start}, end: ${end}`);
  return length === text.length ? text.slice(start, end) : [...text].slice(start, end).join("");
}

/** Unicode's white space, which is what JavaScript trims too but for U+FEFF and U+0085. */
const space = "[\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const oneSpace = new RegExp(space);

function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && oneSpace.test(text[start] ?? "")) start += 1;
  while (start < end && oneSpace.test(text[end - 1] ?? "")) end -= 1;
  return text.slice(start, end);
}

function join(texts: ListValue, separator: string): string {
  const parts: string[] = [];
  let length = 0;
  for (let i = 0; i < texts.size; i += 1) {
    const text = texts.at(i);
    if (typeof text !== "string") return fail("no such overload");
    length += text.length + separator.length;
    if (resultLengthMax < length) return fail("string is too long");
    parts.push(text);
  }
  return parts.join(separator);
}

const escapes: Readonly<Record<string, string>> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};

/** The text as a literal. */
function quote(text: string): string {
  // eslint-disable-next-line no-control-regex
  return `"${text.replace(/[\u0007-\r\\"]/g, (character) => escapes[character] ?? character).toWellFormed()}"`;
}
