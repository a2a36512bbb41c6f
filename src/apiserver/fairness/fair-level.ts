import type { Clock, Timers } from "#world/clock.ts";
import { bytesPerSeatMs, flowsMax, queueWaitMs } from "./limits.ts";
import type { SeatPool } from "./seat-pool.ts";

/** Seats that were taken, until they are given back with what was sent from them, in bytes. */
export interface Seat {
  leave(bytes: number): void;
}

export type Turn = Seat | "refused" | Promise<Seat | "refused">;

interface Waiter {
  readonly width: number;
  readonly admit: (seat: Seat) => void;
}

/** One client's requests at a level. */
interface Flow {
  readonly name: string;
  readonly waiting: Waiter[];
  /** Seats that they wait for. */
  waitingWidth: number;
  active: number;
  /** What it has had so far, in seats times milliseconds; where it begins, the others' amount counts as its own. */
  served: number;
}

/** How many seats a level has, in seats. */
export interface Share {
  /** Its own when nobody lends or borrows. */
  readonly nominal: number;
  /** What it never lends. */
  readonly least: number;
  /** Its own and what it may borrow. */
  readonly most: number;
  /** Requests of one flow that may wait; 0: none. */
  readonly queueLength: number;
  /** Seats that requests of all flows may wait for; absent: bounded by their number alone. */
  readonly waitingWidth?: number;
}

export interface FairWorld {
  readonly clock: Pick<Clock, "monotonic">;
  readonly timers: Pick<Timers, "after">;
}

/**
 * One priority level. When its seats are taken, requests wait in a queue of their flow; the flow that has had least goes first,
 * so that one which sends a thousand requests, or few that send gigabytes, makes the others wait for one of its requests only.
 */
export class FairLevel {
  readonly #pool: SeatPool;
  readonly #world: FairWorld;
  readonly #flows = new Map<string, Flow>();
  /** What the flows whose turn it is have had. */
  #served = 0;
  #waiting = 0;
  #waitingWidth = 0;
  taken = 0;
  share: Share;

  constructor(pool: SeatPool, world: FairWorld, share: Share) {
    this.#pool = pool;
    this.#world = world;
    this.share = share;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Seats at once, none at all, or some later. Who has seats gives them back. `width`: how many the request takes. */
  enter(name: string, width: number): Turn {
    const wanted = Math.min(width, this.share.most);
    const flow = this.#flows.get(name);
    if (this.#waiting === 0 && this.#pool.hasRoom(this, wanted)) {
      const own = flow ?? this.#newFlow(name);
      return own === undefined ? "refused" : this.#seat(own, wanted);
    }
    if (this.share.queueLength <= (flow?.waiting.length ?? 0)) return "refused";
    // One flow waits for no more than it leaves to the next, so that there is room for that one too.
    const { waitingWidth: widthMax = Number.POSITIVE_INFINITY } = this.share;
    if (widthMax - this.#waitingWidth < (flow?.waitingWidth ?? 0) + wanted) return "refused";
    const own = flow ?? this.#newFlow(name);
    return own === undefined ? "refused" : this.#wait(own, wanted);
  }

  /** Gives seats to those who wait, as many as there is room for; false: not even one. */
  admitNext(): boolean {
    const flow = this.#next();
    const first = flow?.waiting[0];
    if (flow === undefined || first === undefined || !this.#pool.hasRoom(this, first.width)) return false;
    this.#take(flow, 0);
    this.#served = Math.max(this.#served, flow.served);
    first.admit(this.#seat(flow, first.width));
    return true;
  }

  #newFlow(name: string): Flow | undefined {
    if (flowsMax <= this.#flows.size) return undefined;
    const flow = { name, waiting: [], waitingWidth: 0, active: 0, served: this.#served };
    this.#flows.set(name, flow);
    return flow;
  }

  /** The flow that has had least. */
  #next(): Flow | undefined {
    let least: Flow | undefined;
    for (const flow of this.#flows.values()) {
      if (flow.waiting.length > 0 && (least === undefined || flow.served < least.served)) least = flow;
    }
    return least;
  }

  #seat(flow: Flow, width: number): Seat {
    this.#pool.take(this, width);
    flow.active += 1;
    // Charged before it is known, so that of many requests at once each counts.
    flow.served = Math.max(flow.served, this.#served) + width;
    const since = this.#world.clock.monotonic();
    let isTaken = true;
    return {
      leave: (bytes) => {
        if (!isTaken) return;
        isTaken = false;
        flow.active -= 1;
        flow.served += width * Math.max(0, this.#world.clock.monotonic() - since - 1) + bytes / bytesPerSeatMs;
        this.#forget(flow);
        this.#pool.giveBack(this, width);
      },
    };
  }

  /** A flow without requests is remembered only while it has had more than the others. */
  #forget(flow: Flow): void {
    if (flow.active > 0 || flow.waiting.length > 0) return;
    if (flow.served <= this.#served || this.#waiting === 0) this.#flows.delete(flow.name);
  }

  #wait(flow: Flow, width: number): Promise<Seat | "refused"> {
    return new Promise((resolve) => {
      const waiter: Waiter = {
        width,
        admit: (seat) => {
          timer.cancel();
          resolve(seat);
        },
      };
      const timer = this.#world.timers.after(queueWaitMs, () => {
        const at = flow.waiting.indexOf(waiter);
        if (at === -1) return;
        this.#take(flow, at);
        this.#forget(flow);
        resolve("refused");
      });
      flow.waiting.push(waiter);
      this.#waiting += 1;
      flow.waitingWidth += width;
      this.#waitingWidth += width;
    });
  }

  /** One waits no more. */
  #take(flow: Flow, at: number): void {
    const { width } = flow.waiting.splice(at, 1)[0]!;
    this.#waiting -= 1;
    flow.waitingWidth -= width;
    this.#waitingWidth -= width;
  }
}
