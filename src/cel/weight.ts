import { weighedPartsMax } from "./limits.ts";
import { ListValue, MapValue, type Value } from "./value.ts";

/** Parts that are counted at most; beyond them an evaluation has no budget left anyway. */
const weightMax = 100_000_000;

/** Listing and finding a key takes as long as reading so many characters. */
const entryWeight = 30;

/** Thrown when weighing takes long: what has been weighed is remembered, and whoever asks again goes on there. */
export class Unweighed {}
const unweighed = new Unweighed();

/** Data that is being weighed: how far it has come in each of the lists and maps that it is inside of. */
interface Weighing {
  weight: number;
  readonly inside: Part[];
}

interface Part {
  readonly items: object;
  /** Of a map. */
  readonly keys: readonly string[] | undefined;
  readonly size: number;
  next: number;
}

const weights = new WeakMap<object, number>();
const weighings = new WeakMap<object, Weighing>();

/** The weight of JSON data, which is looked through once. Throws `Unweighed` until that is done. */
export function weightOfJson(data: object): number {
  const known = weights.get(data);
  if (known !== undefined) return known;
  const weighing = weighings.get(data) ?? { weight: 1, inside: [partOf(data)] };
  if (!weigh(weighing, weighedPartsMax)) {
    weighings.set(data, weighing);
    throw unweighed;
  }
  weighings.delete(data);
  weights.set(data, weighing.weight);
  return weighing.weight;
}

/** Whether all is weighed after so many parts more. */
function weigh(weighing: Weighing, partsMax: number): boolean {
  const { inside } = weighing;
  let left = partsMax;
  for (let part = inside.at(-1); part !== undefined && weighing.weight < weightMax; part = inside.at(-1)) {
    if (part.next === part.size) {
      inside.pop();
      continue;
    }
    if (left === 0) return false;
    left -= 1;
    const key = part.keys?.[part.next];
    const item = (part.items as Readonly<Record<string | number, unknown>>)[key ?? part.next];
    part.next += 1;
    weighing.weight += 1 + (key === undefined ? 0 : entryWeight + key.length);
    if (typeof item === "string") weighing.weight += item.length;
    else if (typeof item === "object" && item !== null) inside.push(partOf(item));
  }
  return true;
}

function partOf(items: object): Part {
  // Three times as fast as entries, for the parser's objects.
  const keys = Array.isArray(items) ? undefined : Object.keys(items);
  return { items, keys, size: (keys ?? (items as readonly unknown[])).length, next: 0 };
}

/** Everything that a deep look at a value has to touch: characters, elements, entries, at all levels. May throw `Unweighed`. */
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
