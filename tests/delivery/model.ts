/**
 * Deployment, ReplicaSet, EndpointSlice and Canary controllers over a model of the API in virtual time, with one node whose
 * ingress is a model too: users come, are hashed, meet errors and are counted.
 */
import { SeededRandom } from "#base/seeded-random.ts";
import { createClient } from "#client/http-client.ts";
import { createModelApi, type ModelApi, type ModelObject } from "#client/testing/model-api.ts";
import { createTestRandom, createVirtualTime, type VirtualTime } from "#client/testing/virtual-time.ts";
import { createControllers } from "#controllers/all.ts";
import type { AskWebhook } from "#delivery/canary/check-source.ts";
import { createCanaryController } from "#delivery/canary/controller.ts";
import { builtInResources } from "#api/generated/resources.ts";
import type { CanaryStatus } from "#api/delivery/canary.ts";
import type { TrafficSplitSpec } from "#api/delivery/traffic-split.ts";
import { createInformers } from "#reconcile/informers.ts";
import { createPace } from "#reconcile/pace.ts";

const controllersWanted = ["deployment", "replicaset", "endpointslice"];
const roundMs = 250;

export interface World {
  readonly api: ModelApi;
  readonly time: VirtualTime;
  readonly problems: string[];
  /** Lets users come and pods start for so long, or until `done`. */
  live(seconds: number, done?: () => boolean): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
  status(): CanaryStatus;
  split(): TrafficSplitSpec | undefined;
  setImage(image: string): void;
  /** What users of the node's ingress meet now; changes while it lives. */
  readonly traffic: Traffic;
  readonly sources: Sources;
  /** `2 web:1, 1 web:2`. */
  pods(): string;
}

/** What else Canaries are judged by; changes while the world lives. */
export interface Sources {
  webhook: (document: Record<string, unknown>) => ReturnType<AskWebhook>;
}

export interface Traffic {
  usersPerRound: number;
  /** Share of users that meet an error, by image. */
  errorsBy: Record<string, number>;
  /** False: the node's counters are not told to anybody. */
  reports: boolean;
  /** Copies that each image got. */
  readonly copiesBy: Map<string, number>;
  /** Users that met each image, and those that went back from it while the share grew. */
  readonly seenBy: Map<string, Set<number>>;
}

/** Everything that runs, with a Deployment of two at web:1 and its Canary. */
export async function createWorld(canary: Record<string, unknown> = {}, seed = "1"): Promise<World> {
  const time = createVirtualTime();
  const api = createModelApi(time.clock);
  const problems: string[] = [];
  const sources: Sources = { webhook: () => Promise.resolve({ ok: false, problem: "nobody answers" }) };
  const begin = () => startLoops(api, time, problems, sources);
  let running = begin();
  const traffic: Traffic = { usersPerRound: 20, errorsBy: {}, reports: true, copiesBy: new Map(), seenBy: new Map() };
  const node = new IngressNode(api, time, traffic, new SeededRandom(seed));
  api.put("nodes", { metadata: { name: "n1" }, status: { conditions: [{ type: "Ready", status: "True" }] } });
  api.put("services", {
    metadata: { name: "web", namespace: "default" },
    spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
  });
  api.put("ingresses", {
    metadata: { name: "web", namespace: "default" },
    spec: { defaultBackend: { service: { name: "web", port: { number: 80 } } } },
  });
  api.put("deployments", {
    metadata: { name: "web", namespace: "default" },
    spec: {
      replicas: 2,
      progressDeadlineSeconds: 60,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      selector: { matchLabels: { app: "web" } },
      template: templateOf("web:1"),
    },
  });
  const world: World = {
    sources,
    api,
    time,
    problems,
    traffic,
    async live(seconds, done = () => false) {
      for (let passed = 0; passed < seconds * 1000 && !done(); passed += roundMs) {
        await time.advance(roundMs);
        startPods(api, time);
        node.round();
      }
    },
    async restart() {
      const stopping = running.stop();
      await time.settle();
      await stopping;
      running = begin();
      await time.settle();
    },
    stop: () => running.stop(),
    status: () => (api.get("canaries", "default/web")?.status ?? {}) as CanaryStatus,
    split: () => api.get("trafficsplits", "default/web")?.spec as TrafficSplitSpec | undefined,
    setImage(image) {
      const { metadata, spec } = api.get("deployments", "default/web")!;
      api.put("deployments", {
        metadata: { ...metadata, generation: metadata.generation + 1 },
        spec: { ...spec, template: templateOf(image) },
      });
    },
    pods: () => counted(api.list("pods").map(imageOf)),
  };
  await world.live(5);
  api.put("canaries", {
    metadata: { name: "web", namespace: "default" },
    spec: {
      deployment: "web",
      ingress: "web",
      users: { cookie: "sid" },
      steps: [{ share: "10%", for: "5s" }, { share: "50%", for: "5s" }, { share: "100%" }],
      rollback: { usersInErrors: "10%", confidence: "95%" },
      ...canary,
    },
  });
  await world.live(2);
  return world;
}

