import type { RequestCount } from "#api/delivery/traffic-split.ts";
import type { Clock, Timer, Timers } from "#world/clock.ts";
import type { Sockets } from "#world/sockets.ts";
import {
  countRetryMs,
  mirrorQueueMax,
  mirrorsPerSecondMax,
  mirrorsUnderWayMax,
  mirrorWaitMs,
  sampleCharactersMax,
  samplesMax,
} from "./limits.ts";
import { copyBytes, pathOf, readMirrorLine, type CopyLine } from "./mirror-line.ts";
import type { RouteTable, Server } from "./route-table.ts";
import type { Runtime } from "./runtime.ts";
import { backendName, type Slots } from "./slots.ts";
import { sendCopy, type CopyAnswer } from "./send-copy.ts";
import type { MirroredCount } from "./split-counts.ts";

/** Where copies of a run go, as HAProxy holds it now. */
export interface HeldMirror {
  readonly run: string;
  /** Name of HAProxy's backend. */
  readonly target: string;
  readonly servers: readonly Server[];
  /** Beginnings of statuses that count as errors. */
  readonly errorStatuses: readonly string[];
  readonly slowerThanMs: number | undefined;
}

export interface MirrorsOptions {
  readonly runtime: Runtime;
  readonly sockets: Sockets;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly onProblem: (problem: string, error: unknown) => void;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Counts {
  readonly copies: Mutable<RequestCount>;
  readonly originals: Mutable<RequestCount>;
  dropped: number;
  samples: string[];
}

/**
 * Sends copies of requests to where TrafficSplits want them, and counts what came of them. The user's request has been answered when
 * one begins. All is bounded: what cannot be sent now or very soon is dropped and counted.
 */
export class Mirrors {
  readonly #options: MirrorsOptions;
  /** By `TARGET RUN/others`, as HAProxy names them. */
  #held: ReadonlyMap<string, HeldMirror> = new Map();
  readonly #counts = new Map<string, Counts>();
  readonly #queue: { readonly key: string; readonly copy: CopyLine; readonly sinceMs: number }[] = [];
  readonly #underWay = new Map<object, { readonly key: string; abort(): void }>();
  #next = 0;
  #second = { sinceMs: 0, sent: 0 };
  /** The ring that is read, and of which start of HAProxy it is. */
  #following: { readonly life: number; close(): void } | undefined;
  #retry: Timer | undefined;
  #life = 0;
  #stopped = false;

  constructor(options: MirrorsOptions) {
    this.#options = options;
  }

