import { SeededRandom } from "#base/seeded-random.ts";
import { canaries, type Canary, type CanaryStatus } from "#api/delivery/canary.ts";
import {
  bucketsTotal,
  trafficcounts,
  trafficsplits,
  type MirrorCount,
  type RequestCount,
  type TrafficCountSpec,
  type TrafficSplitSpec,
} from "#api/delivery/traffic-split.ts";
import { deployments, ingresses, services } from "#api/generated/resources.ts";
import type { Draft, Resource } from "#api/resource.ts";
import { ApiStatusError } from "#client/status-error.ts";
import type { Timers } from "#world/clock.ts";
import type { Change } from "./history.ts";
import { limits } from "./limits.ts";
import { Play } from "./play.ts";
import type { RealMachine, Violation } from "./run-seed.ts";
import type { SimulatedHost } from "./simulated-host.ts";

const nodesCount = 3;
const namespace = "default";
const name = "shop";
const at = { namespace, name } as const;
const labels = { app: name };
const releases = 4;
const usersCount = 600;
/** Of the users of a bad version; the limit is a tenth. */
const badShare = 0.4;
const mirrorStep = { mirror: "30%", for: "3s", minRequests: 60 };
const steps = [{ share: "20%", for: "3s" }, { share: "50%", for: "2s" }, { share: "100%" }];

export interface CanarySeedResult {
  readonly seed: string;
  readonly violation: Violation | undefined;
  /** How many releases ended how: `Stable`, `RolledBack`, or were overtaken by the next. */
  readonly outcomes: readonly string[];
  readonly story: readonly string[];
}

/**
 * Plays releases by a Canary on a simulated cluster that is struck as in any seed: good and bad versions, users at every node's
 * ingress, crashes of all parts. A bad version is never promoted, users are never sent further than the Canary's state says, and
 * in the end the last version is with everybody or was taken back, as it deserves.
 */
