import { member, type Overload, type Sizes } from "../library.ts";
import { patternFor, searchCost } from "../pattern.ts";
import { int, list, string } from "../types.ts";
import { ArrayList, type ListValue, type Value } from "../value.ts";

export const regexLibrary: readonly Overload[] = [
  member("find", [string, string], string, find, { cost: searchCost, resultSize: (sizes) => sizes[0] ?? 0 }),
  member("findAll", [string, string], list(string), (text: string, pattern: string) => findAll(text, pattern, -1n), {
    cost: findAllCost,
    resultSize: (sizes) => sizes[0] ?? 0,
  }),
  member("findAll", [string, string, int], list(string), findAll, {
    cost: findAllCost,
    resultSize: (sizes) => sizes[0] ?? 0,
  }),
];

/** Each character may be a find of its own. */
function findAllCost(sizes: Sizes, operands?: readonly Value[]): number {
  const [text] = operands ?? [];
  return searchCost(sizes, operands) + (typeof text === "string" ? 2 * text.length : 0);
}

function find(text: string, pattern: string): string {
  const matcher = patternFor(pattern, text.length).matcher(text);
  return matcher.find() ? (matcher.group() ?? "") : "";
}

function findAll(text: string, pattern: string, limit: bigint): ListValue {
  const matcher = patternFor(pattern, text.length).matcher(text);
  const found: string[] = [];
  const most = limit < 0n ? text.length + 1 : Number(limit);
  while (found.length < most && matcher.find()) found.push(matcher.group() ?? "");
  return new ArrayList(found);
}
