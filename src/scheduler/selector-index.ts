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
    for (const label of labels ?? []) {
      const same = this.#byLabel.get(label);
      if (same === undefined) this.#byLabel.set(label, new Set([value]));
      else same.add(value);
    }
  }

  remove(selector: LabelSelector | undefined, value: T): void {
    this.#others.delete(value);
    for (const label of neededLabels(selector) ?? []) {
      const same = this.#byLabel.get(label);
      same?.delete(value);
      if (same?.size === 0) this.#byLabel.delete(label);
    }
  }

  /** Each once. */
  mayMatch(labels: Labels): T[] {
    const found = [...this.#others];
    for (const key in labels) found.push(...(this.#byLabel.get(`${key}=${labels[key]}`) ?? []));
    return found;
  }
}

/** Labels of which a pod must have one, all of one key, so that the selector can match; undefined: none. No selector matches nothing. */
function neededLabels(selector: LabelSelector | undefined): string[] | undefined {
  if (selector === undefined) return [];
  for (const key in selector.matchLabels) return [`${key}=${selector.matchLabels[key]}`];
  const oneOf = selector.matchExpressions?.find(({ operator }) => operator === "In");
  return oneOf?.values?.map((value) => `${oneOf.key}=${value}`);
}
