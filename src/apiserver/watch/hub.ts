import { concatBytes } from "#base/bytes.ts";
import type { Event, FollowEnd, Store } from "#store/store.ts";
import type { Clock, Timers } from "#world/clock.ts";
import { resourcePrefixOf } from "../keys.ts";
import { bookmarkIntervalMs, sliceMs } from "../limits.ts";
import type { ObjectCache } from "../objects/cache.ts";
import { FrameSource } from "./frames.ts";
import { WatcherIndex } from "./watcher-index.ts";
import type { Watcher } from "./watcher.ts";

/** A call when something below a prefix changed. */
interface ChangeListener {
  readonly prefix: string;
  readonly changed: () => void;
  isTold: boolean;
}

/**
 * The one follower of the store that serves all watches. It finds a change's watchers by index, and each representation of a
 * change is encoded once, whoever gets it. Watchers catch up on their own and join when they have reached its position.
 */
export class WatchHub {
  readonly #store: Store;
  readonly #objects: ObjectCache;
  readonly #timers: Timers;
  readonly #clock: Clock;
  readonly #changed: ((prefix: string) => void) | undefined;
  readonly #indexes = new Map<string, WatcherIndex>();
  readonly #waiting: { readonly revision: number; readonly resolve: () => void }[] = [];
  readonly #listeners = new Set<ChangeListener>();
  readonly #following: { close(): void };
  #position: number;
  #count = 0;
  #bookmarks: { cancel(): void } | undefined;
  /** Watchers that have something to send, in the order of their asking. */
  #toSend: Watcher[] = [];
  #isSendPlanned = false;
  #isDelivering = false;
  #lastJoined: { readonly parts: readonly Uint8Array[]; readonly whole: Uint8Array } | undefined;
  #closed = false;

