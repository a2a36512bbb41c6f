import { isRecord } from "#codec/record.ts";
import { shown } from "../objects/shown.ts";

type Step =
  | { readonly type: "field"; readonly name: string }
  | { readonly type: "index"; readonly at: number }
  | { readonly type: "all" }
  | { readonly type: "filter"; readonly path: readonly Step[]; readonly value: string };

/** Reads the JSONPath of a printer column or selectable field; undefined when it is none that is supported. */
export function parseJsonPath(text: string): ((object: unknown) => unknown[]) | undefined {
  const steps = stepsOf(text.replace(/^\{|\}$/g, "").replace(/^\$/, ""));
  return steps === undefined ? undefined : (object) => walk([object], steps);
}

/** A step: `.name`, `[0]`, `[*]`, `.*`, `['name']`, or a filter for equality. */
const token = new RegExp(
  `^(?:${[
    /\.([A-Za-z_$][-\w$]*(?:\\\.[-\w$/]*)*)/,
    /\[(-?\d+)\]/,
    /\[(\*)\]/,
    /\.(\*)/,
    /\['((?:[^'\\]|\\.)*)'\]/,
    /\[\?\(@((?:\.[\w-]+)+)\s*==\s*(?:"([^"]*)"|'([^']*)')\)\]/,
  ]
    .map((part) => part.source)
    .join("|")})`,
);

function stepsOf(text: string): Step[] | undefined {
  const steps: Step[] = [];
  let rest = text.startsWith(".") || text.startsWith("[") || text === "" ? text : `.${text}`;
  while (rest !== "") {
    const match = token.exec(rest);
    if (match === null) return undefined;
    rest = rest.slice(match[0].length);
    const [, field, index, all, dotAll, quoted, filter, double, single] = match;
    if (field !== undefined) steps.push({ type: "field", name: field.replaceAll("\\.", ".") });
    else if (quoted !== undefined) steps.push({ type: "field", name: quoted.replace(/\\(.)/g, "$1") });
    else if (index !== undefined) steps.push({ type: "index", at: Number(index) });
    else if (all !== undefined || dotAll !== undefined) steps.push({ type: "all" });
    else if (filter !== undefined)
      steps.push({ type: "filter", path: stepsOf(filter) ?? [], value: double ?? single ?? "" });
  }
  return steps;
}

function walk(values: unknown[], steps: readonly Step[]): unknown[] {
  let current = values;
  for (const step of steps) current = current.flatMap((value) => follow(value, step));
  return current.filter((value) => value !== undefined);
}

function follow(value: unknown, step: Step): unknown[] {
  switch (step.type) {
    case "field":
      return isRecord(value) && value[step.name] !== undefined ? [value[step.name]] : [];
    case "index":
      return Array.isArray(value) ? [value.at(step.at)] : [];
    case "all":
      return Array.isArray(value) ? value : isRecord(value) ? Object.values(value) : [];
    case "filter":
      return Array.isArray(value)
        ? value.filter((item) => walk([item], step.path).some((found) => shown(found) === step.value))
        : [];
  }
}
