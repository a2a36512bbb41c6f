import type { LabelSelector } from "#api/generated/meta-v1.ts";
import type { Labels } from "#api/label-match.ts";

/** What speaks of pods by label selectors, found by a pod's labels: only what may speak of it is looked at. */
export class SelectorIndex<T> {
  /** By a label, as `key=value`, that pods must have. */
  readonly #byLabel = new Map<string, Set<T>>();
  readonly #others = new Set<T>();

  add(selector: LabelSelector | undefined, value: T): void {
    const labels = neededLabels(selector);
    if (labels === undefined) this.#others.add(value);
    for (const label of labels ?? []) insert(this.#byLabel, label, value);
  }

  remove(selector: LabelSelector | undefined, value: T): void {
    this.#others.delete(value);
    for (const label of neededLabels(selector) ?? []) take(this.#byLabel, label, value);
  }

  /** Each once. */
  mayMatch(labels: Labels): T[] {
    const found = [...this.#others];
    for (const key in labels) found.push(...(this.#byLabel.get(`${key}=${labels[key]}`) ?? []));
    return found;
  }
}

/** What has labels, found by selectors: only what may match is looked at. */
export class LabelIndex<T extends { readonly labels: Labels }> {
  readonly #all = new Set<T>();
  /** By each of their labels, as `key=value`. */
  readonly #byLabel = new Map<string, Set<T>>();

  add(value: T): void {
    this.#all.add(value);
    for (const key in value.labels) insert(this.#byLabel, `${key}=${value.labels[key]}`, value);
  }

  remove(value: T): void {
    this.#all.delete(value);
    for (const key in value.labels) take(this.#byLabel, `${key}=${value.labels[key]}`, value);
  }

  /** Each once. Without `selector`: all. */
  mayMatch(selector: LabelSelector | undefined): Iterable<T> {
    const labels = selector === undefined ? undefined : neededLabels(selector);
    return labels === undefined ? this.#all : labels.flatMap((label) => [...(this.#byLabel.get(label) ?? [])]);
  }
}

function insert<T>(sets: Map<string, Set<T>>, key: string, value: T): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function take<T>(sets: Map<string, Set<T>>, key: string, value: T): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}

/** Labels of which a pod must have one, all of one key, so that the selector can match; undefined: none. No selector matches nothing. */
function neededLabels(selector: LabelSelector | undefined): string[] | undefined {
  if (selector === undefined) return [];
  for (const key in selector.matchLabels) return [`${key}=${selector.matchLabels[key]}`];
  const oneOf = selector.matchExpressions?.find(({ operator }) => operator === "In");
  return oneOf?.values?.map((value) => `${oneOf.key}=${value}`);
}
