import { backendSlotsFirst, backendSlotsMax } from "./limits.ts";

/** Which numbered place each backend and certificate has. Names of users never reach HAProxy; numbers do. */
export interface Slots {
  /** Places for backends that HAProxy was started with. */
  readonly count: number;
  /** Backend id to its number, from 1. */
  readonly backends: ReadonlyMap<string, number>;
  /** Certificate id to its number, from 1. */
  readonly certificates: ReadonlyMap<string, number>;
}

export const noSlots: Slots = {
  count: backendSlotsFirst,
  backends: new Map(),
  certificates: new Map(),
};

/** Keeps the places of those that stay, gives free ones to the new. A greater `count` than before needs a reload. */
export function assignSlots(slots: Slots, backends: Iterable<string>, certificates: Iterable<string>): Slots {
  const assigned = assign(slots.backends, [...backends]);
  let { count } = slots;
  const highest = Math.max(0, ...assigned.values());
  while (count < highest) count *= 2;
  if (backendSlotsMax < count)
    throw new Error(`Cannot serve ${assigned.size} backends: ${backendSlotsMax} are the limit`);
  return {
    count,
    backends: assigned,
    certificates: assign(slots.certificates, [...certificates]),
  };
}

function assign(before: ReadonlyMap<string, number>, ids: readonly string[]): Map<string, number> {
  const wanted = new Set(ids);
  const kept = new Map([...before].filter(([id]) => wanted.has(id)));
  const used = new Set(kept.values());
  let next = 1;
  for (const id of wanted) {
    if (kept.has(id)) continue;
    while (used.has(next)) next += 1;
    used.add(next);
    kept.set(id, next);
  }
  return kept;
}

export function backendName(slot: number): string {
  return `b${String(slot).padStart(4, "0")}`;
}

export function serverName(slot: number): string {
  return `s${String(slot).padStart(4, "0")}`;
}

export function certificateFile(slot: number): string {
  return `c${String(slot).padStart(4, "0")}.pem`;
}

/** For the file that outlives us. */
export function writeSlots(slots: Slots): string {
  const { count, backends, certificates } = slots;
  return JSON.stringify({ count, backends: [...backends], certificates: [...certificates] });
}

/** Undefined when the text is none of ours: then HAProxy is set up anew. */
export function readSlots(text: string): Slots | undefined {
  try {
    const { count, backends, certificates } = JSON.parse(text) as {
      count: number;
      backends: [string, number][];
      certificates: [string, number][];
    };
    if (!Number.isInteger(count) || count < 1 || backendSlotsMax < count) return undefined;
    return { count, backends: new Map(backends), certificates: new Map(certificates) };
  } catch {
    return undefined;
  }
}
