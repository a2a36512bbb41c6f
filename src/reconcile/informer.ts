import type { Resource } from "#api/resource.ts";
import type { Client, WatchEvent } from "#client/client.ts";
import { ApiStatusError } from "#client/status-error.ts";
import type { Clock, Timer, Timers } from "#world/clock.ts";
import type { Random } from "#world/random.ts";
import { createBackoff } from "./backoff.ts";
import { createIndexedMap, type Entry, type IndexedMap, type Indexes } from "./indexed-map.ts";
import { limits } from "./limits.ts";
import { createSeenQueue } from "./seen-queue.ts";

/** What an informer looks at and what it keeps. One declaration is one informer, however many loops use it. */
export interface InformerDeclaration<T, P> {
  readonly resource: Resource<T>;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Ask the server for metadata alone. */
  readonly metadataOnly?: boolean;
  /** Another server answers it, with revisions of its own and perhaps not at all: no loop waits until it shows a write. */
  readonly isElsewhere?: boolean;
  /**
   * Keeps what the loops need of an object, never the object itself. Must not throw on any valid object, nor change it or its
   * parts: within the server, all informers get the same one.
   */
  readonly project: (object: T) => P;
  readonly indexes?: Indexes<P>;
}

export interface InformerOptions<T, P> extends InformerDeclaration<T, P> {
  readonly client: Client;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Told about failures that the informer lives with: list and watch errors, projections and handlers that threw. */
  readonly onProblem?: (problem: string, error: unknown) => void;
}

/** `old` is undefined for a new object, `current` for one that is gone. Says only "look again". */
export type ChangeHandler<P> = (key: string, old: P | undefined, current: P | undefined) => void;

export interface Informer<P> {
  readonly resource: Resource<unknown>;
  /** True once a whole list was seen; stays true. */
  readonly hasSynced: boolean;
  /** The newest revision up to which everything was seen; 0 before the first list. */
  readonly revision: number;
  readonly size: number;
  start(): void;
  stop(): void;
  synced(): Promise<void>;
  get(key: string): P | undefined;
  entry(key: string): Entry<P> | undefined;
  /** In key order. Shared until the next change: do not change it. */
  list(): readonly P[];
  entries(): readonly Entry<P>[];
  /** In key order. */
  by(index: string, value: string): readonly P[];
  /** Calls `handler` for what is known already, then for each change. */
  handle(handler: ChangeHandler<P>): { close(): void };
  /** Calls `task` once everything up to `revision` was seen; at once when that is so already. */
  whenSeen(revision: number, task: () => void): void;
  /** Calls `task` once the object `uid` under `key` is gone or being deleted, as far as was seen. */
  whenGone(key: string, uid: string, task: () => void): void;
}

interface Identified {
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly deletionTimestamp?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** Lists and watches one resource for as long as it runs, resuming where it was. See watch promises in README.md. */
export function createInformer<T, P>(options: InformerOptions<T, P>): Informer<P> {
  return new ListWatch(options);
}

class ListWatch<T, P> implements Informer<P> {
  readonly resource: Resource<unknown>;
  hasSynced = false;
  revision = 0;
  /** Where the watch goes on. Not the revision: a server that was put back says less than it did. */
  #position = "";
  readonly #options: InformerOptions<T, P>;
  readonly #objects: IndexedMap<P>;
  readonly #handlers = new Set<ChangeHandler<P>>();
  readonly #seen = createSeenQueue();
  readonly #gone = new Map<string, { uid: string; task: () => void }[]>();
  readonly #retry;
  readonly #synced = Promise.withResolvers<void>();
  #running = false;
  #watch: { close(): void } | undefined;
  #timer: Timer | undefined;

  constructor(options: InformerOptions<T, P>) {
    this.#options = options;
    this.resource = options.resource as Resource<unknown>;
    this.#objects = createIndexedMap(options.indexes ?? {});
    this.#retry = createBackoff(options.random, limits.watchRetryMinMs, limits.watchRetryMaxMs);
  }

