import type { SeededRandom } from "#base/seeded-random.ts";
import { createClient } from "#client/http-client.ts";
import { readActivity } from "#network/ingress/activity.ts";
import { compile } from "#network/ingress/compile.ts";
import { holdsDeclaration, ingressesDeclaration } from "#network/ingress/declarations.ts";
import { Demands } from "#network/ingress/demands.ts";
import { holdTellMs, holdTimeoutMs } from "#network/ingress/limits.ts";
import { noSlots, type Slots } from "#network/ingress/slots.ts";
import { servicesDeclaration, slicesDeclaration } from "#network/observed.ts";
import { createInformers } from "#reconcile/informers.ts";
import type { Timers } from "#world/clock.ts";
import type { SimulatedCluster } from "./simulated-cluster.ts";
import type { SimulatedHost } from "./simulated-host.ts";
import { ProcessLife } from "./simulated-process.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What became of a request: the address that served it, or why none did. */
export type Answer =
  | { readonly kind: "served"; readonly address: string }
  | { readonly kind: "refused" }
  | { readonly kind: "late" }
  | { readonly kind: "broken" };

interface Waiting {
  readonly sinceMs: number;
  readonly answer: (answer: Answer) => void;
}

export interface SimulatedIngressOptions {
  readonly time: VirtualTime;
  readonly timers: Timers;
  readonly random: SeededRandom;
  readonly cluster: SimulatedCluster;
  readonly host: SimulatedHost;
  /** `namespace/service:port`: the one backend of interest. */
  readonly backend: string;
  readonly onProblem: (problem: string, error: unknown) => void;
}

/** How often the two parts of an ingress look at each other, and how late the agent's part is. Milliseconds. */
const lookMs = 50;
const place = "w0001";

/**
 * The ingress of a host: a proxy that holds requests and outlives the agent, and the agent's part, which is the production code of
 * holding over its own informers. Proxy and process are what is simulated here.
 */
export class SimulatedIngress {
  readonly #options: SimulatedIngressOptions;
  readonly #waiting = new Set<Waiting>();
  /** What the agent made of the proxy; nothing since the machine started: it does not serve. */
  #plane: { readonly held: boolean; readonly servers: readonly string[] } | undefined;
  #startedMs = 0;
  /** When a request was served last. */
  lastServedMs = Number.NEGATIVE_INFINITY;
  #lives = 0;
  #life: { readonly process: ProcessLife; readonly demands: Demands; readonly apply: () => void } | undefined;
  #ears = new Set<(line: string) => void>();
  #admitted = 0;

  constructor(options: SimulatedIngressOptions) {
    this.#options = options;
    this.#beat();
  }

