import { trafficcounts, type MirrorCount, type SideCount, type TrafficCountSpec } from "#api/delivery/traffic-split.ts";
import type { Client } from "#client/client.ts";
import type { Clock, Timer, Timers } from "#world/clock.ts";
import {
  countHeartbeatMs,
  countPollMs,
  countRetryMs,
  countSpacingMs,
  sampleCharactersMax,
  samplesMax,
} from "./limits.ts";
import type { Runtime } from "./runtime.ts";
import { tell } from "./tell.ts";

/** A TrafficSplit as HAProxy holds it now. */
export interface HeldSplit {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly threshold: number;
  readonly run: string;
}

/** What came of the copies of a run, and the last of them that failed. */
export interface MirroredCount {
  readonly count: MirrorCount;
  readonly samples: readonly string[];
}

export interface SplitCountsOptions {
  readonly runtime: Runtime;
  readonly client: Client;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly nodeName: string;
  /** What came of copied requests of a run. */
  readonly mirrored?: (run: string) => MirroredCount | undefined;
  readonly onProblem: (problem: string, error: unknown) => void;
}

interface Told {
  /** What is told at once when it changes, and what can wait a moment. */
  readonly urgent: string;
  readonly rest: string;
  readonly atMs: number;
}

/** Tells the API what this node's HAProxy counts of TrafficSplits, for as long as one of them counts. */
export class SplitCounts {
  readonly #options: SplitCountsOptions;
  #held: readonly HeldSplit[] = [];
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  readonly #told = new Map<string, Told>();

  constructor(options: SplitCountsOptions) {
    this.#options = options;
  }

  /** What HAProxy holds from now on. */
  hold(splits: readonly HeldSplit[]): void {
    this.#held = splits;
    const keys = new Set(splits.map(keyOf));
    for (const key of this.#told.keys()) if (!keys.has(key)) this.#told.delete(key);
    if (this.#running === undefined) this.#schedule(0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#stopped || this.#held.length === 0) return;
    this.#timer = this.#options.timers.after(delayMs, () => {
      this.#timer = undefined;
      this.#running = this.#look();
    });
  }

  async #look(): Promise<void> {
    const held = this.#held;
    let waitMs = countPollMs;
    try {
      const sides = readSides(await this.#options.runtime.command("show table sides"));
      await Promise.all(held.map((split) => this.#tell(split, sides)));
    } catch (error) {
      this.#options.onProblem("ingress: cannot tell counts of users", error);
      waitMs = countRetryMs;
    }
    this.#running = undefined;
    this.#schedule(held === this.#held ? waitMs : 0);
  }

  async #tell(split: HeldSplit, sides: ReadonlyMap<string, SideCount>): Promise<void> {
    const { clock, nodeName, runtime } = this.#options;
    const { run, threshold } = split;
    const chosen = sides.get(`${run}/chosen`) ?? nobody;
    const others = sides.get(`${run}/others`) ?? nobody;
    const mirrored = this.#options.mirrored?.(run);
    const urgent = JSON.stringify([run, threshold, chosen.inErrors, mirrored?.count.copies.inErrors]);
    const rest = JSON.stringify([chosen.users, others.users, others.inErrors, mirrored?.count]);
    const told = this.#told.get(keyOf(split));
    const now = clock.monotonic();
    const dueMs = told?.urgent !== urgent ? 0 : told.rest !== rest ? countSpacingMs : countHeartbeatMs;
    if (told !== undefined && now - told.atMs < dueMs) return;
    const ofUsers =
      chosen.inErrors === 0 ? [] : samplesOf(await runtime.command("show events failures"), `${run}/chosen`);
    const samples = [...(mirrored?.samples ?? []), ...ofUsers].slice(-samplesMax);
    const at = new Date(clock.now()).toISOString();
    const counted = { split: split.name, node: nodeName, threshold, run, chosen, others, at, samples };
    await this.#write(split, mirrored === undefined ? counted : { ...counted, mirrored: mirrored.count });
    this.#told.set(keyOf(split), { urgent, rest, atMs: now });
  }

  #write({ namespace, name, uid }: HeldSplit, spec: TrafficCountSpec): Promise<void> {
    const { client, nodeName } = this.#options;
    return tell(client, trafficcounts, {
      about: { kind: "TrafficSplit", namespace, name, uid },
      nodeName,
      rule: `the ingress of ${nodeName} counted the users of a TrafficSplit`,
      spec: { ...spec, samples: [...(spec.samples ?? [])] },
      // What an earlier run copied is none of this one.
      cleared: ["mirrored"],
    });
  }
}

const nobody: SideCount = { users: 0, inErrors: 0 };

function keyOf({ namespace, name, uid }: HeldSplit): string {
  return `${namespace}/${name} ${uid}`;
}

/** By the key of a side: `RUN/chosen`. */
export function readSides(answer: string): Map<string, SideCount> {
  const found = new Map<string, SideCount>();
  for (const line of answer.split("\n")) {
    const key = / key=(\S+) /.exec(line)?.[1];
    if (key === undefined) continue;
    const numberOf = (name: string): number => Number(new RegExp(` ${name}=(\\d+)`).exec(line)?.[1] ?? 0);
    found.set(key, { users: numberOf("gpc0"), inErrors: numberOf("gpc1") });
  }
  return found;
}

/** The last failed requests of one side, with whatever users wrote in them made harmless. */
export function samplesOf(answer: string, side: string): string[] {
  return answer
    .split("\n")
    .flatMap((line) => {
      const at = line.indexOf(`${side} `);
      // What follows the last bar is for copies.
      return at === -1 ? [] : [line.slice(at + side.length + 1, line.lastIndexOf("|"))];
    })
    .slice(-samplesMax)
    .map((text) => text.replaceAll(/[^ -~]/g, "?").slice(0, sampleCharactersMax));
}
