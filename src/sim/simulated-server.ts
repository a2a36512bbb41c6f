import type { SeededRandom } from "#base/seeded-random.ts";
import type { User } from "#apiserver/user.ts";
import type { NodeConnector } from "#apiserver/node-connector.ts";
import { createServer, type Server } from "#cluster/server.ts";
import type { Informers } from "#reconcile/informers.ts";
import type { Store } from "#store/store.ts";
import { silentLog, type Log } from "#telemetry/log.ts";
import type { Certificates, Crypto } from "#world/crypto.ts";
import type { Transport } from "#world/http.ts";
import { ProcessLife } from "./simulated-process.ts";
import { openSimulatedStore, type SimulatedStoreDisk } from "./simulated-store.ts";
import type { VirtualTime } from "./virtual-time.ts";
import { watchedStore, type StoreWitness } from "./watched-store.ts";

export interface SimulatedServerOptions {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly crypto: Crypto;
  readonly certificates: Certificates;
  readonly ca: { readonly certificate: string; readonly key: string };
  readonly serviceAccountKey: { readonly privateKey: string; readonly publicKey: string };
  readonly disk: SimulatedStoreDisk;
  /** Between the loops of the server and its API. */
  readonly between: (part: string, direct: Transport, life: ProcessLife) => Transport;
  /** How the server reaches the nodes' agents; absent: it does not. */
  readonly connector?: NodeConnector | undefined;
  readonly witness: StoreWitness;
  readonly opened: (store: Store) => void;
  readonly onProblem: (problem: string, error: unknown) => void;
}

interface Life {
  readonly process: ProcessLife;
  readonly server: Server;
  readonly store: Store;
  readonly transports: Map<string, Transport>;
}

/** The server's process, started and ended as often as one likes over one disk. */
export class SimulatedServer {
  readonly #options: SimulatedServerOptions;
  #life: Life | undefined;
  #lives = 0;
  #steppedMs = 0;

  constructor(options: SimulatedServerOptions) {
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#life !== undefined;
  }

  /** What the loops of the running process have seen. */
  get informers(): Informers | undefined {
    return this.#life?.server.informers;
  }

  /** The way to the API of the process that runs now; undefined while none does. */
  transportFor(user: User): Transport | undefined {
    const life = this.#life;
    if (life === undefined) return undefined;
    const known = life.transports.get(user.name) ?? life.server.api.transportFor(user);
    life.transports.set(user.name, known);
    return known;
  }

  start(): void {
    if (this.#life !== undefined) return;
    const { time, crypto, certificates, disk, ca, serviceAccountKey, witness, connector } = this.#options;
    this.#lives += 1;
    const process = new ProcessLife(time);
    const { timers } = process;
    const clock = { now: () => time.now() + this.#steppedMs, monotonic: () => time.monotonic() };
    const opened = openSimulatedStore({ disk, clock, timers });
    const store = watchedStore(opened, witness);
    const server = createServer({
      world: { clock, timers, random: this.#options.random.split(`life ${this.#lives}`), crypto, certificates },
      store,
      serviceRange: "10.96.0.0/16",
      podRange: "10.244.0.0/16",
      nodePorts: { first: 30_000, last: 32_767 },
      apiAddress: "198.18.0.1",
      apiPort: 6443,
      clientCa: ca,
      serviceAccountKey,
      ...(connector === undefined ? {} : { nodes: () => connector }),
      between: (part, direct) => this.#options.between(part, direct, process),
      log: this.#log(process),
    });
    this.#life = { process, server, store, transports: new Map() };
    this.#options.opened(opened);
    server.start().catch((error: unknown) => {
      if (!process.isOver) this.#options.onProblem("the server did not start", error);
    });
  }

  /** Sets the clock of the server's machine so much before or behind the nodes' ones. Milliseconds. */
  setClock(aheadMs: number): void {
    this.#steppedMs = aheadMs;
  }

  /** The process ends at once, as by SIGKILL or a power loss. Whoever carries its connections must break them. */
  crash(): void {
    this.#life?.process.end();
    this.#life = undefined;
    this.#options.disk.crash();
  }

  /** The process ends as by SIGTERM. */
  async stop(): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    await life.server.stop();
    await life.store.close();
    if (this.#life !== life) return;
    life.process.end();
    this.#life = undefined;
  }

  #log(process: ProcessLife): Log {
    const log: Log = {
      ...silentLog,
      error: (message, error) => {
        if (!process.isOver) this.#options.onProblem(message, error);
      },
      with: () => log,
    };
    return log;
  }
}
