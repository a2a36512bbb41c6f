/** Values of labels by name. Never anything that a client can invent: every family has a bound on its series besides. */
export type LabelValues = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: LabelValues;
  readonly value: number;
  /** Of a histogram's samples, what follows the family's name. */
  readonly suffix?: "_bucket" | "_sum" | "_count";
  /** Milliseconds since 1970, where the value is of another moment than the scrape. */
  readonly atMs?: number;
}

/** One family as Prometheus' text format shows it. */
export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly samples: readonly Sample[];
}

export interface Counter {
  /** Adds 1, or `by`; labels in the order of their names. */
  add(values: readonly string[], by?: number): void;
  /** The one series of these values, for whoever adds often: finding it costs more than adding. */
  series(values: readonly string[]): { add(by?: number): void };
}

export interface Histogram {
  observe(values: readonly string[], value: number): void;
  /** The one series of these values, for whoever observes often; `times`: one that stands for so many. */
  series(values: readonly string[]): { observe(value: number, times?: number): void };
}

/** Ends of buckets that begin with `first` and grow by `factor`. */
export function growingBuckets(first: number, factor: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => first * factor ** index);
}

/** Series of one family; what comes beyond it is counted together, with every label `other`. */
export const seriesMax = 2_000;

/** The upstream buckets of request durations, in seconds. */
export const requestBuckets: readonly number[] = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];
/** From a millisecond to fifteen minutes, doubling, in seconds. */
export const durationBuckets: readonly number[] = growingBuckets(0.001, 2, 20);

/** All series of one process: kept ones, and families that are made when somebody looks. */
export interface Metrics {
  counter(name: string, help: string, labels: readonly string[]): Counter;
  histogram(name: string, help: string, labels: readonly string[], buckets: readonly number[]): Histogram;
  /** Families made at each scrape. */
  collect(families: () => readonly Family[] | Promise<readonly Family[]>): void;
  /** What is kept and collected, for whoever shows it among other families. */
  families(): Promise<readonly Family[]>;
  /** Everything in Prometheus' text format, version 0.0.4; families without a sample by their names. */
  expose(): Promise<string>;
}

export const expositionType = "text/plain; version=0.0.4; charset=utf-8";

interface CounterSeries {
  readonly labels: LabelValues;
  readonly text: string;
  value: number;
}

interface HistogramSeries {
  readonly labels: LabelValues;
  readonly text: string;
  readonly counts: Float64Array;
  sum: number;
  count: number;
}

/** Metrics of a process; nothing is kept that was not declared. */
export function createMetrics(): Metrics {
  const writers: ((lines: string[]) => void)[] = [];
  const kept: (() => Family)[] = [];
  const collectors: (() => readonly Family[] | Promise<readonly Family[]>)[] = [];
  return {
    counter(name, help, labels) {
      const series = new SeriesTable<CounterSeries>(labels, (text, named) => ({ labels: named, text, value: 0 }));
      kept.push(() => ({ name, help, type: "counter", samples: [...series.all()] }));
      writers.push((lines) => {
        lines.push(head(name, help, "counter"));
        for (const { text, value } of series.all()) lines.push(`${name}${braces(text)} ${value}`);
      });
      return {
        add: (values, by = 1) => void (series.of(values).value += by),
        series: (values) => {
          const one = series.of(values);
          return { add: (by = 1) => void (one.value += by) };
        },
      };
    },
    histogram(name, help, labels, buckets) {
      const series = new SeriesTable<HistogramSeries>(labels, (text, named) => ({
        labels: named,
        text,
        counts: new Float64Array(buckets.length),
        sum: 0,
        count: 0,
      }));
      kept.push(() => {
        const samples = [...series.all()].flatMap((one) => histogramSamples(buckets, one));
        return { name, help, type: "histogram", samples };
      });
      writers.push((lines) => {
        lines.push(head(name, help, "histogram"));
        for (const one of series.all()) writeHistogram(lines, name, buckets, one);
      });
      const observe = (one: HistogramSeries, value: number, times = 1): void => {
        if (!Number.isFinite(value)) return;
        one.sum += value * times;
        one.count += times;
        for (let at = 0; at < buckets.length; at++) {
          if (buckets[at]! < value) continue;
          one.counts[at]! += times;
          return;
        }
      };
      return {
        observe: (values, value) => observe(series.of(values), value),
        series: (values) => {
          const one = series.of(values);
          return { observe: (value, times) => observe(one, value, times) };
        },
      };
    },
    collect: (families) => void collectors.push(families),
    async families() {
      const families = kept.map((family) => family());
      for (const collector of collectors) families.push(...(await collector()));
      return families;
    },
    async expose() {
      const lines: string[] = [];
      for (const write of writers) write(lines);
      for (const collector of collectors) for (const family of await collector()) writeFamily(lines, family);
      return `${lines.join("\n")}\n`;
    },
  };
}

