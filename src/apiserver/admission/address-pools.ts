import { parseCidr, type Cidr } from "#base/cidr.ts";
import type { Random } from "#world/random.ts";
import { addressesKept } from "./limits.ts";
import { keptForPeople, NumberPool, type Numbers, type PoolEntry } from "./number-pool.ts";

/**
 * Addresses of several networks, which may overlap: the cluster's own, which stays, and those of ServiceCIDRs. Addresses are given
 * from the first network that has one.
 */
export class AddressPools implements Numbers {
  readonly #own: Cidr;
  #pools: ReadonlyMap<Cidr, NumberPool>;

  /** Throws when `own` is no IPv4 network with room. */
  constructor(own: Cidr) {
    const pool = poolOf(own);
    if (pool === undefined) throw new Error(`Cannot give addresses: "${own}" is no IPv4 network with room`);
    this.#own = own;
    this.#pools = new Map([[own, pool]]);
  }

  /** The networks, for people. */
  get text(): string {
    return [...this.#pools.keys()].join(", ");
  }

  /** The networks beside the cluster's own. What is stored in a new one is known after the next `refresh`. */
  setRanges(ranges: readonly Cidr[]): void {
    const pools = new Map<Cidr, NumberPool>();
    for (const range of [this.#own, ...ranges]) {
      const pool = this.#pools.get(range) ?? poolOf(range);
      if (pool === undefined) continue;
      if (!this.#pools.has(range)) for (const other of this.#pools.values()) pool.takeOver(other);
      pools.set(range, pool);
    }
    this.#pools = pools;
  }

  contains(number: number): boolean {
    return this.#holding(number).length > 0;
  }

  ownerOf(number: number): string | undefined {
    return this.#holding(number)[0]?.ownerOf(number);
  }

  reserve(number: number, owner: string, until: number): void {
    for (const pool of this.#holding(number)) pool.reserve(number, owner, until);
  }

  pick(random: Pick<Random, "float">): number | undefined {
    for (const pool of this.#pools.values()) {
      const number = pool.pick(random);
      if (number !== undefined) return number;
    }
    return undefined;
  }

  refresh(stored: readonly PoolEntry[], now: number): void {
    for (const pool of this.#pools.values()) pool.refresh(stored, now);
  }

  #holding(number: number): NumberPool[] {
    return [...this.#pools.values()].filter((pool) => pool.contains(number));
  }
}

/** undefined for IPv6, and for networks without room. */
function poolOf(cidr: Cidr): NumberPool | undefined {
  const range = parseCidr(cidr);
  if (range === undefined || range.size < 4) return undefined;
  return new NumberPool({
    first: range.first + 1,
    last: range.first + range.size - 2,
    keptForPeople: keptForPeople(range.size, addressesKept),
  });
}