  /** It serves, and an agent looks after it. */
  get isWell(): boolean {
    return this.#plane !== undefined && this.#life !== undefined;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** A request of a client at this host. */
  ask(): Promise<Answer> {
    if (this.#plane === undefined) return Promise.resolve({ kind: "broken" });
    if (!this.#plane.held) return Promise.resolve(this.#serve());
    this.#admitted += 1;
    return new Promise((answer) => {
      this.#waiting.add({ sinceMs: this.#options.time.monotonic(), answer });
      this.#tell();
    });
  }

  /** What the agent answers about requests. Rejects while nobody is there to answer. */
  async activity(): Promise<string> {
    const { host, cluster, time } = this.#options;
    const life = this.#life;
    if (life === undefined || !host.isPowered || cluster.isCutOff(host.name)) throw new Error("no answer");
    const now = time.monotonic();
    const secondsSince = (ms: number): number => Math.floor((now - ms) / 1000);
    const last = Number.isFinite(this.lastServedMs) ? secondsSince(this.lastServedMs) : -1;
    const texts: Record<string, string> = {
      "show info": `Uptime_sec: ${secondsSince(this.#startedMs)}`,
      "show stat -1 2 -1": `# pxname,lastsess,scur\nb0001,${last},0`,
    };
    const activity = await readActivity({
      runtime: { command: (line) => Promise.resolve(texts[line] ?? "") },
      haproxy: { isRetiring: () => Promise.resolve(false) },
      slots: this.#slots(),
      heldQuietMs: (service) => life.demands.quietMs(service),
    });
    return JSON.stringify(activity);
  }

  #slots(): Slots {
    return { ...noSlots, backends: new Map([[this.#options.backend, 1]]) };
  }

  #serve(): Answer {
    const { time, random } = this.#options;
    const servers = this.#plane?.servers ?? [];
    const address = servers[random.below(Math.max(1, servers.length))];
    if (address === undefined) return { kind: "refused" };
    this.lastServedMs = time.monotonic();
    return { kind: "served", address };
  }

  #tell(): void {
    for (const ear of this.#ears) ear(`${place} ${this.#waiting.size} ${this.#admitted} 0`);
  }

  /** The proxy's own time: what waits too long ends, what waits is told again, and the agent's life follows the host's. */
  #beat(): void {
    const { timers, time, host } = this.#options;
    const now = time.monotonic();
    if (!host.isPowered) {
      for (const { answer } of this.#waiting) answer({ kind: "broken" });
      this.#waiting.clear();
      this.#startedMs = now;
      this.#plane = undefined;
    }
    for (const one of this.#waiting) {
      if (now - one.sinceMs < holdTimeoutMs) continue;
      this.#waiting.delete(one);
      one.answer({ kind: "late" });
    }
    if (this.#waiting.size > 0 && now % holdTellMs < lookMs) this.#tell();
    const isWanted = host.hasAgent && host.isPowered;
    if (this.#life !== undefined && (!isWanted || this.#lives !== host.agentLives)) {
      this.#life.process.end();
      this.#life = undefined;
      this.#ears = new Set();
    }
    if (this.#life === undefined && isWanted) this.#start();
    this.#life?.apply();
    timers.after(lookMs, () => this.#beat());
  }

  #start(): void {
    const { time, cluster, host, random, onProblem, backend } = this.#options;
    this.#lives = host.agentLives;
    const process = new ProcessLife(time);
    const { timers } = process;
    const transport = cluster.transportOf(host.name, process, " ingress");
    const client = createClient(transport, { userAgent: "steersman-agent", timers });
    const own = random.split(`agent ${this.#lives}`);
    const told = (problem: string, error: unknown): void => {
      if (!process.isOver) onProblem(`${host.name}: ${problem}`, error);
    };
    const informers = createInformers({ client, clock: time, timers, random: own, onProblem: told });
    const holds = informers.of(holdsDeclaration);
    const ingresses = informers.of(ingressesDeclaration);
    const services = informers.of(servicesDeclaration);
    const slices = informers.of(slicesDeclaration);
    const demands = new Demands({
      runtime: {
        follow: (_command, line) => {
          this.#ears.add(line);
          return { close: () => void this.#ears.delete(line) };
        },
      },
      client,
      clock: time,
      timers,
      nodeName: host.name,
      holds: () => holds.list(),
      serviceOf: () => backend.slice(0, backend.indexOf(":")),
      onProblem: told,
    });
    let synced = false;
    const apply = (): void => {
      if (!synced) return;
      const { table } = compile({
        ingresses: ingresses.list(),
        classes: [],
        service: (key) => services.get(key),
        slices: (key) => slices.by("service", key),
        secret: () => undefined,
        splits: [],
        holds: holds.list(),
      });
      demands.listen(0);
      const found = table.backends.get(backend);
      const servers = (found?.servers ?? []).map(({ address }) => address);
      this.#plane = { held: found?.held === true, servers };
      if (this.#plane.held) return;
      for (const { answer } of this.#waiting) answer(this.#serve());
      this.#waiting.clear();
    };
    holds.handle(() => demands.look());
    informers.start();
    void Promise.all([holds.synced(), ingresses.synced(), services.synced(), slices.synced()]).then(() => {
      synced = true;
    });
    this.#life = { process, demands, apply };
  }
}