/** Families in Prometheus' text format. */
export function exposeFamilies(families: readonly Family[]): string {
  const lines: string[] = [];
  for (const family of families) writeFamily(lines, family);
  return `${lines.join("\n")}\n`;
}

class SeriesTable<T> {
  readonly #labels: readonly string[];
  readonly #make: (text: string, labels: LabelValues) => T;
  readonly #series = new Map<string, T>();

  constructor(labels: readonly string[], make: (text: string, labels: LabelValues) => T) {
    this.#labels = labels;
    this.#make = make;
  }

  all(): IterableIterator<T> {
    return this.#series.values();
  }

  of(values: readonly string[]): T {
    const key = values.join("\u0000");
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size >= seriesMax)
      return this.#add(
        "\u0001",
        this.#labels.map(() => "other"),
      );
    return this.#add(key, values);
  }

  #add(key: string, values: readonly string[]): T {
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const text = this.#labels.map((name, index) => `${name}="${escaped(values[index] ?? "")}"`).join(",");
    const labels = Object.fromEntries(this.#labels.map((name, index) => [name, values[index] ?? ""]));
    const made = this.#make(text, labels);
    this.#series.set(key, made);
    return made;
  }
}

function writeHistogram(lines: string[], name: string, buckets: readonly number[], series: HistogramSeries): void {
  const prefix = series.text === "" ? "" : `${series.text},`;
  let below = 0;
  buckets.forEach((bucket, index) => {
    below += series.counts[index] ?? 0;
    lines.push(`${name}_bucket{${prefix}le="${bucket}"} ${below}`);
  });
  lines.push(`${name}_bucket{${prefix}le="+Inf"} ${series.count}`);
  lines.push(`${name}_sum${braces(series.text)} ${series.sum}`, `${name}_count${braces(series.text)} ${series.count}`);
}

/** The samples of one histogram: `counts` by bucket, `count` of all. */
export function histogramSamples(
  buckets: readonly number[],
  {
    labels,
    counts,
    count,
    sum,
  }: Pick<HistogramSeries, "labels" | "count" | "sum"> & { readonly counts: ArrayLike<number> },
): Sample[] {
  let below = 0;
  const samples = buckets.map((bucket, index): Sample => {
    below += counts[index] ?? 0;
    return { labels: { ...labels, le: String(bucket) }, value: below, suffix: "_bucket" };
  });
  return [
    ...samples,
    { labels: { ...labels, le: "+Inf" }, value: count, suffix: "_bucket" },
    { labels, value: sum, suffix: "_sum" },
    { labels, value: count, suffix: "_count" },
  ];
}

function writeFamily(lines: string[], { name, type, help, samples }: Family): void {
  lines.push(head(name, help, type));
  for (const { labels, value, atMs, suffix = "" } of samples) {
    if (!Number.isFinite(value)) continue;
    let text = "";
    for (const label in labels) text += `${text === "" ? "" : ","}${label}="${escaped(labels[label]!)}"`;
    lines.push(`${name}${suffix}${braces(text)} ${value}${atMs === undefined ? "" : ` ${Math.floor(atMs)}`}`);
  }
}

function head(name: string, help: string, type: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}`;
}

function braces(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}

const special = /[\\"\n]/g;

function escaped(value: string): string {
  return value.replace(special, (char) => (char === "\n" ? "\\n" : `\\${char}`));
}