  constructor(parts: {
    readonly store: Store;
    readonly objects: ObjectCache;
    readonly timers: Timers;
    readonly clock: Clock;
    /** Called for each change, with its resource's prefix, before any watcher gets it. */
    readonly changed?: (prefix: string) => void;
  }) {
    this.#changed = parts.changed;
    this.#store = parts.store;
    this.#objects = parts.objects;
    this.#timers = parts.timers;
    this.#clock = parts.clock;
    this.#position = parts.store.visible;
    const following = parts.store.follow(this.#position, {
      events: (batch) => this.#deliver(batch),
      progress: (revision) => this.#progress(revision),
      end: (end) => this.#ended(end),
    });
    if (typeof following === "string")
      throw new Error(`the store refuses to be followed from its own revision: ${following}`);
    this.#following = following;
  }

  /** Everything up to this revision has been given to the watchers that joined. */
  get position(): number {
    return this.#position;
  }

  /** Open watches. */
  get count(): number {
    return this.#count;
  }

  /** Adds a watcher that has seen everything up to the hub's position, or beyond. */
  join(watcher: Watcher): void {
    const prefix = watcher.selection.served.prefix;
    let index = this.#indexes.get(prefix);
    if (index === undefined) {
      index = new WatcherIndex(prefix);
      this.#indexes.set(prefix, index);
    }
    index.add(watcher);
    this.#count += 1;
    this.#bookmarks ??= this.#timers.after(bookmarkIntervalMs, () => this.#bookmark());
  }

  leave(watcher: Watcher): void {
    const prefix = watcher.selection.served.prefix;
    const index = this.#indexes.get(prefix);
    if (index === undefined || !index.remove(watcher)) return;
    this.#count -= 1;
    if (index.size === 0) this.#indexes.delete(prefix);
  }

  /** Ends all watches below a prefix: their resource is no longer served as it was. */
  endAll(prefix: string): void {
    for (const watcher of this.#indexes.get(prefix)?.all() ?? []) watcher.end();
  }

  /** Resolves when everything up to `revision` is visible and has been delivered. */
  reached(revision: number): Promise<void> {
    if (revision <= this.#position) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ revision, resolve }));
  }

  /** Calls back, in a turn of its own, after something below `prefix` changed. */
  onChange(prefix: string, changed: () => void): { close(): void } {
    const listener: ChangeListener = { prefix, changed, isTold: false };
    this.#listeners.add(listener);
    return { close: () => this.#listeners.delete(listener) };
  }

  close(): void {
    this.#closed = true;
    this.#bookmarks?.cancel();
    this.#following.close();
    for (const index of this.#indexes.values()) for (const watcher of index.all()) watcher.end();
    for (const watcher of this.#toSend.splice(0)) watcher.send();
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  #deliver(batch: readonly Event[]): void {
    this.#isDelivering = true;
    try {
      this.#offer(batch);
    } finally {
      this.#isDelivering = false;
      if (!this.#isSendPlanned) this.#send();
    }
  }

  #offer(batch: readonly Event[]): void {
    let prefix = "";
    for (const event of batch) {
      if (event.revision <= this.#position) continue;
      // Most changes of a moment are of the resource of the one before.
      if (prefix === "" || !event.key.startsWith(prefix)) prefix = resourcePrefixOf(event.key);
      this.#changed?.(prefix);
      const index = this.#indexes.get(prefix);
      if (index !== undefined) {
        const frames = new FrameSource(event, this.#objects, this.#clock);
        index.offer(event, this.#objects, frames);
      }
      for (const listener of this.#listeners)
        if (!listener.isTold && event.key.startsWith(listener.prefix)) this.#tellSoon(listener);
    }
  }

  /** A watcher has something to send: it gets its turn after the changes of the moment, a slice of the crowd at a time. */
  sendSoon(watcher: Watcher): void {
    this.#toSend.push(watcher);
    if (!this.#isDelivering) this.#planSend();
  }

  #planSend(): void {
    if (this.#isSendPlanned) return;
    this.#isSendPlanned = true;
    this.#timers.soon(() => {
      this.#isSendPlanned = false;
      this.#send();
    });
  }

  #send(): void {
    const queue = this.#toSend;
    if (queue.length === 0) return;
    const until = this.#clock.monotonic() + sliceMs;
    let sent = 0;
    while (sent < queue.length) {
      queue[sent++]!.send();
      if ((sent & 15) === 0 && until < this.#clock.monotonic()) break;
    }
    this.#toSend = sent === queue.length ? [] : queue.slice(sent);
    this.#lastJoined = undefined;
    if (this.#toSend.length > 0) this.#planSend();
  }

  /** Frames in one piece. A crowd that waits for the same frames shares it. */
  joined(parts: readonly Uint8Array[]): Uint8Array {
    const last = this.#lastJoined;
    if (last !== undefined && last.parts.length === parts.length) {
      let same = 0;
      while (same < last.parts.length && last.parts[same] === parts[same]) same += 1;
      if (same === last.parts.length) return last.whole;
    }
    const whole = concatBytes(parts);
    this.#lastJoined = { parts, whole };
    return whole;
  }

  #tellSoon(listener: ChangeListener): void {
    listener.isTold = true;
    this.#timers.soon(() => {
      listener.isTold = false;
      if (this.#listeners.has(listener)) listener.changed();
    });
  }

  #progress(revision: number): void {
    this.#position = revision;
    if (this.#waiting.length === 0) return;
    const due = this.#waiting.filter((waiting) => waiting.revision <= revision);
    if (due.length === 0) return;
    const left = this.#waiting.filter((waiting) => revision < waiting.revision);
    this.#waiting.length = 0;
    this.#waiting.push(...left);
    for (const { resolve } of due) resolve();
  }

  /** All watchers that asked for bookmarks get one, a slice of them at a time. */
  #bookmark(): void {
    this.#bookmarks = undefined;
    if (this.#closed || this.#count === 0) return;
    for (const index of this.#indexes.values()) for (const watcher of index.all()) watcher.bookmark(this.#position);
    this.#bookmarks = this.#timers.after(bookmarkIntervalMs, () => this.#bookmark());
  }

  #ended(end: FollowEnd): void {
    if (this.#closed) return;
    // The hub never lags behind the history window; if the store says so, nothing that was delivered can be trusted.
    if (end.reason === "compacted") throw new Error("the watch hub fell out of the store's history");
    this.close();
  }

  /** Follows the store for a watcher that must catch up. */
  follow(from: number, follower: Parameters<Store["follow"]>[1]): ReturnType<Store["follow"]> {
    return this.#store.follow(from, follower);
  }
}
