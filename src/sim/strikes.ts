import type { SeededRandom } from "#base/seeded-random.ts";
import { nodes } from "#api/generated/resources.ts";
import type { Timers } from "#world/clock.ts";
import { calmNetwork } from "./faulty-transport.ts";
import type { SimulatedCluster } from "./simulated-cluster.ts";
import type { SimulatedHost } from "./simulated-host.ts";
import type { Story } from "./story.ts";
import type { StrikeKind, Swarm } from "./swarm.ts";

/** Seconds that something stays away, at most. */
const serverAwaySecondsMax = 20;
const agentAwaySecondsMax = 40;
const machineAwaySecondsMax = 150;
const cutOffSecondsMax = 90;
const frozenSecondsMax = 90;
/** How far the server's clock may be from the nodes' ones. Milliseconds. */
const clockStepMsMax = 240_000;
/** Waits of a user whose request was not answered, and how often it is made again. Milliseconds. */
const retryMs = 1_000;
const attemptsMax = 600;

export interface StrikeOptions {
  readonly cluster: SimulatedCluster;
  readonly swarm: Swarm;
  readonly random: SeededRandom;
  readonly timers: Timers;
  readonly story: Story;
}

/** Strikes a cluster as its swarm says, until it is called off; then mends what can be mended. */
export class Striker {
  readonly #options: StrikeOptions;
  readonly #writes: SeededRandom;
  #isStriking = false;
  #written = 0;
  /** Nodes whose Node object is to go, or went, and did not come back. */
  readonly #deleted = new Set<string>();

  constructor(options: StrikeOptions) {
    this.#options = options;
    this.#writes = options.random.split("after writes");
  }

  /** Before this it only counts what is written. */
  begin(): void {
    const { cluster, swarm, random } = this.#options;
    this.#isStriking = true;
    cluster.setNetwork(swarm.loopNetwork, swarm.agentNetwork);
    for (const [kind, everyMs] of Object.entries(swarm.strikes))
      this.#plan(kind as StrikeKind, everyMs, random.split(kind));
  }

