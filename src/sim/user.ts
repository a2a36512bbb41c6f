import type { SeededRandom } from "#base/seeded-random.ts";
import {
  configmaps,
  cronjobs,
  daemonsets,
  deployments,
  jobs,
  namespaces,
  nodes as nodeResource,
  pods,
  services,
  statefulsets,
} from "#api/generated/resources.ts";
import type { Draft, Resource } from "#api/resource.ts";
import { ApiStatusError } from "#client/status-error.ts";
import type { Client } from "#client/client.ts";
import type { Timers } from "#world/clock.ts";
import {
  briefNamespace,
  demandingDrafts,
  describeDemandingWorkloads,
  drawDemandingWorkloads,
  keptDraft,
  type DemandingWorkloads,
} from "./demanding-workloads.ts";
import {
  describeFurtherWorkloads,
  drawFurtherWorkloads,
  furtherDrafts,
  type FurtherWorkloads,
} from "./further-workloads.ts";
import type { History } from "./history.ts";
import {
  describeSenselessWorkloads,
  drawSenselessWorkloads,
  makeCycle,
  senselessDrafts,
  stuckNamespace,
  type SenselessWorkloads,
} from "./senseless-workloads.ts";
import {
  daemonSetDraft,
  describeSideWorkloads,
  drawSideWorkloads,
  jobDraft,
  statefulSetDraft,
  type SideWorkloads,
} from "./side-workloads.ts";
import type { Story } from "./story.ts";

/** What the user wants in the end. */
export interface Desired {
  replicas: number;
  image: string;
  paused: boolean;
  readonly side: SideWorkloads;
  readonly further: FurtherWorkloads;
  readonly demanding: DemandingWorkloads;
  readonly senseless: SenselessWorkloads;
}

export interface UserOptions {
  readonly client: Client;
  readonly random: SeededRandom;
  readonly timers: Timers;
  readonly story: Story;
  readonly history: History;
  readonly nodes: readonly string[];
  /** Mean time between two wishes. Milliseconds. */
  readonly wishMs: number;
  /** All that may run does. */
  readonly wantsAll: boolean;
}

export const webKey = "/registry/apps/deployments/default/web";
const at = { namespace: "default", name: "web" } as const;
const labels = { app: "web" };
/** Wait after a request that was not answered. Milliseconds. */
const retryMs = 500;
/** Requests made again at most: a server is never away that long. */
const attemptsMax = 2_000;
/** Rounds of one drain, and the time between two: a budget may never allow the last one. Milliseconds. */
const drainRoundsMax = 6;
const drainPauseMs = 3_000;

/** Somebody with a Deployment and a Service, who changes their mind. */
export class SimulatedUser {
  readonly #options: UserOptions;
  readonly desired: Desired;
  #queue: Promise<void> = Promise.resolve();
  #isOver = false;
  #images = 1;
  #isBriefDeleted = false;
  #isStuckDeleted = false;
  isDone = false;

  constructor(options: UserOptions) {
    this.#options = options;
    const share = (usual: number): number => (options.wantsAll ? 1 : usual);
    this.desired = {
      replicas: 1 + options.random.below(6),
      image: "registry.test/web:1",
      paused: false,
      side: drawSideWorkloads(options.random.split("side"), share(0.4)),
      further: drawFurtherWorkloads(options.random.split("further"), share(0.35)),
      demanding: drawDemandingWorkloads(options.random.split("demanding"), share(0.3)),
      senseless: drawSenselessWorkloads(options.random.split("senseless"), share(0.2)),
    };
  }

  begin(): void {
    const { random, story } = this.#options;
    const strategy = drawStrategy(random);
    story.add(`the user creates deployment web: ${this.desired.replicas} replicas, ${JSON.stringify(strategy)}`);
    this.#do(() => this.#create(services, { metadata: at, spec: { selector: labels, ports: [{ port: 80 }] } }));
    this.#do(() => this.#create(deployments, deploymentDraft(this.desired, strategy, random)));
    this.#beginSide();
    this.#plan();
  }

