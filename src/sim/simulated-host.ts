import type { SeededRandom } from "#base/seeded-random.ts";
import { createClient } from "#client/http-client.ts";
import type { Agent } from "#node/agent.ts";
import type { Certificates, Crypto } from "#world/crypto.ts";
import type { Transport } from "#world/http.ts";
import { announcedBehaviour } from "./announced-behaviour.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { ordinaryCapacity } from "./simulated-machine.ts";
import { createSimulatedNode } from "./simulated-node.ts";
import { ProcessLife } from "./simulated-process.ts";
import { quickRuntime, SimulatedRuntime, type RuntimeAct } from "./simulated-runtime.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface SimulatedHostOptions {
  readonly name: string;
  readonly index: number;
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly crypto: Crypto;
  readonly certificates: Certificates;
  /** The way from an agent of this machine to the server. */
  readonly transport: (life: ProcessLife) => Transport;
  readonly onAct: (host: string, act: RuntimeAct) => void;
  readonly onProblem: (problem: string, error: unknown) => void;
}

interface AgentLife {
  readonly process: ProcessLife;
  agent: Agent | undefined;
}

/** A machine with a disk, a container runtime and, most of the time, an agent. */
export class SimulatedHost {
  readonly name: string;
  readonly runtime: SimulatedRuntime;
  readonly #options: SimulatedHostOptions;
  readonly #disk: MemoryDisk;
  readonly #random: SeededRandom;
  #life: AgentLife | undefined;
  #lives = 0;
  #isPowered = true;

  constructor(options: SimulatedHostOptions) {
    const { time, index } = options;
    this.name = options.name;
    this.#options = options;
    this.#random = options.random.split(options.name);
    this.#disk = new MemoryDisk(time);
    this.runtime = new SimulatedRuntime({
      clock: time,
      timers: time.processTimers(),
      random: this.#random.split("runtime"),
      latency: quickRuntime,
      addressOf: (pod) => `10.244.${index}.${2 + (pod % 250)}`,
      behaviour: announcedBehaviour,
      onAct: (act) => options.onAct(this.name, act),
    });
  }

  /** Agents that have been started so far. */
  get agentLives(): number {
    return this.#lives;
  }

  get isPowered(): boolean {
    return this.#isPowered;
  }

  get hasAgent(): boolean {
    return this.#life !== undefined;
  }

  startAgent(): void {
    if (this.#life !== undefined || !this.#isPowered) return;
    this.#lives += 1;
    const { time, index, crypto, certificates, onProblem } = this.#options;
    const process = new ProcessLife(time);
    const life: AgentLife = { process, agent: undefined };
    this.#life = life;
    const run = async (): Promise<void> => {
      life.agent = await createSimulatedNode({
        name: this.name,
        address: `198.18.1.${1 + index}`,
        client: createClient(this.#options.transport(process), {
          userAgent: "steersman-agent",
          timers: process.timers,
        }),
        runtime: process.runtime(this.runtime),
        disk: this.#disk,
        capacity: ordinaryCapacity,
        podsMax: 110,
        clock: time,
        timers: process.timers,
        random: this.#random.split(`agent ${this.#lives}`),
        crypto,
        certificates,
        onProblem: (problem, error) => {
          if (!process.isOver) onProblem(`${this.name}: ${problem}`, error);
        },
      });
      await life.agent.start();
    };
    run().catch((error: unknown) => {
      if (!process.isOver) onProblem(`${this.name}: the agent did not start`, error);
    });
  }

  /** The agent's process ends at once; containers go on. */
  crashAgent(): void {
    this.#life?.process.end();
    this.#life = undefined;
  }

  /** The machine stops: agent and containers are gone, the disk stays. */
  powerOff(): void {
    this.crashAgent();
    this.runtime.powerLoss();
    this.#isPowered = false;
  }

  powerOn(): void {
    this.#isPowered = true;
    this.startAgent();
  }
}
