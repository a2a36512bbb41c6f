import { hashText, SeededRandom } from "#base/seeded-random.ts";
import { allCheckers } from "./checkers/all.ts";
import type { Checker, View } from "./checkers/checker.ts";
import type { Change } from "./history.ts";
import { History } from "./history.ts";
import { limits } from "./limits.ts";
import { finalState } from "./final-state.ts";
import { missing } from "./settled.ts";
import type { Hashes } from "./simulated-crypto.ts";
import { SimulatedCluster, type Defects } from "./simulated-cluster.ts";
import type { RuntimeAct } from "./simulated-runtime.ts";
import { Story } from "./story.ts";
import { Striker } from "./strikes.ts";
import { describeSwarm, drawSwarm, type Swarm } from "./swarm.ts";
import { Trace } from "./trace.ts";
import { SimulatedUser } from "./user.ts";
import { VirtualTime } from "./virtual-time.ts";

const epochMs = Date.UTC(2026, 0, 1);
const nodesCount = 3;
/** Of all seeds, those with every workload and every fault at once. */
const shareWithAll = 0.08;

/** What a run needs of the real machine: nothing that differs from run to run. */
export interface RealMachine {
  /** Resolves in a macrotask, after all that waits now. */
  settle(): Promise<void>;
  readonly hashes: Hashes;
}

export interface SeedOptions {
  readonly seed: string;
  readonly machine: RealMachine;
  /** Gets the story line by line. */
  readonly tell?: (line: string) => void;
  /** Gets every entry of the trace, to find where two runs part. */
  readonly traced?: (entry: string) => void;
  /** Gets every visible change of every object. */
  readonly changed?: (change: Change) => void;
  /** In place of what the seed would draw; for tests. */
  readonly swarm?: Swarm;
  /** Defects, for tests of the checkers. */
  readonly defects?: Defects;
}

export interface Violation {
  readonly invariant: string;
  readonly what: string;
  readonly atMs: number;
}

export interface SeedResult {
  readonly seed: string;
  readonly traceHash: string;
  readonly traceEntries: number;
  readonly virtualMs: number;
  readonly tasks: number;
  readonly writes: number;
  /** Writes from the user's first on, besides leases and heartbeats. */
  readonly userWrites: number;
  /** What stands in the end, comparable between runs; empty unless it was reached. */
  readonly finalState: readonly string[];
  /** What the user wanted in the end. */
  readonly desired: string;
  readonly violation: Violation | undefined;
  /** For the report of a failure. */
  readonly story: readonly string[];
  readonly recent: readonly string[];
  readonly problems: readonly string[];
}

/** Plays one seed: start, faults while a user works, calm, the desired state, stillness. Never throws for a broken invariant. */
export function runSeed(options: SeedOptions): Promise<SeedResult> {
  return new SeedRun(options).run();
}

class SeedRun {
  readonly #options: SeedOptions;
  readonly #random: SeededRandom;
  readonly #time: VirtualTime;
  readonly #trace: Trace;
  readonly #story: Story;
  readonly #history: History;
  readonly #swarm: Swarm;
  readonly #cluster: SimulatedCluster;
  readonly #checkers: readonly Checker[];
  readonly #problems: string[] = [];
  #violation: Violation | undefined;
  #striker: Striker | undefined;
  readonly #hasAll: boolean;
  #isCalm = false;
  #writes = 0;
  #lastWriteMs = 0;
  #lastWrite = "";
  #finalState: readonly string[] = [];
  #desired = "";

