import type { SeededRandom } from "#base/seeded-random.ts";
import type { NodeConnector } from "#apiserver/node-connector.ts";
import type { User } from "#apiserver/user.ts";
import type { Client } from "#client/client.ts";
import { createClient } from "#client/http-client.ts";
import type { HttpRequest, Transport } from "#world/http.ts";
import type { Store } from "#store/store.ts";
import { calmNetwork, FaultyTransport, type NetworkFaults, type StreamObserver } from "./faulty-transport.ts";
import type { History } from "./history.ts";
import { simulatedCertificate, simulatedCertificates, simulatedCrypto, type Hashes } from "./simulated-crypto.ts";
import { SimulatedHost } from "./simulated-host.ts";
import { ProcessLife } from "./simulated-process.ts";
import { SimulatedServer } from "./simulated-server.ts";
import { SimulatedStoreDisk } from "./simulated-store.ts";
import type { RuntimeAct } from "./simulated-runtime.ts";
import type { Trace } from "./trace.ts";
import type { VirtualTime } from "./virtual-time.ts";
import type { StoreWitness } from "./watched-store.ts";

export interface SimulatedClusterOptions {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly hashes: Hashes;
  readonly trace: Trace;
  readonly history: History;
  readonly nodes: number;
  /** How the server reaches the nodes' agents; absent: it does not. */
  readonly connector?: NodeConnector;
  readonly commitMsMax: number;
  readonly witness: StoreWitness;
  readonly observeStream: (client: string) => StreamObserver;
  /** Of each request: it leaves its client, it reaches the server. */
  readonly observeRequest: (stage: "asked" | "requested", client: string, request: ClientRequest) => void;
  readonly onAct: (host: string, act: RuntimeAct) => void;
  readonly opened: (store: Store, disk: SimulatedStoreDisk) => void;
  readonly onProblem: (problem: string, error: unknown) => void;
  readonly defects: Defects;
}

/** What is made wrong on purpose, to see that somebody notices. */
export interface Defects {
  /** A crash of the server takes so many transactions with it that were durable. */
  readonly transactionsLostByCrash?: number;
  /** In place of a request of a client. */
  readonly alterRequest?: (client: string, request: HttpRequest) => HttpRequest;
  /** In place of what a watch delivers. */
  readonly alterChunk?: (client: string, target: string, chunk: Uint8Array) => Uint8Array | undefined;
}

export interface ClientRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const caLifeMs = 10 * 365 * 86_400_000;
const admin: User = { name: "simulated-user", uid: "", groups: ["system:masters", "system:authenticated"], extra: {} };

/** A server, nodes, a network between them, and a user, all in virtual time. */
export class SimulatedCluster {
  readonly server: SimulatedServer;
  readonly hosts: readonly SimulatedHost[];
  /** What the user works with: no faults of its own, but the server may be down. */
  readonly client: Client;
  readonly disk: SimulatedStoreDisk;
  readonly #options: SimulatedClusterOptions;
  readonly #transports = new Map<string, FaultyTransport>();
  readonly #cutOff = new Set<string>();
  #connections = 0;
  #agentNetwork: NetworkFaults = calmNetwork;
  #loopNetwork: NetworkFaults = calmNetwork;

  constructor(options: SimulatedClusterOptions) {
    this.#options = options;
    const { time, random, history } = options;
    const crypto = simulatedCrypto(options.hashes);
    const world = { time, crypto, certificates: simulatedCertificates, onProblem: options.onProblem };
    const ca = crypto.generateKey();
    const certificate = simulatedCertificate({
      subject: { commonName: "simulated-ca" },
      publicKey: ca.publicKey,
      usages: ["ca"],
      notBefore: time.now(),
      notAfter: time.now() + caLifeMs,
    });
    const lost = options.defects.transactionsLostByCrash ?? 0;
    this.disk = new SimulatedStoreDisk(random.split("disk"), options.commitMsMax, lost);
    this.server = new SimulatedServer({
      ...world,
      random: random.split("server"),
      ca: { certificate, key: ca.privateKey },
      serviceAccountKey: crypto.generateKey(),
      disk: this.disk,
      connector: options.connector,
      witness: options.witness,
      between: (part, direct, life) =>
        this.#transport(
          part,
          life,
          () => this.#loopNetwork,
          () => direct,
        ),
      opened: (store) => {
        options.opened(store, this.disk);
        history.follow(store);
      },
    });
    this.hosts = Array.from({ length: options.nodes }, (_, index) => {
      const name = `node-${index + 1}`;
      return new SimulatedHost({
        ...world,
        name,
        index,
        random: random.split("hosts"),
        onAct: options.onAct,
        transport: (life) => this.transportOf(name, life),
      });
    });
    const userLife = new ProcessLife(time);
    const userTransport = this.#transport(
      "user",
      userLife,
      () => calmNetwork,
      () => this.server.transportFor(admin),
    );
    this.client = createClient(userTransport, { userAgent: "simulated-user", timers: userLife.timers });
  }

  /** The way from a process of a node to the server, in the node's name; `part` tells processes of one node apart. */
  transportOf(name: string, life: ProcessLife, part = ""): Transport {
    const groups = ["system:nodes", "system:authenticated"];
    const user: User = { name: `system:node:${name}`, uid: "", groups, extra: {} };
    return this.#transport(
      `${name}${part}`,
      life,
      () => (this.isCutOff(name) ? { ...calmNetwork, lostRequest: 1 } : this.#agentNetwork),
      () => this.server.transportFor(user),
    );
  }

  isCutOff(name: string): boolean {
    return this.#cutOff.has(name);
  }

  setNetwork(loops: NetworkFaults, agents: NetworkFaults): void {
    this.#loopNetwork = loops;
    this.#agentNetwork = agents;
  }

  /** The server's process ends at once; so do all its connections. */
  crashServer(): void {
    this.server.crash();
    this.breakStreams();
  }

  /** Breaks the connections of one client, or of all. */
  breakStreams(name?: string): void {
    const isMeant = (owner: string): boolean => name === undefined || owner === name || owner.startsWith(`${name} `);
    for (const [owner, transport] of this.#transports) if (isMeant(owner)) transport.breakAll();
  }

  /** What one client watches stands still for it until `thaw`. */
  freeze(name: string): void {
    this.#transports.get(name)?.freeze();
  }

  thaw(name?: string): void {
    for (const [owner, transport] of this.#transports) if (name === undefined || name === owner) transport.thaw();
  }

  cutOff(name: string): void {
    this.#cutOff.add(name);
    this.breakStreams(name);
  }

  reconnect(name: string): void {
    this.#cutOff.delete(name);
  }

  /** Names of those that have connections now. */
  clients(): string[] {
    return [...this.#transports.keys()];
  }

  #transport(
    name: string,
    life: ProcessLife,
    faults: () => NetworkFaults,
    server: ConstructorParameters<typeof FaultyTransport>[0]["server"],
  ): FaultyTransport {
    const { random, trace, observeStream, observeRequest } = this.#options;
    this.#connections += 1;
    const transport = new FaultyTransport({
      name,
      life,
      random: random.split(`network of ${name} ${this.#connections}`),
      trace,
      faults,
      server: () => (life.isOver ? undefined : server()),
      observe: observeStream(name),
      leaves: (request) => observeRequest("asked", name, request),
      sent: (request) => observeRequest("requested", name, request),
      defects: this.#options.defects,
    });
    this.#transports.set(name, transport);
    return transport;
  }
}
