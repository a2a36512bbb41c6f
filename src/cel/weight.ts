import { ListValue, MapValue, type Value } from "./value.ts";

/** Parts that are counted at most; beyond them an evaluation has no budget left anyway. */
const weightMax = 100_000_000;

/** Listing and finding a key takes as long as reading so many characters. */
const entryWeight = 30;

const weights = new WeakMap<object, number>();

/** The weight of JSON data, which is looked through once. */
export function weightOfJson(data: object): number {
  const known = weights.get(data);
  if (known !== undefined) return known;
  let weight = 0;
  const pending: unknown[] = [data];
  for (let next = pending.pop(); next !== undefined && weight < weightMax; next = pending.pop()) {
    weight += 1;
    if (typeof next === "string") weight += next.length;
    else if (Array.isArray(next)) for (const item of next) pending.push(item);
    else if (typeof next === "object" && next !== null) {
      // Three times as fast as entries, for the parser's objects.
      for (const key of Object.keys(next)) {
        weight += entryWeight + key.length;
        pending.push((next as Readonly<Record<string, unknown>>)[key]);
      }
    }
  }
  weights.set(data, weight);
  return weight;
}

/** Everything that a deep look at a value has to touch: characters, elements, entries, at all levels. */
export function weightOf(value: Value): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 1;
  if (value instanceof Uint8Array) return value.length;
  if (!(value instanceof ListValue) && !(value instanceof MapValue)) return 1;
  let weight = 0;
  const pending: Value[] = [value];
  for (let next = pending.pop(); next !== undefined && weight < weightMax; next = pending.pop()) {
    weight += 1;
    const known = next instanceof ListValue || next instanceof MapValue ? next.knownWeight : undefined;
    if (known !== undefined) weight += known;
    else if (typeof next === "string" || next instanceof Uint8Array) weight += next.length;
    else if (next instanceof ListValue) for (let i = 0; i < next.size; i += 1) pending.push(next.at(i));
    else if (next instanceof MapValue) {
      for (const key of next.keys()) {
        weight += entryWeight;
        pending.push(key, next.get(key) ?? null);
      }
    }
  }
  return weight;
}
