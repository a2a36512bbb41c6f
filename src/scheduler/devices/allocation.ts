import type { NodeSelector, NodeSelectorRequirement } from "#api/generated/core-v1.ts";
import type {
  AllocationResult,
  DeviceAllocationConfiguration,
  DeviceClassSpec,
  DeviceRequestAllocationResult,
  DeviceSubRequest,
  ExactDeviceRequest,
} from "#api/generated/resource-v1.ts";
import { tolerates } from "#api/node-match.ts";
import type { Steps } from "../line.ts";
import { Constraint, isAbout } from "./attributes.ts";
import type { Answers } from "./judgements.ts";
import { deviceLimits } from "./limits.ts";
import { amountsOf, type Pool, type PoolDevice } from "./pools.ts";
import type { DeviceClaimView } from "./views.ts";

/** What claims ask for, with what is known of it for any node. */
export interface Wishes {
  readonly claims: readonly DeviceClaimView[];
  /** For each request its alternatives, the best first. */
  readonly requests: readonly (readonly Wish[])[];
}

/** How many devices may still be tried before a search gives up. */
export interface Tries {
  left: number;
}

interface Supply {
  readonly pools: readonly Pool[];
  /** Whether a device (`driver/pool/device`) is given to somebody already. */
  isTaken(id: string): boolean;
  readonly tries: Tries;
}

export type Allocated =
  /** One result for each claim, in their order. */
  | { readonly kind: "allocated"; readonly results: readonly AllocationResult[] }
  /** This node cannot give what is asked for. */
  | { readonly kind: "impossible" }
  /** Something is wrong with the claims, their classes or the pools; more nodes would not help. */
  | { readonly kind: "broken"; readonly message: string };

/** What is asked for in one place: a request, or an alternative of it. */
interface Wish {
  readonly claim: number;
  /** `request`, or `request/alternative`. */
  readonly name: string;
  readonly request: string;
  readonly asks: ExactDeviceRequest | DeviceSubRequest;
  readonly deviceClass: DeviceClassSpec;
  /** By the selectors of the class, then of the request: a device is taken when all take it. */
  readonly answers: Answers;
  readonly isAdmin: boolean;
}

interface Choice {
  readonly wish: Wish;
  readonly given: PoolDevice;
}

class Broken extends Error {}

/** A device came after the devices were judged for these claims. */
class Unjudged extends Error {}

/**
 * Gives each request of each claim its devices on one node, all or none: a search that goes back where a choice leaves nothing for
 * a later request. Pure; evaluates nothing: the wishes carry what selectors say.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
 */
export function allocate(wishes: Wishes, supply: Supply): Allocated {
  try {
    const search = new Search(wishes, supply);
    if (!search.run()) return { kind: "impossible" };
    const results = wishes.claims.map((claim, index) => resultOf(claim, search.choicesOf(index)));
    return { kind: "allocated", results };
  } catch (error) {
    if (error instanceof Broken) return { kind: "broken", message: error.message };
    if (error instanceof Unjudged) return { kind: "impossible" };
    throw error;
  }
}

/** What claims ask for; a message where a class is missing. `judged`: what a list of selectors says, the devices judged in turns. */
export function* wishesOf(
  claims: readonly DeviceClaimView[],
  classNamed: (name: string) => DeviceClassSpec | undefined,
  judged: (selectors: readonly string[]) => Steps<Answers>,
): Steps<Wishes | string> {
  const requests: Wish[][] = [];
  for (const [claim, { devices }] of claims.entries()) {
    for (const { name, exactly, firstAvailable = [] } of devices.requests ?? []) {
      const asked: [string, ExactDeviceRequest | DeviceSubRequest, boolean][] =
        exactly === undefined
          ? firstAvailable.map((one) => [`${name}/${one.name}`, one, false])
          : [[name, exactly, exactly.adminAccess === true]];
      const alternatives: Wish[] = [];
      for (const [full, asks, isAdmin] of asked) {
        const deviceClass = classNamed(asks.deviceClassName);
        if (deviceClass === undefined) return `request ${full}: device class ${asks.deviceClassName} does not exist`;
        const answers = yield* judged(selectorsOf(deviceClass, asks));
        alternatives.push({ claim, name: full, request: name, asks, deviceClass, answers, isAdmin });
      }
      requests.push(alternatives);
    }
  }
  return { claims, requests };
}

