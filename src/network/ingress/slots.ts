import { backendSlotsFirst, backendSlotsMax, podSlotsBase, podSlotsFirst, podSlotsMax } from "./limits.ts";

/** Which numbered place each backend and certificate has. Names of users never reach HAProxy; numbers do. */
export interface Slots {
  /** Places for backends that HAProxy was started with. */
  readonly count: number;
  /** Places for backends that pods reach as Services: their numbers follow `podSlotsBase`. */
  readonly podCount: number;
  /** Backend id to its number, from 1. */
  readonly backends: ReadonlyMap<string, number>;
  /** Certificate id to its number, from 1. */
  readonly certificates: ReadonlyMap<string, number>;
}

export const noSlots: Slots = {
  count: backendSlotsFirst,
  podCount: podSlotsFirst,
  backends: new Map(),
  certificates: new Map(),
};

/** Keeps the places of those that stay, gives free ones to the new. A greater `count` than before needs a reload. */
export function assignSlots(
  slots: Slots,
  backends: Iterable<string>,
  certificates: Iterable<string>,
  forPods: Iterable<string> = [],
): Slots {
  const assigned = assign(slots.backends, [...backends], 0);
  const assignedToPods = assign(slots.backends, [...forPods], podSlotsBase);
  return {
    count: enough(slots.count, assigned, 0, backendSlotsMax),
    podCount: enough(slots.podCount, assignedToPods, podSlotsBase, podSlotsMax),
    backends: new Map([...assigned, ...assignedToPods]),
    certificates: assign(slots.certificates, [...certificates], 0),
  };
}

function enough(count: number, assigned: ReadonlyMap<string, number>, base: number, most: number): number {
  const highest = Math.max(0, ...assigned.values()) - base;
  let now = count;
  while (now < highest) now *= 2;
  if (most < now) throw new Error(`Cannot serve ${assigned.size} backends: ${most} are the limit`);
  return now;
}

function assign(before: ReadonlyMap<string, number>, ids: readonly string[], base: number): Map<string, number> {
  const wanted = new Set(ids);
  const kept = new Map([...before].filter(([id, slot]) => wanted.has(id) && base < slot));
  const used = new Set(kept.values());
  let next = base + 1;
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
  const { count, podCount, backends, certificates } = slots;
  return JSON.stringify({ count, podCount, backends: [...backends], certificates: [...certificates] });
}

/** Undefined when the text is none of ours: then HAProxy is set up anew. */
export function readSlots(text: string): Slots | undefined {
  try {
    const { count, podCount, backends, certificates } = JSON.parse(text) as {
      count: number;
      podCount: number;
      backends: [string, number][];
      certificates: [string, number][];
    };
    if (!Number.isInteger(count) || count < 1 || backendSlotsMax < count) return undefined;
    if (!Number.isInteger(podCount) || podCount < 1 || podSlotsMax < podCount) return undefined;
    return { count, podCount, backends: new Map(backends), certificates: new Map(certificates) };
  } catch {
    return undefined;
  }
}
