import type { Random } from "#world/random.ts";
import { keptLeast } from "./limits.ts";

export interface PoolEntry {
  readonly number: number;
  readonly owner: string;
}

/** Numbers that can be given, and who has them. */
export interface Numbers {
  contains(number: number): boolean;
  ownerOf(number: number): string | undefined;
  reserve(number: number, owner: string, until: number): void;
  pick(random: Pick<Random, "float">): number | undefined;
}

/** How many numbers of a range are kept for people, as upstream reckons. */
export function keptForPeople(size: number, { each, most }: { readonly each: number; readonly most: number }): number {
  return size <= keptLeast ? 0 : Math.min(Math.max(keptLeast, Math.floor(size / each)), most);
}

/**
 * Numbers of a range and who has them: addresses (as 32-bit numbers) or ports. Given numbers stay given until `refresh`
 * finds them nowhere, so the pool may think a free number taken, and never a taken one free.
 *
 * The lower part of the range is used last, so that people can choose numbers from it without meeting given ones
 * (Kubernetes: "Service ClusterIP allocation", avoiding collisions).
 */
export class NumberPool implements Numbers {
  readonly first: number;
  readonly last: number;
  readonly #dynamicFirst: number;
  readonly #owners = new Map<number, { owner: string; reservedUntil: number }>();

  constructor(range: { readonly first: number; readonly last: number; readonly keptForPeople: number }) {
    this.first = range.first;
    this.last = range.last;
    this.#dynamicFirst = Math.min(range.first + range.keptForPeople, range.last);
  }

  contains(number: number): boolean {
    return this.first <= number && number <= this.last;
  }

  ownerOf(number: number): string | undefined {
    return this.#owners.get(number)?.owner;
  }

  reserve(number: number, owner: string, until: number): void {
    this.#owners.set(number, { owner, reservedUntil: until });
  }

  /** Takes over what is given in another pool, as far as it lies in the range. */
  takeOver(other: NumberPool): void {
    for (const [number, entry] of other.#owners) if (this.contains(number)) this.#owners.set(number, entry);
  }

  /** A free number, a random one where there is room; undefined when the range is full. */
  pick(random: Pick<Random, "float">): number | undefined {
    return (
      this.#pickBetween(this.#dynamicFirst, this.last, random) ??
      this.#pickBetween(this.first, this.#dynamicFirst - 1, random)
    );
  }

  /** Takes over what is stored now; reservations that are not stored yet stay until they end. */
  refresh(stored: Iterable<PoolEntry>, now: number): void {
    const kept = [...this.#owners].filter(([, entry]) => now < entry.reservedUntil);
    this.#owners.clear();
    for (const [number, entry] of kept) this.#owners.set(number, entry);
    for (const { number, owner } of stored) this.#owners.set(number, { owner, reservedUntil: 0 });
  }

  #pickBetween(first: number, last: number, random: Pick<Random, "float">): number | undefined {
    const size = last - first + 1;
    if (size <= 0) return undefined;
    const start = Math.floor(random.float() * size);
    // Ends: each number of the range is tried once, and a pool of s owners finds a free one within s + 1 steps.
    for (let step = 0; step < size; step++) {
      const number = first + ((start + step) % size);
      if (!this.#owners.has(number)) return number;
    }
    return undefined;
  }
}
