import type { LabelSelector } from "./generated/meta-v1.ts";
import { parseRequirements } from "./selector-syntax.ts";
import { FieldErrors } from "./validation/field-errors.ts";
import { isLabelValue, isQualifiedName } from "./validation/labels.ts";

export type Labels = Readonly<Record<string, string>> | undefined;

export type Operator = "In" | "NotIn" | "Exists" | "DoesNotExist" | "Equals" | "NotEquals" | "GreaterThan" | "LessThan";

export interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

/** A compiled selector. `pairs` all hold for whatever matches, so an index by pair may narrow the candidates. */
export interface Selector {
  readonly requirements: readonly Requirement[];
  readonly pairs: readonly (readonly [key: string, value: string])[];
  /** Nothing can match (a null LabelSelector). */
  readonly nothing: boolean;
  /** Everything matches. */
  readonly everything: boolean;
  matches(labels: Labels): boolean;
}

export type Parsed<T> = { readonly ok: true; readonly selector: T } | { readonly ok: false; readonly message: string };

type Test = (labels: Labels) => boolean;

const integer = /^[+-]?\d+$/;

function numberTest(key: string, bound: string, compare: (value: bigint, bound: bigint) => boolean): Test {
  const limit = BigInt(bound);
  return (labels) => {
    const value = labels?.[key];
    return value !== undefined && integer.test(value) && compare(BigInt(value), limit);
  };
}

function compile({ key, operator, values }: Requirement): Test {
  const [first = ""] = values;
  switch (operator) {
    case "In":
    case "Equals": {
      if (values.length === 1) return (labels) => labels?.[key] === first;
      const set = new Set(values);
      return (labels) => {
        const value = labels?.[key];
        return value !== undefined && set.has(value);
      };
    }
    case "NotIn":
    case "NotEquals": {
      if (values.length === 1) return (labels) => labels?.[key] !== first;
      const set = new Set(values);
      return (labels) => {
        const value = labels?.[key];
        return value === undefined || !set.has(value);
      };
    }
    // What every object inherits (`constructor`) is no label.
    case "Exists":
      return (labels) => typeof labels?.[key] === "string";
    case "DoesNotExist":
      return (labels) => typeof labels?.[key] !== "string";
    case "GreaterThan":
      return numberTest(key, first, (value, bound) => value > bound);
    case "LessThan":
      return numberTest(key, first, (value, bound) => value < bound);
  }
}

/** A selector that matches what meets all `requirements`. */
function selectorOf(requirements: readonly Requirement[]): Selector {
  const tests = requirements.map(compile);
  const [only] = tests;
  const pairs = requirements
    .filter(({ operator, values }) => (operator === "In" || operator === "Equals") && values.length === 1)
    .map(({ key, values }) => [key, values[0] ?? ""] as const);
  return {
    requirements,
    pairs,
    nothing: false,
    everything: tests.length === 0,
    matches: tests.length === 1 && only !== undefined ? only : (labels) => tests.every((test) => test(labels)),
  };
}

export const everything: Selector = selectorOf([]);

export const nothing: Selector = {
  requirements: [],
  pairs: [],
  nothing: true,
  everything: false,
  matches: () => false,
};

/** The requirements of a map of labels (nodeSelector, a Service's selector). Empty: everything. */
export function selectorOfLabels(labels: Labels): Selector {
  const requirements: Requirement[] = [];
  for (const key in labels) requirements.push({ key, operator: "Equals", values: [labels[key] ?? ""] });
  return selectorOf(requirements);
}

/**
 * A LabelSelector as objects carry it: absent selects nothing, empty everything. Bad operators select nothing too; validation
 * refuses them before they are stored.
 */
export function selectorOfObject(selector: LabelSelector | undefined): Selector {
  if (selector === undefined) return nothing;
  const requirements: Requirement[] = [];
  for (const key in selector.matchLabels) {
    requirements.push({ key, operator: "In", values: [selector.matchLabels[key] ?? ""] });
  }
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    if (operator !== "In" && operator !== "NotIn" && operator !== "Exists" && operator !== "DoesNotExist")
      return nothing;
    requirements.push({ key, operator, values: values ?? [] });
  }
  return selectorOf(requirements);
}

function requirementProblem({ key, operator, values }: Requirement): string | undefined {
  const errors = new FieldErrors();
  errors.invalidEach("key", key, isQualifiedName(key));
  if (operator === "GreaterThan" || operator === "LessThan") {
    const [value = ""] = values;
    if (!integer.test(value))
      errors.invalid("values[0]", value, "for 'Gt', 'Lt' operators, the value must be an integer");
  }
  values.forEach((value, index) => {
    for (const message of isLabelValue(value)) errors.invalid(`values[${index}][${key}]`, value, message);
  });
  const [first] = errors.list;
  return first === undefined ? undefined : `${first.field}: ${first.message}`;
}

/** The `labelSelector` query parameter, e.g. `app=web,tier in (a,b),!legacy`. The message is for the client (400). */
export function parseLabelSelector(text: string): Parsed<Selector> {
  if (text === "") return { ok: true, selector: everything };
  const parsed = parseRequirements(text);
  if (!parsed.ok) return { ok: false, message: `unable to parse requirement: ${parsed.message}` };
  for (const requirement of parsed.requirements) {
    const problem = requirementProblem(requirement);
    if (problem !== undefined) return { ok: false, message: `unable to parse requirement: ${problem}` };
  }
  return { ok: true, selector: selectorOf(parsed.requirements) };
}

const operatorText: Partial<Record<Operator, string>> = {
  Equals: "=",
  NotEquals: "!=",
  GreaterThan: ">",
  LessThan: "<",
};

/** The string form of a selector, as `scale.status.selector` carries it: keys in order, values sorted. */
export function formatSelector(selector: Selector): string {
  return [...selector.requirements]
    .sort((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0))
    .map(formatRequirement)
    .join(",");
}

function formatRequirement({ key, operator, values }: Requirement): string {
  if (operator === "Exists") return key;
  if (operator === "DoesNotExist") return `!${key}`;
  const text = operatorText[operator];
  if (text !== undefined) return `${key}${text}${values[0] ?? ""}`;
  const set = [...values].sort().join(",");
  return `${key} ${operator === "In" ? "in" : "notin"} (${set})`;
}

/** What kubectl prints in columns for a LabelSelector object: `<none>` when empty. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  if (selector === undefined) return "<none>";
  const requirements = selectorOfObject(selector).requirements.map((requirement): Requirement =>
    requirement.operator === "In" &&
    requirement.values.length === 1 &&
    selector.matchLabels?.[requirement.key] !== undefined
      ? { ...requirement, operator: "Equals" }
      : requirement,
  );
  return requirements.length === 0 ? "<none>" : formatSelector(selectorOf(requirements));
}

/** A set of labels in the order of their keys, `a=b,c=d`; `<none>` when empty. */
export function formatLabels(labels: Labels): string {
  const text = Object.keys(labels ?? {})
    .sort()
    .map((key) => `${key}=${labels?.[key] ?? ""}`)
    .join(",");
  return text === "" ? "<none>" : text;
}
