import type { LabelSelector } from "./generated/meta-v1.ts";

export type Labels = Readonly<Record<string, string>>;

/** Whether labels match a selector; no selector matches nothing, an empty one everything. */
export function labelsMatch(selector: LabelSelector | undefined, labels: Labels): boolean {
  if (selector === undefined) return false;
  for (const key in selector.matchLabels) if (labels[key] !== selector.matchLabels[key]) return false;
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    if (!requirementMatches(labels[key], operator, values)) return false;
  }
  return true;
}

/** One requirement of a label or node selector. Unknown operators match nothing. */
export function requirementMatches(
  value: string | undefined,
  operator: string,
  values: readonly string[] = [],
): boolean {
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    // What every object inherits (`constructor`) is no label.
    case "Exists":
      return typeof value === "string";
    case "DoesNotExist":
      return typeof value !== "string";
    case "Gt":
    case "Lt": {
      if (value === undefined || !isInteger(value) || values.length !== 1 || !isInteger(values[0]!)) return false;
      const difference = BigInt(value) - BigInt(values[0]!);
      return operator === "Gt" ? difference > 0n : difference < 0n;
    }
    default:
      return false;
  }
}

function isInteger(text: string): boolean {
  return /^[+-]?\d{1,19}$/.test(text);
}
