import type { Timers } from "#world/clock.ts";
import { catchUpEventsPerTurn } from "./limits.ts";
import type { Sequencer } from "./sequencer.ts";
import type { Event, Follower, Revision } from "./store.ts";

class Following {
  readonly follower: Follower;
  /** Everything up to here has been delivered. */
  position: Revision;
  catchingUp = false;
  open = true;

  constructor(follower: Follower, position: Revision) {
    this.follower = follower;
    this.position = position;
  }
}

/** Brings visible events to whoever follows, each in order and once; one that fails does not touch the others. */
export class Followers {
  readonly #sequencer: Sequencer;
  readonly #timers: Timers;
  readonly #all = new Set<Following>();

  constructor(sequencer: Sequencer, timers: Timers) {
    this.#sequencer = sequencer;
    this.#timers = timers;
  }

  add(from: Revision, follower: Follower): { close(): void } | "compacted" | "future" {
    if (from > this.#sequencer.visible) return "future";
    if (from < this.#sequencer.history.compacted) return "compacted";
    const following = new Following(follower, from);
    this.#all.add(following);
    this.#catchUpSoon(following);
    return {
      close: () => {
        following.open = false;
        this.#all.delete(following);
      },
    };
  }

  /** The group after `before` became visible. */
  deliver(before: Revision, events: readonly Event[]): void {
    const visible = this.#sequencer.visible;
    for (const following of this.#all) {
      if (following.catchingUp) continue;
      if (following.position !== before) throw new Error("A follower is not where it must be");
      this.#hand(following, events, visible);
    }
  }

  #hand(following: Following, events: readonly Event[], upTo: Revision): void {
    following.position = upTo;
    try {
      if (events.length > 0) following.follower.events(events);
      if (following.open) following.follower.progress(upTo);
    } catch (error) {
      this.#timers.soon(() => {
        throw error;
      });
    }
  }

  #catchUpSoon(following: Following): void {
    following.catchingUp = true;
    this.#timers.soon(() => this.#catchUp(following));
  }

  #catchUp(following: Following): void {
    if (!following.open) return;
    const { history, visible } = this.#sequencer;
    if (following.position < history.compacted) {
      this.#end(following, "compacted");
      return;
    }
    const events = history.slice(following.position, visible, catchUpEventsPerTurn);
    const complete = events.length < catchUpEventsPerTurn;
    if (complete) following.catchingUp = false;
    this.#hand(following, events, complete ? visible : events.at(-1)!.revision);
    if (!complete && following.open) this.#catchUpSoon(following);
  }

  /** After a compaction: whoever still needs what is gone is told so. */
  endCompacted(): void {
    for (const following of this.#all) {
      if (following.position < this.#sequencer.history.compacted) this.#end(following, "compacted");
    }
  }

  close(): void {
    for (const following of this.#all) this.#end(following, "closed");
  }

  #end(following: Following, reason: "compacted" | "closed"): void {
    following.open = false;
    this.#all.delete(following);
    following.follower.end({ reason });
  }
}