function startLoops(api: ModelApi, time: VirtualTime, problems: string[], sources: Sources): { stop(): Promise<void> } {
  const client = createClient(api.transport, { userAgent: "test" });
  const random = createTestRandom(1);
  const onProblem = (problem: string, error: unknown): void => void problems.push(`${problem}: ${String(error)}`);
  const informers = createInformers({ client, clock: time.clock, timers: time.timers, random, onProblem });
  const shared = { client, clock: time.clock, timers: time.timers, random, informers, onProblem };
  const made = createControllers({ ...shared, resources: () => builtInResources });
  const pace = createPace(time.clock, time.timers);
  const loops = [
    ...made.controllers.filter(({ name }) => controllersWanted.includes(name)),
    createCanaryController({ ...shared, pace, askWebhook: (_config, document) => sources.webhook(document) }),
  ];
  made.informers.start();
  informers.start();
  for (const loop of loops) loop.start();
  return {
    stop: async () => {
      made.informers.stop();
      informers.stop();
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  };
}

function templateOf(image: string): Record<string, unknown> {
  return { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image }] } };
}

function imageOf({ spec }: ModelObject): string {
  return (spec!["containers"] as { image: string }[])[0]!.image;
}

function counted(images: readonly string[]): string {
  return [...Map.groupBy(images, (image) => image)]
    .map(([image, { length }]) => `${length} ${image}`)
    .sort()
    .join(", ");
}

/** What agents do: pods with the image `stuck` never get ready. */
function startPods(api: ModelApi, time: VirtualTime): void {
  for (const pod of api.list("pods")) {
    if (pod.metadata.deletionTimestamp !== undefined) {
      api.remove("pods", `default/${pod.metadata.name}`);
    } else if (pod.status?.["phase"] === undefined) {
      const lastTransitionTime = `${new Date(time.clock.now()).toISOString().slice(0, 19)}Z`;
      const status = imageOf(pod) === "stuck" ? "False" : "True";
      api.put("pods", {
        ...pod,
        status: { phase: "Running", conditions: [{ type: "Ready", status, lastTransitionTime }] },
      });
    }
  }
}

/** A node's ingress: what it was told last holds, and its counters live as long as it does. */
class IngressNode {
  readonly #api: ModelApi;
  readonly #time: VirtualTime;
  readonly #traffic: Traffic;
  readonly #random: SeededRandom;
  readonly #drawn = new Map<string, number>();
  readonly #counts = new Map<string, { chosen: Side; others: Side; mirrored: Copies }>();

  constructor(api: ModelApi, time: VirtualTime, traffic: Traffic, random: SeededRandom) {
    this.#api = api;
    this.#time = time;
    this.#traffic = traffic;
    this.#random = random;
  }

