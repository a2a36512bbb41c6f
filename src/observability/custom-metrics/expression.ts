import type { Requirement, Selector } from "#api/selectors.ts";

/** What a selector adds to a query: longer ones make longer requests than Prometheus takes. Characters. */
const selectorLengthMax = 4_000;
const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const perSecond = "_per_second";
/** Time over which a rate is taken: four scrapes. */
const rateWindow = "1m";

/** Whether this can be a metric of Prometheus at all. */
export function isMetricName(name: string): boolean {
  return name.length <= 200 && metricName.test(name);
}

/**
 * The query for one metric, added up by `by`. A name that ends with `_per_second` is also the rate of the counter without that
 * ending, with or without `_total`: the convention of prometheus-adapter.
 */
export function metricExpression(name: string, matchers: readonly string[], by: readonly string[]): string {
  const where = `{${matchers.join(",")}}`;
  const grouped = by.length === 0 ? "" : ` by (${by.join(",")})`;
  const plain = by.length === 0 ? `${name}${where}` : `sum${grouped} (${name}${where})`;
  if (!name.endsWith(perSecond)) return plain;
  const base = name.slice(0, -perSecond.length);
  const rates = [`${base}_total`, base].map((counter) => `sum${grouped} (rate(${counter}${where}[${rateWindow}]))`);
  return [plain, ...rates].join(" or ");
}

export function equals(label: string, value: string): string {
  return `${label}=${quoted(value)}`;
}

export function oneOf(label: string, values: readonly string[]): string {
  return `${label}=~${quoted(values.map(literal).join("|"))}`;
}

/** Why a selector cannot be asked of the history; undefined: it can. */
export function selectorProblem(selector: Selector | undefined): string | undefined {
  const requirements = selector?.requirements ?? [];
  const compared = requirements.find(({ operator }) => operator === "GreaterThan" || operator === "LessThan");
  if (compared !== undefined) return `labels of metrics are texts: ${compared.key} cannot be compared as a number`;
  const length = requirements.reduce((sum, { key, values }) => sum + key.length + values.join(",").length, 0);
  return length <= selectorLengthMax
    ? undefined
    : `the selector of the metric has ${length} characters, ${selectorLengthMax} are the most`;
}

/** A label selector as matchers; characters that Prometheus' label names cannot have become underscores, as in discovery. */
export function selectorMatchers(selector: Selector | undefined): readonly string[] {
  return (selector?.requirements ?? []).flatMap(matcherOf);
}

function matcherOf({ key, operator, values }: Requirement): readonly string[] {
  const label = key.replaceAll(/[^a-zA-Z0-9_]/g, "_");
  switch (operator) {
    case "In":
    case "Equals":
      return [oneOf(label, values)];
    case "NotIn":
    case "NotEquals":
      return [`${label}!~${quoted(values.map(literal).join("|"))}`];
    case "Exists":
      return [`${label}!=""`];
    case "DoesNotExist":
      return [`${label}=""`];
    case "GreaterThan":
    case "LessThan":
      throw new Error(`${key} is compared: selectorProblem says so before`);
  }
}

/** Text that means itself in a regular expression. */
function literal(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