  get size(): number {
    return this.#objects.size;
  }
  synced(): Promise<void> {
    return this.#synced.promise;
  }
  get(key: string): P | undefined {
    return this.#objects.get(key)?.view;
  }
  entry(key: string): Entry<P> | undefined {
    return this.#objects.get(key);
  }
  list(): readonly P[] {
    return this.#objects.sorted().map((entry) => entry.view);
  }
  entries(): readonly Entry<P>[] {
    return this.#objects.sorted();
  }
  by(index: string, value: string): readonly P[] {
    return this.#objects.by(index, value);
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#list();
  }

  stop(): void {
    this.#running = false;
    this.#watch?.close();
    this.#timer?.cancel();
    // It will see nothing more: whoever waits for that would wait forever.
    this.#seen.release(Infinity);
    const waiting = [...this.#gone.values()].flat();
    this.#gone.clear();
    for (const { task } of waiting) task();
  }

  handle(handler: ChangeHandler<P>): { close(): void } {
    this.#handlers.add(handler);
    for (const entry of this.#objects.sorted()) this.#tell(handler, entry.key, undefined, entry.view);
    return { close: () => this.#handlers.delete(handler) };
  }

  whenSeen(revision: number, task: () => void): void {
    if (this.revision >= revision) task();
    else this.#seen.add(revision, task);
  }

  whenGone(key: string, uid: string, task: () => void): void {
    const entry = this.#objects.get(key);
    if (entry === undefined || entry.uid !== uid || entry.deleting) return task();
    const waiting = this.#gone.get(key);
    if (waiting === undefined) this.#gone.set(key, [{ uid, task }]);
    else waiting.push({ uid, task });
  }

  async #list(): Promise<void> {
    const { client, resource, timers } = this.#options;
    const found = new Map<string, Entry<P>>();
    try {
      let next: string | undefined;
      let revision = "";
      do {
        const page = await client.list(resource, {
          ...this.#selection(),
          shared: true,
          limit: limits.listPageObjects,
          ...(next === undefined ? {} : { continue: next }),
        });
        if (!this.#running) return;
        for (const object of page.items) {
          const entry = this.#entryOf(object);
          if (entry !== undefined) found.set(entry.key, entry);
        }
        revision = page.resourceVersion;
        next = page.continue;
        if (next !== undefined) await timers.yield();
      } while (next !== undefined && this.#running);
      this.#position = revision;
      this.#replace(found, Number(revision));
      this.#startWatch();
    } catch (error) {
      // The resource is not served (yet, or any more): there is nothing to wait for. What was known is kept, not declared gone.
      if (error instanceof ApiStatusError && error.code === 404) this.#markSynced();
      else this.#problem("list failed", error);
      this.#later(() => void this.#list());
    }
  }

  #markSynced(): void {
    this.hasSynced = true;
    this.#synced.resolve();
  }

  #replace(found: ReadonlyMap<string, Entry<P>>, revision: number): void {
    for (const entry of this.#objects.sorted()) if (!found.has(entry.key)) this.#remove(entry.key);
    for (const entry of found.values()) {
      const old = this.#objects.get(entry.key);
      if (old === undefined || old.revision !== entry.revision || old.uid !== entry.uid) this.#put(entry);
    }
    this.#markSynced();
    this.#advance(revision);
  }

  #startWatch(): void {
    if (!this.#running) return;
    const { client, clock, resource, random } = this.#options;
    const startedMs = clock.monotonic();
    this.#watch = client.watch(
      resource,
      {
        ...this.#selection(),
        shared: true,
        resourceVersion: this.#position,
        allowBookmarks: true,
        timeoutSeconds: Math.floor(limits.watchTimeoutSeconds * (1 + random.float())),
      },
      {
        event: (event) => this.#event(event),
        end: (error) => this.#ended(error, clock.monotonic() - startedMs),
      },
    );
  }

  #ended(error: ApiStatusError | Error | undefined, livedMs: number): void {
    if (!this.#running) return;
    if (livedMs >= limits.watchLifeMinMs) this.#retry.reset();
    // 410: what we saw last is before the history window, so only a new list can say what is gone. A server that was
    // put back to an older state (504, revision too large) needs a new list as well.
    const relist = error instanceof ApiStatusError && (error.code === 410 || error.code === 504 || error.code === 400);
    if (error !== undefined) this.#problem("watch ended", error);
    this.#later(relist ? () => void this.#list() : () => this.#startWatch());
  }

  #later(task: () => void): void {
    if (!this.#running) return;
    this.#timer = this.#options.timers.after(this.#retry.next(), () => {
      if (this.#running) task();
    });
  }

  #event(event: WatchEvent<T>): void {
    const { resourceVersion = this.#position } = (event.object as Identified).metadata ?? {};
    this.#position = resourceVersion;
    if (event.type !== "BOOKMARK") {
      const entry = this.#entryOf(event.object);
      if (entry !== undefined) {
        if (event.type === "DELETED") this.#remove(entry.key);
        else this.#put(entry);
      }
    }
    this.#advance(Number(resourceVersion));
  }

  #advance(revision: number): void {
    if (revision > this.revision) this.revision = revision;
    this.#seen.release(this.revision);
  }

