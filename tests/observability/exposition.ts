/** A strict reader of Prometheus' text format, for tests: what it does not understand is an error. */
export interface Exposed {
  /** `name{labels}` with the labels sorted. */
  readonly series: ReadonlyMap<string, number>;
  readonly names: ReadonlySet<string>;
}

const line = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+)(?: (-?\d+))?$/;
const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;

export function readExposition(text: string): Exposed {
  const series = new Map<string, number>();
  const names = new Set<string>();
  const described = new Set<string>();
  if (!text.endsWith("\n")) throw new Error("The page does not end with a newline");
  for (const each of text.split("\n")) {
    if (each === "") continue;
    if (each.startsWith("#")) {
      const [, word, name] = each.split(" ");
      if (word === "TYPE" && described.has(name ?? "")) throw new Error(`${name} is described twice`);
      if (word === "TYPE") described.add(name ?? "");
      continue;
    }
    const match = line.exec(each);
    if (match === null) throw new Error(`No sample: ${each}`);
    const [, name = "", labels = "", value = ""] = match;
    if (Number.isNaN(Number(value)) && value !== "NaN" && !value.endsWith("Inf")) throw new Error(`No number: ${each}`);
    const key = `${name}{${readLabels(labels).join(",")}}`;
    if (series.has(key)) throw new Error(`Twice on one page: ${key}`);
    series.set(key, Number(value));
    names.add(name);
  }
  return { series, names };
}

function readLabels(text: string): string[] {
  const found: string[] = [];
  label.lastIndex = 0;
  while (label.lastIndex < text.length) {
    const at = label.lastIndex;
    const match = label.exec(text);
    if (match === null) throw new Error(`No labels: ${text.slice(at)}`);
    found.push(match[0].replace(/,$/, ""));
  }
  return found.sort();
}
