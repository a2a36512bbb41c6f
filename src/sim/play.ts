import { SeededRandom } from "#base/seeded-random.ts";
import type { NodeConnector } from "#apiserver/node-connector.ts";
import { ApiStatusError } from "#client/status-error.ts";
import type { Timers } from "#world/clock.ts";
import { History, type Change } from "./history.ts";
import { limits } from "./limits.ts";
import type { RealMachine, Violation } from "./run-seed.ts";
import { SimulatedCluster } from "./simulated-cluster.ts";
import { Story } from "./story.ts";
import { Striker } from "./strikes.ts";
import { describeSwarm, drawSwarm } from "./swarm.ts";
import { Trace } from "./trace.ts";
import { VirtualTime } from "./virtual-time.ts";

const epochMs = Date.UTC(2026, 0, 1);
const retryMs = 500;
const attemptsMax = 2_000;

export interface PlayOptions {
  /** What is played: `canary`. */
  readonly title: string;
  readonly seed: string;
  readonly machine: RealMachine;
  readonly nodes: number;
  readonly changed: (changes: readonly Change[]) => void;
  /** How the server reaches the nodes' agents; absent: it does not. */
  readonly connector?: NodeConnector;
  readonly tell?: ((line: string) => void) | undefined;
}

/** A simulated cluster that is struck as in any seed, while one story is played on it. */
export class Play {
  readonly random: SeededRandom;
  readonly time: VirtualTime;
  readonly timers: Timers;
  readonly story: Story;
  readonly history: History;
  readonly cluster: SimulatedCluster;
  readonly striker: Striker;
  violation: Violation | undefined;
  isOver = false;

  constructor({ title, seed, machine, nodes, changed, connector, tell }: PlayOptions) {
    this.random = new SeededRandom(`${title} ${seed}`);
    this.time = new VirtualTime({ epochMs, settle: machine.settle });
    this.timers = this.time.processTimers();
    const now = (): number => this.time.monotonic();
    this.story = new Story(now, tell);
    this.history = new History(now, (changes) => {
      if (changes.some(({ resource }) => resource !== "coordination.k8s.io/leases" && resource !== "nodes"))
        this.striker.wrote();
      changed(changes);
    });
    const swarm = drawSwarm(this.random.split("swarm"));
    this.story.add(`${title} seed ${seed}: ${describeSwarm(swarm)}`);
    this.cluster = new SimulatedCluster({
      time: this.time,
      random: this.random.split("cluster"),
      hashes: machine.hashes,
      trace: new Trace(limits.traceKept),
      history: this.history,
      nodes,
      ...(connector === undefined ? {} : { connector }),
      commitMsMax: swarm.commitMsMax,
      witness: { acknowledged: () => undefined },
      observeStream: () => () => () => undefined,
      observeRequest: () => undefined,
      onAct: () => undefined,
      opened: () => undefined,
      onProblem: (problem, error) => {
        if (error instanceof TypeError || error instanceof RangeError)
          this.report("the program", `${problem}: ${error.stack}`);
      },
      defects: {},
    });
    const random = this.random.split("strikes");
    this.striker = new Striker({ cluster: this.cluster, swarm, random, timers: this.timers, story: this.story });
  }

  /** Plays to the end; what is thrown meanwhile is a violation too. */
  async run(play: () => Promise<void>): Promise<void> {
    try {
      await play();
    } catch (error) {
      this.report("the program", error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    this.isOver = true;
  }

  /** Starts the server and all agents; false (and reported) when the nodes do not become Ready. */
  async start(): Promise<boolean> {
    const { server, hosts } = this.cluster;
    server.start();
    for (const host of hosts) host.startAgent();
    const areReady = (): boolean =>
      hosts.every((host) => isReady(this.history.get(`/registry/core/nodes/${host.name}`)));
    if (await this.until(areReady, limits.startMsMax)) return true;
    this.report("start", "the nodes did not become Ready");
    return false;
  }

  /** As a user does whose request was not answered: again, until it is there. */
  async insist(ask: () => Promise<unknown>): Promise<void> {
    for (let attempt = 0; attempt < attemptsMax && !this.isOver; attempt++) {
      try {
        await ask();
        return;
      } catch (error) {
        if (error instanceof ApiStatusError && error.code === 409) return;
        await this.timers.sleep(retryMs);
      }
    }
  }

  async until(done: () => boolean, limitMs: number): Promise<boolean> {
    const isDone = await this.time.runUntil(() => this.violation !== undefined || done(), limitMs);
    return isDone && this.violation === undefined;
  }

  report(invariant: string, what: string): void {
    if (this.violation !== undefined) return;
    this.violation = { invariant, what, atMs: this.time.monotonic() };
    this.story.add(`broken: ${invariant}: ${what}`);
  }
}

function isReady(object: { readonly status?: object } | undefined): boolean {
  const status = object?.status as { conditions?: { type: string; status: string }[] } | undefined;
  return (status?.conditions ?? []).some(({ type, status: is }) => type === "Ready" && is === "True");
}
