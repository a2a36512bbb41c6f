import type { SeededRandom } from "#base/seeded-random.ts";
import { scaleToZeroAnnotation, type HoldPhase, type TrafficHoldSpec } from "#api/delivery/traffic-hold.ts";
import { autoscalingV2Horizontalpodautoscalers, deployments, ingresses, services } from "#api/generated/resources.ts";
import type { Draft, Resource } from "#api/resource.ts";
import type { NodeConnector } from "#apiserver/node-connector.ts";
import type { HttpRequest, HttpResponse } from "#world/http.ts";
import type { Change } from "./history.ts";
import { limits } from "./limits.ts";
import { Play } from "./play.ts";
import type { RealMachine, Violation } from "./run-seed.ts";
import { SimulatedIngress, type Answer } from "./simulated-ingress.ts";

const nodesCount = 3;
const namespace = "default";
const name = "shop";
const at = { namespace, name } as const;
const labels = { app: name };
/** The window without requests, and how much of it may be missing while messages are late. Milliseconds. */
const windowMs = 10_000;
const slackMs = 6_000;
const strikingMs = 250_000;
const calmRounds = 3;
/** A held request of calm times is answered within. Milliseconds. */
const answerMsMax = 30_000;

export interface SleepSeedResult {
  readonly seed: string;
  readonly violation: Violation | undefined;
  /** How often it fell asleep, and how many requests ended how. */
  readonly sleeps: number;
  readonly answers: Readonly<Record<Answer["kind"], number>>;
  readonly story: readonly string[];
}

/**
 * Plays a workload that goes to zero and is woken, on a simulated cluster that is struck as in any seed. It never goes to zero while
 * somebody asks for it; whatever crashes, a request that waits gets its pod once the faults have ended; and it does sleep.
 */
export function runSleepSeed(
  seed: string,
  machine: RealMachine,
  tell?: (line: string) => void,
): Promise<SleepSeedResult> {
  return new SleepSeed(seed, machine, tell).run();
}

class SleepSeed {
  readonly #seed: string;
  readonly #play: Play;
  readonly #random: SeededRandom;
  readonly #ingresses: readonly SimulatedIngress[];
  readonly #answers: Record<Answer["kind"], number> = { served: 0, refused: 0, late: 0, broken: 0 };
  #sleeps = 0;