  #beginSide(): void {
    const { side } = this.desired;
    const { statefulSet, daemonSet, job } = side;
    const text = describeSideWorkloads(side);
    if (text !== "") this.#options.story.add(`the user creates ${text}`);
    if (statefulSet !== undefined)
      this.#do(() => this.#create(statefulsets, statefulSetDraft(statefulSet) as Draft<never>));
    if (daemonSet !== undefined) this.#do(() => this.#create(daemonsets, daemonSetDraft(daemonSet) as Draft<never>));
    if (job !== undefined) this.#do(() => this.#create(jobs, jobDraft(job) as Draft<never>));
    const { further } = this.desired;
    const more = describeFurtherWorkloads(further);
    if (more !== "") this.#options.story.add(`the user creates ${more}`);
    for (const [resource, draft] of furtherDrafts(further, this.#options.nodes))
      this.#do(() => this.#create(resource, draft as Draft<unknown>));
    this.#beginDemanding();
  }

  #beginDemanding(): void {
    const { demanding } = this.desired;
    const { timers, random, nodes, story, wishMs } = this.#options;
    const text = describeDemandingWorkloads(demanding);
    if (text !== "") story.add(`the user creates ${text}`);
    for (const [resource, draft] of demandingDrafts(demanding, nodes))
      this.#do(() => this.#create(resource, draft as Draft<unknown>));
    const { kept, brief, drains } = demanding;
    if (kept !== undefined) this.#planKept(kept, random.split("kept wishes"), 4 * wishMs + 5_000);
    if (brief !== undefined) timers.after(brief.afterMs, () => this.#deleteBrief());
    if (drains !== undefined) this.#planDrain(random.split("drains"), drains.everyMs);
    this.#beginSenseless();
  }

  #beginSenseless(): void {
    const { senseless } = this.desired;
    const { timers, story, client } = this.#options;
    const text = describeSenselessWorkloads(senseless);
    if (text !== "") story.add(`the user creates ${text}`);
    for (const [resource, draft] of senselessDrafts(senseless))
      this.#do(() => this.#create(resource, draft as Draft<unknown>));
    const { cycle, stuck } = senseless;
    if (cycle !== undefined) this.#do(() => makeCycle(client, (resource, draft) => this.#create(resource, draft)));
    if (stuck !== undefined) timers.after(stuck.afterMs, () => this.#deleteStuck());
  }

  #deleteStuck(): void {
    if (this.#isStuckDeleted) return;
    this.#isStuckDeleted = true;
    this.#options.story.add("the user deletes namespace stuck");
    this.#do(() => this.#delete(namespaces, { name: stuckNamespace }));
  }

  #endCycle(): void {
    const propagationPolicy = this.desired.senseless.cycle?.propagation;
    if (propagationPolicy === undefined || propagationPolicy === "") return;
    this.#options.story.add(`the user deletes one of those that own one another (${propagationPolicy})`);
    const at = { namespace: "default", name: "hen" };
    this.#do(() => this.#delete(configmaps, at, propagationPolicy));
  }

  #planKept(kept: NonNullable<DemandingWorkloads["kept"]>, random: SeededRandom, everyMs: number): void {
    const { timers, story, client } = this.#options;
    timers.after(-Math.log(1 - random.float()) * everyMs, () => {
      if (this.#isOver) return;
      if (random.chance(0.5) && kept.scalesLeft > 0) {
        kept.scalesLeft -= 1;
        // Without any pod the newest revision would become that of all.
        kept.replicas = 1 + random.below(3);
      } else {
        kept.image = `registry.test/kept:${2 + random.below(100)}`;
        const stored = this.#options.history.get("/registry/apps/statefulsets/default/keep");
        if (stored?.status?.["currentRevision"] === undefined) kept.firstImages.push(kept.image);
      }
      story.add(`the user wants ${kept.replicas} replicas of keep with ${kept.image}`);
      const at = { namespace: "default", name: "keep" };
      const { volumeClaimTemplates: _, ...spec } = (keptDraft(kept) as { spec: Record<string, unknown> }).spec;
      this.#do(async () => void (await client.patch(statefulsets, at, { spec }, { type: "strategic" })));
      this.#planKept(kept, random, everyMs);
    });
  }

  #deleteBrief(): void {
    if (this.#isBriefDeleted) return;
    this.#isBriefDeleted = true;
    this.#options.story.add("the user deletes namespace brief");
    this.#do(() => this.#delete(namespaces, { name: briefNamespace }));
  }

  /** As `kubectl drain` does: nobody new comes, those who are there are asked to go as far as their budgets allow. */
  #planDrain(random: SeededRandom, everyMs: number): void {
    const { timers, nodes, story } = this.#options;
    timers.after(-Math.log(1 - random.float()) * everyMs, () => {
      if (this.#isOver) return;
      const node = random.pick(nodes);
      story.add(`the user drains ${node}`);
      this.#do(() => this.#drain(node));
      this.#planDrain(random, everyMs);
    });
  }