  /** Something was written: the worst moments to crash are right after that. */
  wrote(): void {
    const { swarm, timers, cluster } = this.#options;
    this.#written += 1;
    if (this.#written === swarm.crashAtWrite) timers.soon(() => this.#crashOnce(this.#written));
    if (!this.#isStriking || !this.#writes.chance(swarm.crashAfterWrite)) return;
    timers.soon(() => {
      if (this.#isStriking && cluster.server.isUp) this.#crashServer(this.#writes, "the server crashes after a write");
    });
  }

  /** Writes so far, besides leases and heartbeats. */
  get written(): number {
    return this.#written;
  }

  /** Ends all faults: what is down starts, except for machines whose Node was deleted for good. */
  end(): void {
    const { cluster, story, random } = this.#options;
    this.#isStriking = false;
    story.add("faults stop");
    cluster.setNetwork(calmNetwork, calmNetwork);
    cluster.thaw();
    cluster.server.setClock(0);
    cluster.server.start();
    for (const host of cluster.hosts) {
      cluster.reconnect(host.name);
      if (this.#deleted.has(host.name) && random.chance(0.5)) {
        story.add(`${host.name} stays away`);
        continue;
      }
      host.powerOn();
    }
  }

  #plan(kind: StrikeKind, everyMs: number, random: SeededRandom): void {
    // Exponential: strikes come in clusters, as they do.
    this.#options.timers.after(-Math.log(1 - random.float()) * everyMs, () => {
      if (!this.#isStriking) return;
      this.#strike(kind, random);
      this.#plan(kind, everyMs, random);
    });
  }

  #strike(kind: StrikeKind, random: SeededRandom): void {
    const { cluster, story } = this.#options;
    const host = random.pick(cluster.hosts);
    const say = (text: string): void => story.add(text);
    switch (kind) {
      case "server-crash":
        if (!cluster.server.isUp) return;
        return this.#crashServer(random, "the server crashes");
      case "server-restart":
        if (!cluster.server.isUp) return;
        say("the server is stopped");
        void cluster.server.stop().then(() => {
          cluster.breakStreams();
          // The faults may have ended while it was stopping.
          if (!this.#isStriking) return cluster.server.start();
          this.#later(random, serverAwaySecondsMax, () => cluster.server.start(), "the server starts again");
        });
        return;
      case "agent-crash":
        if (!host.hasAgent) return;
        say(`the agent of ${host.name} crashes`);
        host.crashAgent();
        return this.#later(
          random,
          agentAwaySecondsMax,
          () => host.startAgent(),
          `the agent of ${host.name} starts again`,
        );
      case "power-loss":
        return this.#powerLoss(host, random);
      case "node-deleted":
        return this.#deleteNode(host, random);
      case "streams-broken": {
        const name = random.chance(0.3) ? undefined : random.pick(cluster.clients());
        say(`the connections of ${name ?? "everyone"} break`);
        return cluster.breakStreams(name);
      }
      case "caches-frozen": {
        const name = random.pick(cluster.clients());
        say(`what ${name} watches stands still`);
        cluster.freeze(name);
        return this.#later(random, frozenSecondsMax, () => cluster.thaw(name), `${name} sees what happened meanwhile`);
      }
      case "clock-stepped": {
        const aheadMs = Math.round((2 * random.float() - 1) * clockStepMsMax);
        say(`the server's clock is set ${Math.abs(aheadMs)} ms ${aheadMs < 0 ? "back" : "ahead"}`);
        return cluster.server.setClock(aheadMs);
      }
      case "agent-cut-off":
        say(`${host.name} is cut off`);
        cluster.cutOff(host.name);
        return this.#later(
          random,
          cutOffSecondsMax,
          () => cluster.reconnect(host.name),
          `${host.name} is connected again`,
        );
      case "container-crash": {
        const victim = host.runtime.crashContainer(random);
        if (victim !== undefined) say(`a container of ${victim} ends by itself`);
      }
    }
  }

  #crashOnce(write: number): void {
    const { cluster, story } = this.#options;
    if (!cluster.server.isUp) return;
    story.add(`the server crashes after write ${write} and starts again`);
    cluster.crashServer();
    cluster.server.start();
  }

  #crashServer(random: SeededRandom, text: string): void {
    const { cluster, story } = this.#options;
    story.add(text);
    cluster.crashServer();
    this.#later(random, serverAwaySecondsMax, () => cluster.server.start(), "the server starts again");
  }

  #powerLoss(host: SimulatedHost, random: SeededRandom): void {
    if (!host.isPowered) return;
    this.#options.story.add(`${host.name} loses power`);
    host.powerOff();
    // Whoever comes back joins again, also when its Node was deleted meanwhile.
    this.#later(random, machineAwaySecondsMax, () => this.#rejoin(host), `${host.name} comes back`);
  }

  /** The machine is gone and somebody removes its Node: at most one, so that the rest can carry the load. */
  #deleteNode(host: SimulatedHost, random: SeededRandom): void {
    const { story, timers, cluster } = this.#options;
    if (this.#deleted.size > 0) return;
    this.#deleted.add(host.name);
    story.add(`${host.name} is lost and its Node deleted`);
    host.powerOff();
    const remove = async (): Promise<void> => {
      for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
        try {
          if ((await cluster.client.find(nodes, { name: host.name })) === undefined) return;
          await cluster.client.delete(nodes, { name: host.name });
          return;
        } catch {
          // The server may be down, or the request lost: those are faults of this run too.
          await timers.sleep(retryMs);
        }
      }
    };
    void remove().then(() => {
      if (random.chance(0.5)) return;
      this.#later(random, machineAwaySecondsMax, () => this.#rejoin(host), `${host.name} comes back and joins again`);
    });
  }

  #rejoin(host: SimulatedHost): void {
    this.#deleted.delete(host.name);
    host.powerOn();
  }

  #later(random: SeededRandom, secondsMax: number, run: () => void, text: string): void {
    this.#options.timers.after(random.float() * secondsMax * 1000, () => {
      if (!this.#isStriking) return;
      this.#options.story.add(text);
      run();
    });
  }
}