  #put(entry: Entry<P>): void {
    const old = this.#objects.get(entry.key);
    this.#objects.set(entry);
    if (old !== undefined && old.uid !== entry.uid) {
      // Deleted and made again between two looks: for those who watch, two different objects.
      for (const handler of this.#handlers) this.#tell(handler, entry.key, old.view, undefined);
      for (const handler of this.#handlers) this.#tell(handler, entry.key, undefined, entry.view);
    } else {
      for (const handler of this.#handlers) this.#tell(handler, entry.key, old?.view, entry.view);
    }
    this.#releaseGone(entry.key);
  }

  #remove(key: string): void {
    const old = this.#objects.get(key);
    if (old === undefined) return;
    this.#objects.delete(key);
    for (const handler of this.#handlers) this.#tell(handler, key, old.view, undefined);
    this.#releaseGone(key);
  }

  #releaseGone(key: string): void {
    const waiting = this.#gone.get(key);
    if (waiting === undefined) return;
    this.#gone.delete(key);
    for (const { uid, task } of waiting) this.whenGone(key, uid, task);
  }

  #entryOf(object: T): Entry<P> | undefined {
    const metadata = (object as Identified).metadata ?? {};
    const name = metadata.name ?? "";
    const namespace = metadata.namespace ?? "";
    try {
      return {
        key: namespace === "" ? name : `${namespace}/${name}`,
        namespace,
        name,
        uid: metadata.uid ?? "",
        revision: Number(metadata.resourceVersion),
        deleting: metadata.deletionTimestamp !== undefined,
        view: this.#options.project(object),
      };
    } catch (error) {
      this.#problem(`cannot project ${namespace}/${name}`, error);
      return undefined;
    }
  }

  #tell(handler: ChangeHandler<P>, key: string, old: P | undefined, current: P | undefined): void {
    try {
      handler(key, old, current);
    } catch (error) {
      this.#problem(`a handler failed for ${key}`, error);
    }
  }

  #selection(): { namespace?: string; labelSelector?: string; fieldSelector?: string; metadataOnly?: boolean } {
    const { namespace, labelSelector, fieldSelector, metadataOnly } = this.#options;
    return {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
      ...(metadataOnly === undefined ? {} : { metadataOnly }),
    };
  }

  #problem(problem: string, error: unknown): void {
    this.#options.onProblem?.(`informer ${this.resource.resource}: ${problem}`, error);
  }
}