function selectorsOf(deviceClass: DeviceClassSpec, asks: Wish["asks"]): string[] {
  const selectors = [...(deviceClass.selectors ?? []), ...(asks.selectors ?? [])];
  return selectors.map(({ cel }) => cel?.expression ?? "false");
}

class Search {
  readonly #wishes: Wishes;
  readonly #supply: Supply;
  readonly #constraints: readonly (readonly Constraint[])[];
  readonly #chosen: Choice[] = [];
  readonly #used = new Set<string>();
  /** Thousandths that are left, by pool, counter set and counter. */
  readonly #counters = new Map<Pool, Map<string, Map<string, bigint>>>();

  constructor(wishes: Wishes, supply: Supply) {
    this.#wishes = wishes;
    this.#supply = supply;
    this.#constraints = wishes.claims.map(({ devices }) =>
      (devices.constraints ?? []).map((one) => new Constraint(one)),
    );
    for (const pool of supply.pools) if (pool.counters.size > 0) this.#counters.set(pool, this.#left(pool));
  }

  /** What the devices that are given away already have left of a pool's counters. */
  #left(pool: Pool): Map<string, Map<string, bigint>> {
    const left = new Map(Array.from(pool.counters, ([name, counters]) => [name, new Map(counters)]));
    for (const one of pool.devices) if (this.#supply.isTaken(one.id)) count(left, one, -1n);
    return left;
  }

  run(): boolean {
    return this.#next(0);
  }

  choicesOf(claim: number): Choice[] {
    return this.#chosen.filter(({ wish }) => wish.claim === claim);
  }

  #next(request: number): boolean {
    const alternatives = this.#wishes.requests[request];
    if (alternatives === undefined) return true;
    return alternatives.some((wish) => {
      if (wish.asks.allocationMode === "All") return this.#takeAll(wish, request);
      return this.#take(wish, request, wish.asks.count ?? 1, 0, 0);
    });
  }

  /** `missing` devices for a wish, from this place of the pools on: equal devices are not tried in every order. */
  #take(wish: Wish, request: number, missing: number, poolIndex: number, deviceIndex: number): boolean {
    if (missing === 0) return this.#next(request + 1);
    for (let p = poolIndex; p < this.#supply.pools.length; p += 1) {
      const pool = this.#supply.pools[p]!;
      if (pool.problem !== undefined) continue;
      for (let d = p === poolIndex ? deviceIndex : 0; d < pool.devices.length; d += 1) {
        const one = pool.devices[d]!;
        if (!this.#matches(wish, one) || !this.#give(wish, one, pool)) continue;
        if (this.#take(wish, request, missing - 1, p, d + 1)) return true;
        this.#takeBack(pool);
      }
    }
    return false;
  }

  /** Every device that matches, and none of them may be in use. */
  #takeAll(wish: Wish, request: number): boolean {
    const given: Pool[] = [];
    const fits = this.#supply.pools.every((pool) =>
      pool.devices.every((one) => {
        if (!this.#matches(wish, one)) return true;
        if (pool.problem !== undefined) throw new Broken(`request ${wish.name}: ${pool.problem}`);
        if (!this.#give(wish, one, pool)) return false;
        given.push(pool);
        return true;
      }),
    );
    if (fits && given.length > 0 && this.#next(request + 1)) return true;
    for (const pool of given.toReversed()) this.#takeBack(pool);
    return false;
  }

  #matches(wish: Wish, { device, driver }: PoolDevice): boolean {
    this.#supply.tries.left -= 1;
    if (this.#supply.tries.left < 0) throw new Broken("too many combinations of devices were tried");
    const isRepelled = (device.taints ?? []).some(
      (taint) => taint.effect !== "None" && !(wish.asks.tolerations ?? []).some((one) => tolerates(one, taint)),
    );
    if (isRepelled) return false;
    const judged = wish.answers.get(device);
    if (judged === undefined) throw new Unjudged();
    if (!judged.ok)
      throw new Broken(`request ${wish.name}: selector for device ${driver}/${device.name}: ${judged.message}`);
    return judged.matches;
  }

  #give(wish: Wish, one: PoolDevice, pool: Pool): boolean {
    if (!wish.isAdmin && (this.#used.has(one.id) || this.#supply.isTaken(one.id))) return false;
    if (this.choicesOf(wish.claim).length >= deviceLimits.devicesPerClaimMax) return false;
    const constraints = this.#constraints[wish.claim] ?? [];
    if (!constraints.every((constraint) => constraint.allows(wish, one))) return false;
    const left = wish.isAdmin ? undefined : this.#counters.get(pool);
    if (left !== undefined && !count(left, one, -1n)) return false;
    if (!wish.isAdmin) this.#used.add(one.id);
    for (const constraint of constraints) constraint.add(wish, one);
    this.#chosen.push({ wish, given: one });
    return true;
  }

  #takeBack(pool: Pool): void {
    const { wish, given } = this.#chosen.pop()!;
    for (const constraint of this.#constraints[wish.claim] ?? []) constraint.remove();
    if (wish.isAdmin) return;
    this.#used.delete(given.id);
    const left = this.#counters.get(pool);
    if (left !== undefined) count(left, given, 1n);
  }
}

/** Adds what a device takes of the counters (negative: takes it); false, and nothing changes, where not enough is left. */
function count(left: Map<string, Map<string, bigint>>, { device }: PoolDevice, sign: bigint): boolean {
  const consumed = (device.consumesCounters ?? []).map(
    ({ counterSet, counters }) => [left.get(counterSet), amountsOf(counters)] as const,
  );
  const fits = consumed.every(([set, amounts]) =>
    [...amounts].every(([name, amount]) => (set?.get(name) ?? 0n) + sign * amount >= 0n),
  );
  if (!fits && sign < 0n) return false;
  for (const [set, amounts] of consumed)
    for (const [name, amount] of amounts) set?.set(name, (set.get(name) ?? 0n) + sign * amount);
  return true;
}

function resultOf(claim: DeviceClaimView, choices: readonly Choice[]): AllocationResult {
  const results = choices.map(({ wish, given }): DeviceRequestAllocationResult => {
    const { tolerations } = wish.asks;
    return {
      request: wish.name,
      driver: given.driver,
      pool: given.pool,
      device: given.device.name,
      ...(wish.isAdmin ? { adminAccess: true } : {}),
      ...(tolerations === undefined || tolerations.length === 0 ? {} : { tolerations }),
    };
  });
  const config = configurationOf(claim, choices);
  const nodeSelector = placeOf(choices);
  return {
    devices: { results, ...(config.length === 0 ? {} : { config }) },
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
  };
}

/** What the classes say, then what the claim says: later ones may override earlier ones. */
function configurationOf(claim: DeviceClaimView, choices: readonly Choice[]): DeviceAllocationConfiguration[] {
  const wishes = new Map(choices.map(({ wish }) => [wish.name, wish]));
  const fromClasses = Array.from(wishes.values(), (wish) =>
    (wish.deviceClass.config ?? []).map((one) => ({ source: "FromClass", requests: [wish.name], ...one })),
  ).flat();
  const fromClaim = (claim.devices.config ?? []).flatMap((one): DeviceAllocationConfiguration[] => {
    const isUsed = [...wishes.values()].some((wish) => isAbout(one.requests, wish));
    return isUsed ? [{ source: "FromClaim", ...one }] : [];
  });
  return [...fromClasses, ...fromClaim];
}

/** Where the given devices can be reached together; undefined: everywhere. */
function placeOf(choices: readonly Choice[]): NodeSelector | undefined {
  const expressions = new Map<string, NodeSelectorRequirement>();
  const fields = new Map<string, NodeSelectorRequirement>();
  for (const { given } of choices) {
    const place = given.slice.perDevice ? given.device : given.slice;
    if (place.nodeName !== undefined && place.nodeName !== "") {
      const matchFields = [{ key: "metadata.name", operator: "In", values: [place.nodeName] }];
      return { nodeSelectorTerms: [{ matchFields }] };
    }
    const term = place.nodeSelector?.nodeSelectorTerms[0];
    for (const one of term?.matchExpressions ?? []) expressions.set(JSON.stringify(one), one);
    for (const one of term?.matchFields ?? []) fields.set(JSON.stringify(one), one);
  }
  if (expressions.size + fields.size === 0) return undefined;
  return {
    nodeSelectorTerms: [
      {
        ...(expressions.size === 0 ? {} : { matchExpressions: [...expressions.values()] }),
        ...(fields.size === 0 ? {} : { matchFields: [...fields.values()] }),
      },
    ],
  };
}