  async #drain(node: string): Promise<void> {
    const { client, timers, story } = this.#options;
    if (!(await this.#cordon(node, true))) return;
    for (let round = 0; round < drainRoundsMax; round += 1) {
      const { items } = await client.list(pods, { fieldSelector: `spec.nodeName=${node}` });
      const left = items.filter(
        ({ metadata }) => !metadata.ownerReferences?.some(({ kind }) => kind === "DaemonSet" || kind === "Job"),
      );
      if (left.length === 0) break;
      for (const { metadata } of left) await this.#evict(metadata.namespace ?? "", metadata.name ?? "");
      await timers.sleep(drainPauseMs);
    }
    await this.#cordon(node, false);
    story.add(`${node} may be used again`);
  }

  /** Answers false when there is no such node (any more). */
  async #cordon(node: string, unschedulable: boolean): Promise<boolean> {
    try {
      const spec = { unschedulable: unschedulable || null };
      await this.#options.client.patch(nodeResource, { name: node }, { spec }, { type: "merge" });
      return true;
    } catch (error) {
      if (error instanceof ApiStatusError && error.code === 404) return false;
      throw error;
    }
  }

  /** Refusals by a budget are asked again in the next round. */
  async #evict(namespace: string, name: string): Promise<void> {
    const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { namespace, name } };
    try {
      await this.#options.client.request("POST", `/api/v1/namespaces/${namespace}/pods/${name}/eviction`, body);
    } catch (error) {
      // Pods of several budgets are nobody's to evict: that is an error of the server's by contract.
      const isTwice = error instanceof ApiStatusError && /more than one PodDisruptionBudget/.test(error.message);
      if (isTwice) return;
      if (!(error instanceof ApiStatusError) || (error.code !== 429 && error.code !== 404)) throw error;
    }
  }

  #changeSide(): void {
    const { random, story, client } = this.#options;
    const { statefulSet, daemonSet } = this.desired.side;
    this.#images += 1;
    if (statefulSet !== undefined && random.chance(0.7)) {
      if (random.chance(0.5)) statefulSet.replicas = random.below(4);
      else statefulSet.image = `registry.test/db:${this.#images}`;
      story.add(`the user wants ${statefulSet.replicas} replicas of db with ${statefulSet.image}`);
      this.#do(async () => {
        await client.patch(statefulsets, { namespace: "default", name: "db" }, statefulSetDraft(statefulSet), {
          type: "strategic",
        });
      });
    } else if (daemonSet !== undefined) {
      daemonSet.image = `registry.test/log:${this.#images}`;
      story.add(`the user sets ${daemonSet.image}`);
      this.#do(async () => {
        await client.patch(daemonsets, { namespace: "default", name: "log" }, daemonSetDraft(daemonSet), {
          type: "strategic",
        });
      });
    }
  }

  /** The user's mind is made up: what is desired now stays so. `isDone` once the server has it. */
  end(): void {
    this.#isOver = true;
    if (this.desired.demanding.brief !== undefined) this.#deleteBrief();
    if (this.desired.senseless.stuck !== undefined) this.#deleteStuck();
    this.#endCycle();
    this.#wish("the user unpauses", () => {
      this.desired.paused = false;
    });
    if (this.desired.further.cronJob !== undefined) {
      const at = { namespace: "default", name: "tick" };
      const patch = { spec: { suspend: true } };
      this.#do(async () => void (await this.#options.client.patch(cronjobs, at, patch, { type: "merge" })));
    }
    this.#do(() => {
      this.isDone = true;
      return Promise.resolve();
    });
  }

  #plan(): void {
    const { timers, random, wishMs } = this.#options;
    timers.after(-Math.log(1 - random.float()) * wishMs, () => {
      if (this.#isOver) return;
      this.#change();
      this.#plan();
    });
  }

  #change(): void {
    const { random } = this.#options;
    const kind = random.pick([
      "image",
      "image",
      "scale",
      "scale",
      "pause",
      "back",
      "delete pod",
      "replace",
      "side",
      "side",
    ] as const);
    switch (kind) {
      case "image":
        this.#images += 1;
        return this.#wish(`the user sets image ${this.#images}`, () => {
          this.desired.image = `registry.test/web:${this.#images}`;
        });
      case "back": {
        const version = 1 + random.below(this.#images);
        return this.#wish(`the user goes back to image ${version}`, () => {
          this.desired.image = `registry.test/web:${version}`;
        });
      }
      case "scale": {
        const replicas = random.below(8);
        return this.#wish(`the user scales to ${replicas}`, () => {
          this.desired.replicas = replicas;
        });
      }
      case "pause": {
        const paused = !this.desired.paused;
        return this.#wish(paused ? "the user pauses" : "the user unpauses", () => {
          this.desired.paused = paused;
        });
      }
      case "side":
        return this.#changeSide();
      case "delete pod":
        return this.#deletePod();
      case "replace": {
        this.#options.story.add("the user deletes deployment web and creates it again");
        const strategy = drawStrategy(random);
        this.#do(() => this.#delete(deployments, at));
        this.#do(() => this.#create(deployments, deploymentDraft(this.desired, strategy, random)));
      }
    }
  }

  #deletePod(): void {
    const { history, random, story } = this.#options;
    const names = [...history.all("pods").values()].flatMap(({ metadata }) =>
      metadata.labels?.["app"] === "sum" ? [] : [metadata.name],
    );
    if (names.length === 0) return;
    const name = random.pick(names);
    story.add(`the user deletes pod ${name}`);
    this.#do(() => this.#delete(pods, { namespace: "default", name }));
  }

  #wish(text: string, change: () => void): void {
    this.#options.story.add(text);
    change();
    const { replicas, image, paused } = this.desired;
    const patch = { spec: { replicas, paused, template: { spec: { containers: [{ name: "web", image }] } } } };
    this.#do(async () => void (await this.#options.client.patch(deployments, at, patch, { type: "strategic" })));
  }

  /** One thing after another, each until it was answered: all are so made that twice is like once. */
  #do(act: () => Promise<void>): void {
    const { timers, story } = this.#options;
    const persist = async (): Promise<void> => {
      for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
        try {
          return await act();
        } catch (error) {
          if (
            error instanceof ApiStatusError &&
            error.code < 500 &&
            error.code !== 429 &&
            error.code !== 409 &&
            error.code !== 403
          ) {
            story.add(`the user is refused: ${error.message}`);
            throw error;
          }
          await timers.sleep(retryMs);
        }
      }
      throw new Error("The user gave up");
    };
    this.#queue = this.#queue.then(persist);
  }

  async #create<T>(resource: Resource<T>, draft: Draft<T>): Promise<void> {
    try {
      const at = resource.namespaced ? { namespace: namespaceOf(draft) } : {};
      await this.#options.client.create(resource, at, draft);
    } catch (error) {
      if (!(error instanceof ApiStatusError) || error.reason !== "AlreadyExists") throw error;
    }
  }

  async #delete(
    resource: Resource<unknown>,
    name: { readonly namespace?: string; readonly name: string },
    propagation?: "Background" | "Foreground",
  ): Promise<void> {
    try {
      await this.#options.client.delete(resource, name, propagation === undefined ? {} : { propagation });
    } catch (error) {
      if (!(error instanceof ApiStatusError) || error.code !== 404) throw error;
    }
  }
}

function namespaceOf(draft: unknown): string {
  return (draft as { metadata?: { namespace?: string } }).metadata?.namespace ?? "default";
}

function drawStrategy(random: SeededRandom): Record<string, unknown> {
  if (random.chance(0.15)) return { type: "Recreate" };
  if (random.chance(0.3)) return { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } };
  const maxSurge = random.below(3);
  const maxUnavailable = maxSurge === 0 ? 1 + random.below(2) : random.below(3);
  return { type: "RollingUpdate", rollingUpdate: { maxSurge, maxUnavailable } };
}

function deploymentDraft(desired: Desired, strategy: Record<string, unknown>, random: SeededRandom): Draft<never> {
  const container = { name: "web", image: desired.image, resources: { requests: { cpu: "100m", memory: "64Mi" } } };
  const spec = {
    replicas: desired.replicas,
    paused: desired.paused,
    revisionHistoryLimit: random.pick([1, 2, 10]),
    minReadySeconds: random.pick([0, 0, 5]),
    selector: { matchLabels: labels },
    strategy,
    template: {
      metadata: { labels },
      spec: { terminationGracePeriodSeconds: random.pick([0, 1, 30]), containers: [container] },
    },
  };
  return { metadata: at, spec } as Draft<never>;
}
