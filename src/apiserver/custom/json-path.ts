import { isRecord } from "#codec/record.ts";
import { shown } from "../objects/shown.ts";
import { pathValuesMax } from "./limits.ts";

/**
 * A step from values to values. The part of kubectl's JSONPath (https://kubernetes.io/docs/reference/kubectl/jsonpath/) that one
 * path can hold: all but ranges and text around it.
 */
type Step =
  | { readonly type: "field"; readonly name: string }
  | { readonly type: "slice"; readonly from: number; readonly to: number | undefined; readonly by: number }
  | { readonly type: "all" }
  | { readonly type: "descend" }
  | { readonly type: "union"; readonly parts: readonly Step[] }
  | { readonly type: "filter"; readonly test: Test };

interface Test {
  readonly left: Operand;
  readonly operator: string;
  /** Undefined where only the presence of the left side counts. */
  readonly right: Operand | undefined;
}

type Operand = { readonly path: readonly Step[] } | { readonly literal: string | number | boolean };

/** Reads the JSONPath of a printer column or selectable field; undefined when it is none. */
export function parseJsonPath(text: string): ((object: unknown) => unknown[]) | undefined {
  const path = text.replace(/^\{([^]*)\}$/, "$1").replace(/^\$/, "");
  const steps = stepsOf(/^[.[]/.test(path) || path === "" ? path : `.${path}`);
  return steps === undefined ? undefined : (object) => walk([object], steps);
}

const token = new RegExp(
  `^(?:${[
    /(\.\.)(?=[^.])/,
    /\.?\[((?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\[[^\]]*\]|[^[\]"'])*)\]/,
    /\.?((?:[^\s.,[\]{}$@\\]|\\.)+)/,
  ]
    .map((part) => part.source)
    .join("|")})`,
);

function stepsOf(text: string): Step[] | undefined {
  const steps: Step[] = [];
  let rest = text;
  while (rest !== "") {
    const match = token.exec(rest);
    if (match === null) return undefined;
    rest = rest.slice(match[0].length);
    const [, descends, bracketed, name = ""] = match;
    if (descends !== undefined) steps.push({ type: "descend" });
    else if (bracketed === undefined)
      steps.push(name === "*" ? { type: "all" } : { type: "field", name: unescaped(name) });
    else {
      const step = bracketStep(bracketed.trim());
      if (step === undefined) return undefined;
      steps.push(step);
    }
  }
  return steps;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, "$1");
}