  round(): void {
    const split = this.#api.get("trafficsplits", "default/web");
    if (split === undefined) return;
    const spec = split.spec as TrafficSplitSpec | undefined;
    if (spec === undefined) return;
    const counts = this.#countsOf(spec.run ?? "");
    for (let request = 0; request < this.#traffic.usersPerRound; request++) {
      const user = this.#random.below(5_000);
      const bucket = this.#draw(`${spec.hashKey}/${user}`) * 10_000;
      const isChosen = bucket < spec.threshold;
      const image = this.#imageFor(isChosen ? spec.to.replicaSet : undefined);
      if (!this.#traffic.seenBy.has(image)) this.#traffic.seenBy.set(image, new Set());
      this.#traffic.seenBy.get(image)!.add(user);
      const side = isChosen ? counts.chosen : counts.others;
      side.users.add(user);
      // Whether a user meets the defect is a matter of the user.
      if (this.#isFailing(image, user)) side.inErrors.add(user);
      if (!isChosen && this.#random.below(10_000) < (spec.mirror?.threshold ?? 0))
        this.#copy(user, image, this.#imageFor(spec.to.replicaSet), counts.mirrored);
    }
    if (spec.run !== undefined && this.#traffic.reports) this.#tell(split, spec, counts);
  }

  #isFailing(image: string, user: number): boolean {
    return this.#draw(`${image} ${user}`) < (this.#traffic.errorsBy[image] ?? 0);
  }

  #copy(user: number, stable: string, candidate: string, { copies, originals }: Copies): void {
    this.#traffic.copiesBy.set(candidate, (this.#traffic.copiesBy.get(candidate) ?? 0) + 1);
    copies.requests += 1;
    originals.requests += 1;
    if (this.#isFailing(candidate, user)) copies.inErrors += 1;
    if (this.#isFailing(stable, user)) originals.inErrors += 1;
  }

  /** The same for the same text. */
  #draw(text: string): number {
    let drawn = this.#drawn.get(text);
    if (drawn === undefined) this.#drawn.set(text, (drawn = new SeededRandom(text).float()));
    return drawn;
  }

  #countsOf(run: string): { chosen: Side; others: Side; mirrored: Copies } {
    let found = this.#counts.get(run);
    if (found === undefined) {
      const side = (): Side => ({ users: new Set(), inErrors: new Set() });
      const none = () => ({ requests: 0, inErrors: 0 });
      const mirrored = { copies: none(), originals: none(), dropped: 0 };
      found = { chosen: side(), others: side(), mirrored };
      this.#counts.set(run, found);
    }
    return found;
  }

  #imageFor(replicaSet: string | undefined): string {
    const sets = this.#api.list("replicasets");
    const served =
      replicaSet ??
      sets.find(({ metadata }) => metadata.annotations?.["steersman.dev/on-hold"] === undefined)?.metadata.name;
    const set = sets.find(({ metadata }) => metadata.name === served);
    const template = set?.spec?.["template"] as { spec: { containers: { image: string }[] } } | undefined;
    return template?.spec.containers[0]?.image ?? "none";
  }

  #tell(
    split: ModelObject,
    { run, threshold, mirror }: TrafficSplitSpec,
    { chosen, others, mirrored }: { chosen: Side; others: Side; mirrored: Copies },
  ): void {
    const sideOf = ({ users, inErrors }: Side) => ({
      users: users.size,
      inErrors: inErrors.size,
    });
    const at = new Date(this.#time.clock.now()).toISOString();
    this.#api.put("trafficcounts", {
      metadata: { name: "web.n1", namespace: "default", ownerReferences: [{ uid: split.metadata.uid }] },
      spec: {
        ...{ split: "web", node: "n1", threshold, run, at, chosen: sideOf(chosen), others: sideOf(others) },
        ...(mirror === undefined ? {} : { mirrored: structuredClone(mirrored) }),
      },
    });
  }
}

interface Copies {
  readonly copies: { requests: number; inErrors: number };
  readonly originals: { requests: number; inErrors: number };
  readonly dropped: number;
}

interface Side {
  readonly users: Set<number>;
  readonly inErrors: Set<number>;
}