  constructor(seed: string, machine: RealMachine, tell: ((line: string) => void) | undefined) {
    this.#seed = seed;
    const changed = (changes: readonly Change[]): void => this.#changed(changes);
    const connector = this.#connector();
    this.#play = new Play({ title: "sleep", seed, machine, nodes: nodesCount, changed, connector, tell });
    const { time, timers, cluster, random } = this.#play;
    this.#random = random;
    this.#ingresses = cluster.hosts.map(
      (host) =>
        new SimulatedIngress({
          time,
          timers,
          random: random.split(`ingress of ${host.name}`),
          cluster,
          host,
          backend: `${namespace}/${name}:80`,
          onProblem: (problem, error) => {
            if (error instanceof TypeError || error instanceof RangeError)
              this.#play.report("the program", `${problem}: ${error.stack}`);
          },
        }),
    );
  }

  async run(): Promise<SleepSeedResult> {
    await this.#play.run(() => this.#live());
    const { violation, story } = this.#play;
    const told = story.last(limits.storyKept);
    return { seed: this.#seed, violation, sleeps: this.#sleeps, answers: this.#answers, story: told };
  }

  async #live(): Promise<void> {
    const play = this.#play;
    if (!(await play.start())) return;
    const made = this.#make();
    if (!(await play.until(() => this.#phase() === "Awake", limits.convergenceMsMax)))
      return play.report("start", "the autoscaler does not act");
    await made;
    play.striker.begin();
    const endMs = play.time.monotonic() + strikingMs;
    const random = this.#random.split("visits");
    while (play.time.monotonic() < endMs && play.violation === undefined) await this.#stretch(random);
    play.striker.end();
    if (!(await play.until(() => this.#waiting() === 0, limits.convergenceMsMax)))
      return play.report("a request that waits gets its pod", `${this.#waiting()} wait for ever`);
    for (let round = 0; round < calmRounds && play.violation === undefined; round++) await this.#calmRound(random);
  }

  /** A while in which people ask in one manner: often at one node, just when it is about to sleep, or seldom. */
  async #stretch(random: SeededRandom): Promise<void> {
    const manner = random.below(3);
    const favourite = random.below(nodesCount);
    const visits = manner === 0 ? 15 + random.below(30) : 1 + random.below(4);
    for (let visit = 0; visit < visits && this.#play.violation === undefined; visit++) {
      void this.#visit(manner === 0 ? favourite : random.below(nodesCount));
      const pausesMs = [random.float() * 3_000, windowMs - 1_000 + random.float() * 5_000, random.float() * 45_000];
      await this.#play.until(() => false, pausesMs[manner] ?? 0);
    }
  }

  async #calmRound(random: SeededRandom): Promise<void> {
    const play = this.#play;
    if (!(await play.until(() => this.#phase() === "Asleep" && this.#replicas() === 0, limits.convergenceMsMax)))
      return play.report("without requests it sleeps", `${this.#phase()} with ${this.#replicas()} replicas`);
    // Some machines stay away for good.
    const well = this.#ingresses.flatMap(({ isWell }, index) => (isWell ? [index] : []));
    const anyOf = (): number => well[random.below(well.length)] ?? 0;
    const visits = Array.from({ length: 1 + random.below(5) }, () => this.#visit(anyOf()));
    // Again, about when it would fall asleep.
    await play.until(() => false, answerMsMax);
    const late = this.#visit(anyOf());
    await play.until(() => false, answerMsMax);
    if (this.#waiting() > 0)
      return play.report("a request that waits gets its pod", `${this.#waiting()} wait for more than 30 s`);
    for (const { kind } of await Promise.all([...visits, late]))
      if (kind !== "served") play.report("no request of calm times is lost", kind);
  }

  async #visit(node: number): Promise<Answer> {
    const answer = await this.#ingresses[node]!.ask();
    this.#answers[answer.kind] += 1;
    if (answer.kind !== "served") this.#play.story.add(`a request at node-${node + 1} is ${answer.kind}`);
    return answer;
  }

  #waiting(): number {
    return this.#ingresses.reduce((sum, { waiting }) => sum + waiting, 0);
  }

  async #make(): Promise<void> {
    const backend = { service: { name, port: { number: 80 } } };
    const containers = [
      { name, image: "registry.test/shop:1", resources: { requests: { cpu: "50m", memory: "32Mi" } } },
    ];
    const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 1, containers } };
    const behavior = { scaleDown: { stabilizationWindowSeconds: windowMs / 1000 } };
    const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name };
    const drafts: readonly (readonly [Resource<unknown>, object])[] = [
      [services as Resource<unknown>, { metadata: at, spec: { selector: labels, ports: [{ port: 80 }] } }],
      [ingresses as Resource<unknown>, { metadata: at, spec: { defaultBackend: backend } }],
      [
        deployments as Resource<unknown>,
        { metadata: at, spec: { replicas: 1, selector: { matchLabels: labels }, template } },
      ],
      [
        autoscalingV2Horizontalpodautoscalers as Resource<unknown>,
        {
          metadata: { ...at, annotations: { [scaleToZeroAnnotation]: "true" } },
          spec: { scaleTargetRef, minReplicas: 0, maxReplicas: 3, behavior },
        },
      ],
    ];
    const { cluster } = this.#play;
    for (const [resource, draft] of drafts)
      await this.#play.insist(() => cluster.client.create(resource, { namespace }, draft as Draft<unknown>));
  }

  /** Agents answer what they use (little) and when they were asked; nothing else is wanted of them here. */
  #connector(): NodeConnector {
    const answer = (text: string): HttpResponse => ({
      status: 200,
      headers: { "content-type": "application/json" },
      body: new TextEncoder().encode(text),
    });
    return {
      request: async (node: string, { target }: HttpRequest) => {
        const index = this.#play.cluster.hosts.findIndex((host) => host.name === node);
        const ingress = this.#ingresses[index];
        if (ingress === undefined) throw new Error(`no node ${node}`);
        // Who does not tell of requests does not tell of anything.
        const activity = await ingress.activity();
        return answer(target.startsWith("/stats/ingress") ? activity : this.#usage(node));
      },
      upgrade: () => undefined,
    };
  }

  #usage(node: string): string {
    const used = { cpuNanoCores: 1_000_000, workingSetBytes: 1_000_000, ageMs: 100, windowMs: 2_000 };
    const pods = [...this.#play.history.all("pods").values()].filter(({ spec }) => spec?.["nodeName"] === node);
    return JSON.stringify({
      node: used,
      pods: pods.map(({ metadata: { uid } }) => ({ uid, containers: [{ name, ...used }] })),
    });
  }

  #phase(): HoldPhase | undefined {
    const [hold] = this.#play.history.all("delivery.steersman.dev/trafficholds").values();
    return (hold?.spec as TrafficHoldSpec | undefined)?.phase;
  }

  #replicas(): number {
    return Number(this.#play.history.get(`/registry/apps/deployments/${namespace}/${name}`)?.spec?.["replicas"]);
  }

  #changed(changes: readonly Change[]): void {
    for (const { resource, current, before } of changes) {
      if (resource !== "apps/deployments" || current === undefined || before === undefined) continue;
      if (Number(current.spec?.["replicas"]) !== 0 || Number(before.spec?.["replicas"]) === 0) continue;
      this.#sleeps += 1;
      const now = this.#play.time.monotonic();
      const last = Math.max(...this.#ingresses.map(({ lastServedMs }) => lastServedMs));
      this.#play.story.add(`goes to zero, ${Math.round(now - last)} ms after the last request`);
      if (now - last < windowMs - slackMs)
        this.#play.report("it does not sleep while somebody asks", `${now - last} ms after the last request`);
    }
  }
}
