import { RE2JS } from "re2js";
import { fail } from "./failure.ts";
import { patternFactor, traversalFactor, type Sizes } from "./library.ts";
import type { Value } from "./value.ts";
import { patternLengthMax, patternsMax, patternWorkMax } from "./limits.ts";

interface Compiled {
  readonly pattern: RE2JS;
  readonly instructions: number;
}

const known = new Map<string, Compiled | string>();

/** The compiled pattern, or what is wrong with it. Remembered: rules match the same pattern again and again. */
function compiled(text: string): Compiled | string {
  const found = known.get(text);
  if (found !== undefined) return found;
  const made = compile(text);
  if (patternsMax <= known.size) known.clear();
  known.set(text, made);
  return made;
}

function compile(text: string): Compiled | string {
  if (patternLengthMax < text.length) return "expression exceeds the size limit";
  try {
    const pattern = RE2JS.compile(text);
    return { pattern, instructions: pattern.programSize() };
  } catch (error) {
    return error instanceof Error ? error.message : "invalid expression";
  }
}

/** What is wrong with a regular expression; undefined when nothing is. */
export function patternError(text: string): string | undefined {
  const found = compiled(text);
  return typeof found === "string" ? found : undefined;
}

/** The pattern for a search in a text of this length. Fails when it is none, or when the search could take too long. */
export function patternFor(text: string, length: number): RE2JS {
  const found = compiled(text);
  if (typeof found === "string") return fail(found);
  if (patternWorkMax < found.instructions * length)
    fail("regular expression is too expensive for a text of this length");
  return found.pattern;
}

/** Whether the pattern is found anywhere in the text; in time linear in its length. */
export function matches(text: string, pattern: string): boolean {
  return patternFor(pattern, text.length).matcher(text).find();
}

/** What an instruction of a pattern's machine costs for ten characters, measured against the rest. */
const machineFactor = 5;

/** Reading the text once for each part of the pattern; while it runs, what this pattern's machine has to do, if that is more. */
export function searchCost(sizes: Sizes, operands?: readonly Value[]): number {
  const reading = Math.ceil((1 + (sizes[0] ?? 1)) * traversalFactor);
  const published = reading * Math.ceil((sizes[1] ?? 1) * patternFactor);
  const pattern = operands?.[1];
  if (typeof pattern !== "string") return published;
  const found = compiled(pattern);
  return typeof found === "string" ? published : Math.max(published, found.instructions * reading * machineFactor);
}