export function runCanarySeed(
  seed: string,
  machine: RealMachine,
  tell?: (line: string) => void,
): Promise<CanarySeedResult> {
  return new CanarySeed(seed, machine, tell).run();
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What one node's ingress remembers of a run. */
interface Counted extends Record<"chosen" | "others", { users: Set<number>; inErrors: Set<number> }> {
  mirrored: { copies: Mutable<RequestCount>; originals: Mutable<RequestCount>; dropped: MirrorCount["dropped"] };
}

function addCopy({ copies, originals }: Counted["mirrored"], isFailed: boolean, isOriginalFailed: boolean): void {
  copies.requests += 1;
  originals.requests += 1;
  if (isFailed) copies.inErrors += 1;
  if (isOriginalFailed) originals.inErrors += 1;
}

class CanarySeed {
  readonly #seed: string;
  readonly #random: SeededRandom;
  readonly #timers: Timers;
  readonly #play: Play;
  readonly #outcomes: string[] = [];

  constructor(seed: string, machine: RealMachine, tell: ((line: string) => void) | undefined) {
    this.#seed = seed;
    const changed = (changes: readonly Change[]): void => this.#changed(changes);
    this.#play = new Play({ title: "canary", seed, machine, nodes: nodesCount, changed, tell });
    this.#random = this.#play.random;
    this.#timers = this.#play.timers;
  }

  async run(): Promise<CanarySeedResult> {
    await this.#play.run(() => this.#release());
    const { story, violation } = this.#play;
    return { seed: this.#seed, violation, outcomes: this.#outcomes, story: story.last(limits.storyKept) };
  }

  async #release(): Promise<void> {
    const play = this.#play;
    const { hosts, client } = play.cluster;
    if (!(await play.start())) return;
    const made = this.#make();
    for (const host of hosts) void this.#serve(host);
    if (!(await this.#play.until(() => this.#status().phase === "Stable", limits.convergenceMsMax)))
      return this.#play.report("start", "the Canary does not act");
    await made;
    this.#play.striker.begin();
    let isBad = false;
    let wanted = "";
    for (let release = 2; release < 2 + releases && this.#play.violation === undefined; release++) {
      isBad = this.#random.chance(0.5);
      const image = imageOf(release, isBad);
      this.#play.story.add(`the user releases ${image}`);
      wanted = image;
      // Who tries again wants what he wants by now, not what the next release has overtaken.
      void this.#play.insist(() => client.patch(deployments, at, podsOf(wanted), { type: "strategic" }));
      // Most are let come to their end; some are overtaken.
      const patienceMs = this.#random.chance(0.3) ? this.#random.float() * 20_000 : 200_000;
      await this.#play.until(() => this.#isAtRest(image), patienceMs);
      if (release === 1 + releases) this.#play.striker.end();
      else this.#outcomes.push(this.#isAtRest(image) ? (this.#status().phase ?? "") : "overtaken");
    }
    const last = imageOf(1 + releases, isBad);
    if (!(await this.#play.until(() => this.#isAtRest(last), limits.convergenceMsMax)))
      return this.#play.report("convergence", `${last} came to no end: ${JSON.stringify(this.#status())}`);
    const { phase = "", message = "" } = this.#status();
    this.#outcomes.push(phase);
    // Also a good version goes back when the faults leave it without ready pods, but never for its users' sake.
    const isDeserved = phase === "RolledBack" ? isBad || / ready (for|within) /.test(message) : !isBad;
    if (!isDeserved) this.#play.report("verdict", `${last} ended ${phase}: ${message}`);
    await this.#play.until(() => false, limits.quietMs / 4);
    if (!this.#isAtRest(last)) this.#play.report("stillness", `${last} is under way again`);
  }

  async #make(): Promise<void> {
    const port = { port: 80 };
    const backend = { service: { name, port: { number: 80 } } };
    const spec = {
      deployment: name,
      ingress: name,
      users: { cookie: "sid" },
      // Half of the clusters copy requests first: a bad version comes no further there.
      steps: [...(this.#random.split("steps").chance(0.5) ? [mirrorStep] : []), ...steps],
    };
    const drafts: readonly (readonly [Resource<unknown>, object])[] = [
      [services as Resource<unknown>, { metadata: at, spec: { selector: labels, ports: [port] } }],
      [ingresses as Resource<unknown>, { metadata: at, spec: { defaultBackend: backend } }],
      [
        deployments as Resource<unknown>,
        {
          metadata: at,
          spec: {
            replicas: 2,
            progressDeadlineSeconds: 120,
            selector: { matchLabels: labels },
            ...podsOf(imageOf(1, false)).spec,
          },
        },
      ],
      [canaries as Resource<unknown>, { metadata: at, spec, apiVersion: "delivery.steersman.dev/v1", kind: "Canary" }],
    ];
    for (const [resource, draft] of drafts)
      await this.#play.insist(() => this.#play.cluster.client.create(resource, { namespace }, draft as Draft<unknown>));
  }

  /** The ingress of a node: obeys the split that it saw last, counts users, and tells. A restart forgets the counters. */
  async #serve(host: SimulatedHost): Promise<void> {
    const random = this.#random.split(`ingress of ${host.name}`);
    const { client } = this.#play.cluster;
    let counters = new Map<string, Counted>();
    while (!this.#play.isOver) {
      await this.#timers.sleep(300 + random.float() * 1_200);
      if (!host.isPowered) continue;
      if (random.chance(0.01)) counters = new Map();
      try {
        const split = await client.find(trafficsplits, at);
        if (split?.spec.run === undefined) continue;
        const { run, threshold, hashKey, to, mirror } = split.spec;
        const side = () => ({ users: new Set<number>(), inErrors: new Set<number>() });
        const none = () => ({ requests: 0, inErrors: 0 });
        const counted = counters.get(run) ?? {
          chosen: side(),
          others: side(),
          mirrored: { copies: none(), originals: none(), dropped: 0 },
        };
        counters.set(run, counted);
        const isBad = this.#imageOf(to.replicaSet).includes("bad");
        for (let visit = 0; visit < 60; visit++) {
          const user = random.below(usersCount);
          const isChosen = new SeededRandom(`${hashKey} ${user}`).below(bucketsTotal) < threshold;
          const { users, inErrors } = counted[isChosen ? "chosen" : "others"];
          users.add(user);
          const meetsError = (onNew: boolean): boolean =>
            new SeededRandom(`fate ${to.replicaSet} ${user}`).chance(onNew && isBad ? badShare : 0.01);
          if (meetsError(isChosen)) inErrors.add(user);
          if (mirror === undefined || isChosen || random.below(bucketsTotal) >= mirror.threshold) continue;
          // A proxy that is busy gives up some.
          if (random.chance(0.1)) counted.mirrored.dropped += 1;
          else addCopy(counted.mirrored, meetsError(true), meetsError(false));
        }
        const told = {
          run,
          threshold,
          ...(mirror === undefined ? {} : { mirrored: structuredClone(counted.mirrored) }),
        };
        await this.#tell(host.name, split.metadata.uid ?? "", told, counted);
      } catch {
        // The server is away: the next round tells.
      }
    }
  }

  async #tell(
    node: string,
    uid: string,
    held: Pick<TrafficCountSpec, "run" | "threshold" | "mirrored">,
    counted: Counted,
  ): Promise<void> {
    const { client } = this.#play.cluster;
    const [chosen, others] = [counted.chosen, counted.others].map(({ users, inErrors }) => ({
      users: users.size,
      inErrors: inErrors.size,
    }));
    const count = `${name}.${node}`;
    const owner = { apiVersion: "delivery.steersman.dev/v1", kind: "TrafficSplit", name, uid };
    const object = {
      metadata: { name: count, ownerReferences: [owner] },
      spec: { split: name, node, ...held, chosen, others, at: new Date(this.#play.time.now()).toISOString() },
    };
    try {
      const patch = { ...object, spec: { mirrored: null, ...object.spec } };
      await client.patch(trafficcounts, { namespace, name: count }, patch, { type: "merge" });
    } catch (error) {
      if (!(error instanceof ApiStatusError) || error.code !== 404) throw error;
      const kind = { apiVersion: "delivery.steersman.dev/v1", kind: "TrafficCount" };
      await client.create(trafficcounts, { namespace }, { ...kind, ...object } as object as Draft<never>);
    }
  }

  #status(): CanaryStatus {
    return (this.#canary()?.status ?? {}) as CanaryStatus;
  }

  #canary(): Canary | undefined {
    const found = [...this.#play.history.all("delivery.steersman.dev/canaries").values()];
    return found.find(({ metadata }) => metadata.name === name) as object as Canary | undefined;
  }

  #imageOf(replicaSet: string | undefined): string {
    const set = this.#play.history.get(`/registry/apps/replicasets/${namespace}/${replicaSet}`);
    const template = set?.spec?.["template"] as { spec: { containers: { image: string }[] } } | undefined;
    return template?.spec.containers[0]?.image ?? "";
  }

  /** The release of an image has come to its end, well or not, and no pod is left over. */
  #isAtRest(image: string): boolean {
    const { phase, stable, candidate } = this.#status();
    const deployment = this.#play.history.get(`/registry/apps/deployments/${namespace}/${name}`);
    const template = deployment?.spec?.["template"] as { spec: { containers: { image: string }[] } } | undefined;
    if (template?.spec.containers[0]?.image !== image) return false;
    const isPromoted = phase === "Stable" && this.#imageOf(stable) === image;
    const isRejected = phase === "RolledBack" && this.#imageOf(candidate) === image;
    return (isPromoted || isRejected) && this.#split()?.threshold === 0;
  }

  #split(): TrafficSplitSpec | undefined {
    const [split] = this.#play.history.all("delivery.steersman.dev/trafficsplits").values();
    return split?.spec as TrafficSplitSpec | undefined;
  }

  #changed(changes: readonly Change[]): void {
    if (!changes.some(({ resource }) => resource.startsWith("delivery.steersman.dev/"))) return;
    const { stable, share = "0%", phase } = this.#status();
    if (
      this.#imageOf(stable).includes("bad") ||
      (phase === "Promoting" && this.#imageOf(this.#status().candidate).includes("bad"))
    )
      this.#play.report("a bad version is never promoted", JSON.stringify(this.#status()));
    const allowed = (Number.parseFloat(share) * bucketsTotal) / 100;
    const { threshold = 0, mirror } = this.#split() ?? {};
    // The state is written before what follows from it, in both directions.
    if (mirror !== undefined && threshold > 0)
      this.#play.report("nothing is copied to a version that users have", `threshold ${threshold} at ${phase}`);
    if (threshold > allowed)
      this.#play.report(
        "users are sent no further than the state says",
        `threshold ${threshold} at ${phase} with ${share}`,
      );
  }
}

function imageOf(release: number, isBad: boolean): string {
  return `registry.test/shop:${release}${isBad ? "-bad" : ""}`;
}

function podsOf(image: string): { readonly spec: object } {
  const containers = [{ name: "shop", image, resources: { requests: { cpu: "50m", memory: "32Mi" } } }];
  const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 1, containers } };
  return { spec: { template } };
}