  constructor(options: SeedOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#time = new VirtualTime({ epochMs, settle: options.machine.settle });
    this.#trace = new Trace(limits.traceKept, options.traced);
    const now = (): number => this.#time.monotonic();
    this.#story = new Story(now, options.tell);
    this.#history = new History(now, (changes) => this.#changed(changes));
    this.#hasAll = options.swarm === undefined && this.#random.split("all").chance(shareWithAll);
    this.#swarm = options.swarm ?? drawSwarm(this.#random.split("swarm"), this.#hasAll);
    this.#cluster = new SimulatedCluster({
      time: this.#time,
      random: this.#random.split("cluster"),
      hashes: options.machine.hashes,
      trace: this.#trace,
      history: this.#history,
      nodes: nodesCount,
      commitMsMax: this.#swarm.commitMsMax,
      witness: { acknowledged: (revision, keys) => this.#each((checker) => checker.acknowledged?.(revision, keys)) },
      observeStream: (client) => (target) => this.#observe(client, target),
      observeRequest: (stage, client, request) => this.#each((checker) => checker[stage]?.(client, request)),
      onAct: (host, act) => this.#acted(host, act),
      opened: (store, disk) => this.#each((checker) => checker.opened?.(store, disk)),
      onProblem: (problem, error) => this.#problem(problem, error),
      defects: options.defects ?? {},
    });
    const view: View = {
      history: this.#history,
      hosts: this.#cluster.hosts,
      server: this.#cluster.server,
      swarm: this.#swarm,
      isCalm: () => this.#isCalm,
      now,
    };
    this.#checkers = allCheckers.map((make) => make(view, (invariant, what) => this.#report(invariant, what)));
  }

  async run(): Promise<SeedResult> {
    try {
      await this.#play();
    } catch (error) {
      this.#report("the program", error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    return {
      seed: this.#options.seed,
      traceHash: this.#trace.hash(),
      traceEntries: this.#trace.entries,
      virtualMs: this.#time.monotonic(),
      tasks: this.#time.tasksRun,
      writes: this.#writes,
      userWrites: this.#striker?.written ?? 0,
      finalState: this.#finalState,
      desired: this.#desired,
      violation: this.#violation,
      story: this.#story.last(limits.storyKept),
      recent: this.#trace.recent(),
      problems: this.#problems.slice(-limits.storyKept),
    };
  }

  async #play(): Promise<void> {
    const { hosts, server, client } = this.#cluster;
    const random = this.#random;
    const timers = this.#time.processTimers();
    this.#story.add(`seed ${this.#options.seed}: ${describeSwarm(this.#swarm)}`);
    server.start();
    for (const host of hosts) host.startAgent();
    const areNodesReady = (): boolean =>
      hosts.every(({ name }) => isReady(this.#history.get(`/registry/core/nodes/${name}`)));
    if (!(await this.#until(areNodesReady, limits.startMsMax))) {
      return this.#unlessBroken("26 start", "the nodes did not become Ready");
    }
    this.#story.add("the nodes are Ready");
    const wishMs = 500 + random.float() * 30_000;
    const user = new SimulatedUser({
      client,
      random: random.split("user"),
      timers,
      story: this.#story,
      history: this.#history,
      nodes: hosts.map(({ name }) => name),
      wishMs,
      wantsAll: this.#hasAll,
    });
    const striker = new Striker({
      cluster: this.#cluster,
      swarm: this.#swarm,
      random: random.split("strikes"),
      timers,
      story: this.#story,
    });
    user.begin();
    striker.begin();
    this.#striker = striker;
    await this.#until(() => false, this.#swarm.safetyMs);
    if (this.#violation !== undefined) return;
    striker.end();
    this.#isCalm = true;
    user.end();
    const isSettled = (): boolean => user.isDone && missing(this.#history, hosts, user.desired).length === 0;
    if (!(await this.#untilStill(isSettled))) {
      return this.#unlessBroken(
        "26 convergence",
        user.isDone ? missing(this.#history, hosts, user.desired).join("; ") : "the user's requests were not answered",
      );
    }
    this.#story.add("the desired state is reached and stands still");
    this.#each((checker) => checker.settled?.());
    this.#finalState = finalState(this.#history);
    this.#desired = JSON.stringify(user.desired);
  }

  /** Waits until the desired state is reached, then that nothing is written any more. */
  async #untilStill(isSettled: () => boolean): Promise<boolean> {
    const endMs = this.#time.monotonic() + limits.convergenceMsMax;
    // Looked at once a virtual second: looking costs.
    let isReached = false;
    let lookedMs = -1;
    const look = (): boolean => {
      const second = Math.floor(this.#time.monotonic() / 1000);
      if (second !== lookedMs) isReached = isSettled();
      lookedMs = second;
      return isReached;
    };
    if (!(await this.#until(look, limits.convergenceMsMax))) return false;
    this.#story.add("the desired state is reached");
    const isQuiet = (): boolean => this.#time.monotonic() - this.#lastWriteMs >= limits.quietMs;
    if (!(await this.#until(isQuiet, endMs + limits.quietMs - this.#time.monotonic()))) {
      this.#unlessBroken("26 stillness", `something is still written, last ${this.#lastWrite}`);
      return false;
    }
    return isSettled();
  }

  async #until(done: () => boolean, limitMs: number): Promise<boolean> {
    const isDone = await this.#time.runUntil(() => this.#violation !== undefined || done(), limitMs);
    return isDone && this.#violation === undefined;
  }

  #changed(changes: readonly Change[]): void {
    for (const change of changes) {
      const { revision, key, current } = change;
      this.#options.changed?.(change);
      this.#trace.add(`! ${revision} ${key} ${current === undefined ? "gone" : hashText(JSON.stringify(current))}`);
      this.#writes += 1;
      if (isHeartbeat(change)) continue;
      this.#lastWriteMs = this.#time.monotonic();
      this.#lastWrite = key;
      this.#striker?.wrote();
    }
    this.#each((checker) => checker.changed?.(changes));
  }

  #acted(host: string, act: RuntimeAct): void {
    this.#trace.add(`* ${host} ${act.what} ${act.pod} ${act.container}`);
    this.#each((checker) => checker.acted?.(host, act));
  }

  #observe(client: string, target: string): (chunk: Uint8Array) => void {
    const observers = this.#checkers.flatMap((checker) => checker.watching?.(client, target) ?? []);
    return (chunk) => {
      for (const observe of observers) observe(chunk);
    };
  }

  #each(tell: (checker: Checker) => void): void {
    if (this.#violation !== undefined) return;
    for (const checker of this.#checkers) tell(checker);
  }

  #problem(problem: string, error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    const at = (this.#time.monotonic() / 1000).toFixed(3);
    this.#problems.push(`${at} s ${problem}: ${text}`);
    if (error instanceof TypeError || error instanceof RangeError)
      this.#report("the program", `${problem}: ${error.stack}`);
  }

  #unlessBroken(invariant: string, what: string): void {
    if (this.#violation === undefined) this.#report(invariant, what);
  }

  #report(invariant: string, what: string): void {
    if (this.#violation !== undefined) return;
    this.#violation = { invariant, what, atMs: this.#time.monotonic() };
    this.#story.add(`broken: ${invariant}: ${what}`);
  }
}

/** Leases, and Nodes whose heartbeat alone moved: these go on for ever. */
function isHeartbeat({ resource, current, before }: Change): boolean {
  if (resource === "coordination.k8s.io/leases") return true;
  if (resource !== "nodes" || current === undefined || before === undefined) return false;
  const still = (object: object): string =>
    JSON.stringify(object, (name, value: unknown) =>
      name === "resourceVersion" || name === "lastHeartbeatTime" || name === "managedFields" ? undefined : value,
    );
  return still(current) === still(before);
}

function isReady(object: { readonly status?: object } | undefined): boolean {
  const conditions =
    (object?.status as { conditions?: { type: string; status: string }[] } | undefined)?.conditions ?? [];
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}
