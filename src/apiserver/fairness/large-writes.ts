import type { Call } from "../call.ts";
import { isLarge } from "../turns.ts";
import { FairLevel, type FairWorld, type Seat, type Turn } from "./fair-level.ts";
import { bytesPerWriteSeat, largeWriteBytesMax, queueLengthMax, waitingBytesMax } from "./limits.ts";
import { SeatPool } from "./seat-pool.ts";

const seats = largeWriteBytesMax / bytesPerWriteSeat;

/**
 * Lets a few large writes go on at a time, of all users by turns. By turns of the event loop many would all end late and together,
 * each with its decoded object in memory until then. Who waits here has no seat of a priority level: small requests go past.
 */
export class LargeWrites {
  readonly #level: FairLevel;

  constructor(world: FairWorld) {
    const pool = new SeatPool();
    this.#level = new FairLevel(pool, world, {
      nominal: seats,
      least: seats,
      most: seats,
      queueLength: queueLengthMax,
      waitingWidth: waitingBytesMax / bytesPerWriteSeat,
    });
    pool.configure([this.#level], seats);
  }

  /** What `enter` gives; for a large write only once it is its turn. Both seats are given back as one. */
  before(call: Call, enter: () => Turn): Turn {
    if (!isLarge(call) || !isCarriedOutHere(call)) return enter();
    return inTurn(this.#level.enter(call.user.name, Math.ceil(call.request.body.length / bytesPerWriteSeat)), enter);
  }
}

/** What goes on to a pod or to another server takes its time there. */
function isCarriedOutHere({ info, parts }: Call): boolean {
  return info.subresource !== "proxy" && parts.registry.find(info.apiVersion, info.resource) !== undefined;
}

function inTurn(first: Turn, enter: () => Turn): Turn {
  if (first instanceof Promise) return first.then((settled) => inTurn(settled, enter));
  if (first === "refused") return first;
  const second = enter();
  return second instanceof Promise ? second.then((settled) => joined(first, settled)) : joined(first, second);
}

function joined(first: Seat, second: Seat | "refused"): Seat | "refused" {
  if (second === "refused") {
    first.leave(0);
    return second;
  }
  return {
    leave: (bytes) => {
      second.leave(bytes);
      first.leave(0);
    },
  };
}