  /** What HAProxy holds from now on; `life` changes when another process of it holds it. Copies for anybody else end at once. */
  hold(mirrors: readonly HeldMirror[], life: number): void {
    this.#held = new Map(mirrors.map((mirror) => [`${mirror.target} ${mirror.run}/others`, mirror]));
    this.#life = life;
    const runs = new Set(mirrors.map(({ run }) => run));
    for (const run of this.#counts.keys()) if (!runs.has(run)) this.#counts.delete(run);
    for (const { key, abort } of [...this.#underWay.values()]) if (!this.#held.has(key)) abort();
    const kept = this.#queue.filter(({ key }) => this.#held.has(key));
    this.#queue.splice(0, this.#queue.length, ...kept);
    this.#follow();
  }

  /** What came of the copies of a run since it began; undefined when nothing of it is copied. */
  countsOf(run: string): MirroredCount | undefined {
    if (![...this.#held.values()].some((mirror) => mirror.run === run)) return undefined;
    const { samples, copies, originals, dropped } = this.#countsOf(run);
    return { count: { copies: { ...copies }, originals: { ...originals }, dropped }, samples };
  }

  /** Copies that have no answer yet. */
  get underWay(): number {
    return this.#underWay.size;
  }

  stop(): void {
    this.#stopped = true;
    this.hold([], this.#life);
  }

  #countsOf(run: string): Counts {
    let counts = this.#counts.get(run);
    if (counts === undefined) {
      const none = (): RequestCount => ({ requests: 0, inErrors: 0 });
      this.#counts.set(run, (counts = { copies: none(), originals: none(), dropped: 0, samples: [] }));
    }
    return counts;
  }

  /** Reads the ring while anything is copied: only what comes from now on. */
  #follow(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
    const isWanted = this.#held.size > 0 && !this.#stopped;
    if (this.#following !== undefined && isWanted && this.#following.life === this.#life) return;
    this.#following?.close();
    this.#following = undefined;
    if (!isWanted) return;
    const again = (): void => {
      if (this.#following !== following) return;
      this.#following = undefined;
      this.#retry = this.#options.timers.after(countRetryMs, () => this.#follow());
    };
    const stream = this.#options.runtime.follow("show events copies -w -n", (line) => this.#read(line), again);
    const following = { life: this.#life, close: () => stream.close() };
    this.#following = following;
  }

  #read(text: string): void {
    const line = readMirrorLine(text);
    switch (line.kind) {
      case "other":
        return;
      case "cut":
        return this.#dropOfAll(1);
      case "dropped":
        return this.#dropOfAll(line.count);
      case "copy":
        return this.#take(line.copy);
    }
  }

  /** Whose they were is not known: each run is told. */
  #dropOfAll(count: number): void {
    for (const run of new Set([...this.#held.values()].map((mirror) => mirror.run)))
      this.#countsOf(run).dropped += count;
  }

  #take(copy: CopyLine): void {
    const key = `${copy.target} ${copy.side}`;
    const mirror = this.#held.get(key);
    // The step has ended meanwhile, or the user went away: there is nothing to compare.
    if (mirror === undefined || copy.status < 0) return;
    if (mirror.servers.length === 0 || mirrorQueueMax <= this.#queue.length || !this.#isInTime()) {
      this.#countsOf(mirror.run).dropped += 1;
      return;
    }
    this.#queue.push({ key, copy, sinceMs: this.#options.clock.monotonic() });
    this.#sendQueued();
  }

  #isInTime(): boolean {
    const now = this.#options.clock.monotonic();
    if (now - this.#second.sinceMs >= 1_000) this.#second = { sinceMs: now, sent: 0 };
    this.#second.sent += 1;
    return this.#second.sent <= mirrorsPerSecondMax;
  }

  #sendQueued(): void {
    while (this.#underWay.size < mirrorsUnderWayMax) {
      const first = this.#queue.shift();
      if (first === undefined) return;
      const mirror = this.#held.get(first.key);
      if (mirror === undefined) continue;
      const isLate = this.#options.clock.monotonic() - first.sinceMs > mirrorWaitMs;
      if (isLate) this.#countsOf(mirror.run).dropped += 1;
      else this.#send(first.key, mirror, first.copy);
    }
  }

  #send(key: string, mirror: HeldMirror, copy: CopyLine): void {
    const bytes = copyBytes(copy);
    const server = mirror.servers[this.#next++ % mirror.servers.length];
    if (bytes === undefined || server === undefined) {
      this.#countsOf(mirror.run).dropped += 1;
      return;
    }
    const { answer, abort } = sendCopy(this.#options, server, bytes);
    const sent = { key, abort };
    this.#underWay.set(sent, sent);
    void answer.then((found) => {
      this.#underWay.delete(sent);
      if (found !== undefined) this.#count(mirror, copy, found);
      this.#sendQueued();
    });
  }

  /** Both sides of the same request: whatever troubles the original is not held against the copy. */
  #count(mirror: HeldMirror, copy: CopyLine, answer: CopyAnswer): void {
    const counts = this.#countsOf(mirror.run);
    const isError = (status: number, answerMs: number): boolean =>
      mirror.errorStatuses.some((beginning) => String(status).startsWith(beginning)) ||
      (mirror.slowerThanMs !== undefined && answerMs > mirror.slowerThanMs);
    const isFailed = answer.status === undefined || isError(answer.status, answer.answerMs);
    counts.originals.requests += 1;
    if (isError(copy.status, copy.answerMs)) counts.originals.inErrors += 1;
    counts.copies.requests += 1;
    if (!isFailed) return;
    counts.copies.inErrors += 1;
    const what = answer.status === undefined ? answer.fault : `${answer.status} in ${Math.round(answer.answerMs)} ms`;
    const sample = `copy of ${copy.method} ${pathOf(copy)}: ${what}`;
    counts.samples = [...counts.samples, sample.replaceAll(/[^ -~]/g, "?").slice(0, sampleCharactersMax)].slice(
      -samplesMax,
    );
  }
}

/** Where the copies go that HAProxy is told to make: to the ready pods of the chosen. */
export function mirrorsOf({ splits, backends }: RouteTable, slots: Slots): HeldMirror[] {
  return splits.flatMap(({ mirror, run, errorStatuses, slowerThanMs, backends: pairs }) =>
    pairs.flatMap(({ to }): HeldMirror[] => {
      const slot = to === undefined ? undefined : slots.backends.get(to);
      if (mirror === undefined || run === undefined || to === undefined || slot === undefined) return [];
      const servers = backends.get(to)?.servers ?? [];
      return [{ run, target: backendName(slot), servers, errorStatuses, slowerThanMs }];
    }),
  );
}
