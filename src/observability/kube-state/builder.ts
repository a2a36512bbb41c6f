import type { Family, LabelValues, Sample } from "#telemetry/metrics.ts";

/** What every object shows of itself. */
export interface StateObject {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly createdMs: number;
  readonly generation: number;
  readonly controller: { readonly kind: string; readonly name: string } | undefined;
}

interface Condition {
  readonly type: string;
  readonly status: string;
}

/** Collects samples of families in the order in which they are first named. */
export class FamilyBuilder {
  readonly #families = new Map<string, { type: Family["type"]; help: string; samples: Sample[] }>();

  gauge(name: string, help: string, labels: LabelValues, value: number | undefined): void {
    this.#add("gauge", name, help, labels, value);
  }

  counter(name: string, help: string, labels: LabelValues, value: number | undefined): void {
    this.#add("counter", name, help, labels, value);
  }

  /** One series a state, of which one is 1. */
  states(
    name: string,
    help: string,
    labels: LabelValues,
    label: string,
    states: readonly string[],
    current: string,
  ): void {
    for (const state of states) this.gauge(name, help, { ...labels, [label]: state }, state === current ? 1 : 0);
  }

  /** `_status_condition` series: true, false and unknown of each condition. */
  conditions(name: string, help: string, labels: LabelValues, conditions: readonly Condition[]): void {
    for (const { type, status } of conditions) {
      this.states(
        name,
        help,
        { ...labels, condition: type },
        "status",
        ["true", "false", "unknown"],
        status.toLowerCase(),
      );
    }
  }

  families(): readonly Family[] {
    return [...this.#families].map(([name, family]) => ({ name, ...family }));
  }

  #add(type: Family["type"], name: string, help: string, labels: LabelValues, value: number | undefined): void {
    if (value === undefined || !Number.isFinite(value)) return;
    let family = this.#families.get(name);
    if (family === undefined) this.#families.set(name, (family = { type, help, samples: [] }));
    family.samples.push({ labels, value });
  }
}