/** What stands between brackets: a filter, or one or several of `*`, `0`, `-1:`, `'name'`. */
function bracketStep(text: string): Step | undefined {
  const filter = /^\?\(([^]*)\)$/.exec(text);
  if (filter !== null) return filterStep(filter[1]!.trim());
  const parts = (text.match(/(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^,"'])+/g) ?? []).map((part) =>
    choice(part.trim()),
  );
  const known = parts.filter((part) => part !== undefined);
  if (parts.length === 0 || known.length < parts.length) return undefined;
  return known.length === 1 ? known[0] : { type: "union", parts: known };
}

function choice(text: string): Step | undefined {
  if (text === "*") return { type: "all" };
  const name = quoted(text);
  if (name !== undefined) return { type: "field", name };
  const slice = /^(-?\d*)(?:(:)(-?\d*)(?::(\d*))?)?$/.exec(text);
  if (slice === null || text === "") return undefined;
  const [, from = "", isRange, to = "", by = ""] = slice;
  const start = Number(from);
  if (isRange === undefined) return { type: "slice", from: start, to: start === -1 ? undefined : start + 1, by: 1 };
  return { type: "slice", from: start, to: to === "" ? undefined : Number(to), by: Number(by) || 1 };
}

function quoted(text: string): string | undefined {
  const match = /^(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')$/.exec(text);
  return match === null ? undefined : unescaped(match[1] ?? match[2] ?? "");
}

function filterStep(text: string): Step | undefined {
  const match = /^((?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^"'=!<>])+)(?:(==|!=|<=|>=|<|>)([^]+))?$/.exec(text);
  if (match === null) return undefined;
  const left = operand(match[1]!.trim());
  const right = match[3] === undefined ? undefined : operand(match[3].trim());
  if (left === undefined || (match[3] !== undefined && right === undefined)) return undefined;
  return { type: "filter", test: { left, operator: match[2] ?? "", right } };
}

function operand(text: string): Operand | undefined {
  const literal = quoted(text);
  if (literal !== undefined) return { literal };
  if (text === "true" || text === "false") return { literal: text === "true" };
  if (/^-?\d+(\.\d+)?$/.test(text)) return { literal: Number(text) };
  if (!/^[@.$]/.test(text)) return undefined;
  const path = stepsOf(text.replace(/^[@$]/, ""));
  // A look at everything below for each of many would take its time.
  return path === undefined || path.some(({ type }) => type === "descend") ? undefined : { path };
}

/** The values behind the steps, the first `pathValuesMax` at each: steps to several can multiply. */
function walk(values: unknown[], steps: readonly Step[]): unknown[] {
  let current = values;
  for (const step of steps) {
    const next: unknown[] = [];
    for (const value of current) {
      for (const found of follow(value, step)) if (next.length < pathValuesMax) next.push(found);
      if (next.length === pathValuesMax) break;
    }
    current = next;
  }
  return current;
}

function follow(value: unknown, step: Step): unknown[] {
  switch (step.type) {
    case "field":
      return isRecord(value) && value[step.name] !== undefined ? [value[step.name]] : [];
    case "slice":
      return Array.isArray(value) ? sliced(value, step.from, step.to, step.by) : [];
    case "all":
      return childrenOf(value);
    case "descend":
      return [value, ...descendants(value)];
    case "union":
      return step.parts.flatMap((part) => follow(value, part));
    case "filter":
      return childrenOf(value).filter((item) => holds(step.test, item));
  }
}

/** Nothing where the start lies outside: as upstream, a place that is not there shows nothing. */
function sliced(values: readonly unknown[], from: number, to: number | undefined, by: number): unknown[] {
  const start = from < 0 ? from + values.length : from;
  if (start < 0 || values.length <= start) return [];
  return values.slice(start, to).filter((_, index) => index % by === 0);
}

function childrenOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  return isRecord(value) ? Object.values(value) : [];
}

/** In the order of the document; without recursion, because objects may be nested deeply. */
function descendants(value: unknown): unknown[] {
  const found: unknown[] = [];
  const waiting: unknown[][] = [childrenOf(value).toReversed()];
  for (let level = waiting.at(-1); level !== undefined && found.length < pathValuesMax; level = waiting.at(-1)) {
    if (level.length === 0) waiting.pop();
    else {
      const next = level.pop();
      found.push(next);
      waiting.push(childrenOf(next).toReversed());
    }
  }
  return found;
}

function holds({ left, operator, right }: Test, item: unknown): boolean {
  const [first] = valuesOf(left, item);
  if (right === undefined) return first !== undefined;
  const [second] = valuesOf(right, item);
  if (first === undefined || second === undefined) return false;
  const order = compare(first, second);
  switch (operator) {
    case "==":
      return order === 0;
    case "!=":
      return order !== 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    default:
      return order >= 0;
  }
}

function valuesOf(given: Operand, item: unknown): unknown[] {
  return "path" in given ? walk([item], given.path) : [given.literal];
}

/** Negative, 0 or positive; numbers by size, everything else as text. */
function compare(left: unknown, right: unknown): number {
  if (isNumber(left) && isNumber(right)) return left < right ? -1 : left > right ? 1 : 0;
  const [first, second] = [shown(left), shown(right)];
  return first < second ? -1 : first > second ? 1 : 0;
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}
