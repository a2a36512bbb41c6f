import type { Node, Pod } from "#api/generated/core-v1.ts";
import type { PodDisruptionBudget } from "#api/generated/policy-v1.ts";
import type { Labels } from "#api/label-match.ts";
import type { Cause, Client } from "#client/client.ts";
import type { EventRecorder } from "#reconcile/events.ts";
import type { Informer } from "#reconcile/informer.ts";
import type { Informers } from "#reconcile/informers.ts";
import type { Pace } from "#reconcile/pace.ts";
import type { Clock, Timer, Timers } from "#world/clock.ts";
import { Attempts, type SchedulerObserver } from "./attempts.ts";
import { Binding } from "./binding.ts";
import { Changes } from "./changes.ts";
import { Choosing } from "./choosing.ts";
import { ClaimBinding } from "./claim-binding.ts";
import { Cluster } from "./cluster.ts";
import { budgetDeclaration, namespaceDeclaration, nodeDeclaration, podDeclaration } from "./declarations.ts";
import type { Wishes } from "./devices/allocation.ts";
import { DeviceBinding } from "./devices/device-binding.ts";
import { Devices } from "./devices/devices.ts";
import { deviceClaimDeclaration, deviceClassDeclaration, sliceDeclaration } from "./devices/views.ts";
import type { Explanation, Obstacle } from "./explain.ts";
import { Explanations } from "./explanations.ts";
import type { Extender } from "./extender.ts";
import { Extending } from "./extending.ts";
import { limits } from "./limits.ts";
import { Line } from "./line.ts";
import type { NodeView } from "./node-view.ts";
import { type Placement, Placer } from "./placement.ts";
import { PodRequests } from "./pod-requests.ts";
import type { PodView } from "./pod-view.ts";
import type { Budget } from "./preemption.ts";
import { defaultProfile, type Profile } from "./profile.ts";
import { type Backoff, hints, SchedulingQueue } from "./queue.ts";
import { Refusal, type Unschedulable } from "./refusal.ts";
import { Tasks } from "./tasks.ts";
import { Volumes } from "./volumes.ts";

export interface SchedulerOptions {
  readonly client: Client;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly pace: Pace;
  /** Source `default-scheduler`. */
  readonly events: EventRecorder;
  /** Pods that name one of these schedulers are ours. Default: `default-scheduler` alone. */
  readonly profiles?: readonly Profile[];
  /** Who else has a say in where pods go. */
  readonly extenders?: readonly Extender[];
  readonly backoff?: Backoff;
  /** Of the elected leader: a scheduler of an earlier term cannot bind. */
  readonly epoch?: () => Cause["epoch"];
  readonly observer?: SchedulerObserver;
  readonly onProblem?: (problem: string, error: unknown) => void;
}

export interface Scheduler {
  start(): void;
  /** Takes no new pod; resolves when binds under way have ended. */
  stop(): Promise<void>;
  /** True when no pod can be tried now and no bind is under way. */
  readonly idle: boolean;
  /** Pods bound since the start. */
  readonly binds: number;
  /** Pods that can be tried now; those in back-off; those that wait for something to happen; those that are gated. */
  readonly pending: Readonly<Record<"active" | "backoff" | "unschedulable" | "gated", number>>;
  /** How often pods came into a part of the queue, by `QUEUE EVENT`. */
  readonly incoming: ReadonlyMap<string, number>;
  /** What the loop knows: nodes, pods with a node, and those of them that the API does not have there yet. */
  readonly known: Readonly<Record<"nodes" | "pods" | "assumed_pods", number>>;
  /** Why the last attempt for each pod that waits failed, by `namespace/name`. */
  readonly explanations: ReadonlyMap<string, Explanation>;
  /** Why the last attempt for this pod (`namespace/name`) failed; undefined when it did not. */
  explanation(key: string): Explanation | undefined;
}

/** The thin loop: watches pods and nodes, asks the placer, binds. */
export function createScheduler(options: SchedulerOptions): Scheduler {
  return new Loop(options);
}

class Loop implements Scheduler {
  readonly #options: SchedulerOptions;
  readonly #cluster = new Cluster();
  readonly #placers: ReadonlyMap<string, Placer>;
  readonly #extending: Extending;
  readonly #volumes: Volumes;
  readonly #claimBinding: ClaimBinding;
  readonly #devices: Devices;
  readonly #deviceBinding: DeviceBinding;
  readonly #line: Line;
  readonly #choosing: Choosing;
  readonly #queue: SchedulingQueue;
  readonly #pods: Informer<PodView>;
  readonly #nodes: Informer<NodeView>;
  readonly #namespaces: Informer<Labels>;
  readonly #budgets: Informer<Budget>;
  readonly #explanations = new Explanations(this.#cluster);
  readonly #tasks = new Tasks(() => this.#pump());
  readonly #searches = new Tasks(() => this.#pump());
  readonly #requests: PodRequests;
  readonly #attempts: Attempts;
  readonly #binding: Binding;
  readonly #refusal: Refusal;
  readonly #changes: Changes;
  #subscriptions: { close(): void }[] = [];
  #happened = 0;
  #turn = 0;
  #pumping = false;
  #ready = false;
  #stopped = false;
  #timer: { readonly atMs: number; readonly timer: Timer } | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#queue = new SchedulingQueue(options.backoff);
    this.#pods = options.informers.of<Pod, PodView>(podDeclaration);
    this.#nodes = options.informers.of<Node, NodeView>(nodeDeclaration);
    this.#namespaces = options.informers.of(namespaceDeclaration);
    this.#budgets = options.informers.of<PodDisruptionBudget, Budget>(budgetDeclaration);
    this.#volumes = new Volumes(options.informers);
    const { informers, client, timers } = options;
    this.#devices = new Devices(
      informers.of(deviceClaimDeclaration),
      informers.of(sliceDeclaration),
      informers.of(deviceClassDeclaration),
    );
    this.#deviceBinding = new DeviceBinding(client, timers, this.#devices);
    this.#line = new Line(options.pace, timers);
    const { profiles = [defaultProfile] } = options;
    this.#placers = new Map(
      profiles.map((profile) => [profile.schedulerName, new Placer(this.#cluster, this.#volumes, profile)]),
    );
    this.#extending = new Extending(client, options.extenders ?? []);
    this.#claimBinding = new ClaimBinding(client, timers, this.#volumes);
    this.#requests = new PodRequests(options);
    this.#attempts = new Attempts(options.clock, options.observer);
    const parts = {
      cluster: this.#cluster,
      queue: this.#queue,
      devices: this.#devices,
      deviceBinding: this.#deviceBinding,
      extending: this.#extending,
      explanations: this.#explanations,
      requests: this.#requests,
      attempts: this.#attempts,
      tasks: this.#tasks,
      problem: (problem: string, error: unknown) => this.#problem(problem, error),
    };
    this.#binding = new Binding({
      ...parts,
      nodes: this.#nodes,
      volumes: this.#volumes,
      claimBinding: this.#claimBinding,
      timers,
      bound: (pod) => this.#explanations.forget(pod.key),
      released: (pod) => this.#released(pod),
    });
    this.#changes = new Changes({
      ...parts,
      binding: this.#binding,
      claimBinding: this.#claimBinding,
      isOurs: ({ schedulerName }) => this.#placers.has(schedulerName),
      note: (hint) => this.#note(hint),
      pump: () => this.#pump(),
    });
    this.#choosing = new Choosing({
      ...parts,
      pods: this.#pods,
      nodes: this.#nodes,
      line: this.#line,
      searches: this.#searches,
      assume: (pod, placement, wishes) => this.#assume(pod, placement, wishes),
      refused: (pod, placer, why) => this.#refused(pod, placer, why),
      failed: (pod, message) => this.#failed(pod, message),
      problem: (pod, error) => this.#attemptFailed(pod.key, error),
    });
    this.#refusal = new Refusal({ ...parts, budgets: this.#budgets, unkeep: (pod) => this.#changes.unkeep(pod.key) });
  }

  get binds(): number {
    return this.#binding.binds;
  }

  get idle(): boolean {
    return !this.#pumping && this.#tasks.count + this.#searches.count + this.#queue.activeLength === 0;
  }

  get pending(): Scheduler["pending"] {
    return { ...this.#queue.counts(), gated: this.#changes.gatedCount };
  }

  get incoming(): Scheduler["incoming"] {
    return this.#queue.incoming;
  }

  get known(): Scheduler["known"] {
    return { nodes: this.#cluster.nodeCount, pods: this.#cluster.podCount, assumed_pods: this.#binding.assumedCount };
  }

  get explanations(): ReadonlyMap<string, Explanation> {
    return this.#explanations.all;
  }

  explanation(key: string): Explanation | undefined {
    return this.#explanations.all.get(key);
  }

  start(): void {
    this.#subscriptions = [
      this.#namespaces.handle((name, _old, labels) => this.#changes.ofNamespace(name, labels)),
      this.#nodes.handle((name, old, node) => this.#changes.ofNode(name, old, node)),
      this.#pods.handle((key, old, pod) => this.#changes.ofPod(key, old, pod)),
      ...this.#volumes.subscribe(() => this.#changes.ofVolumes()),
      ...this.#devices.subscribe(() => this.#note(hints.devices)),
    ];
    const needed = [this.#namespaces, this.#nodes, this.#pods, this.#budgets].map((one) => one.synced());
    void Promise.all([...needed, ...this.#volumes.synced(), ...this.#devices.synced()]).then(() => {
      this.#ready = true;
      this.#pump();
    });
  }

  stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.timer.cancel();
    this.#binding.stop();
    this.#claimBinding.stop();
    this.#deviceBinding.stop();
    this.#line.stop();
    for (const subscription of this.#subscriptions) subscription.close();
    return this.#tasks.drained();
  }

  #note(hint: number): void {
    this.#happened |= hint;
    this.#pump();
  }

  #pump(): void {
    if (this.#pumping || !this.#ready || this.#stopped) return;
    this.#pumping = true;
    // In a turn of its own: events come in bursts, and one look at the end of a burst is enough.
    this.#options.timers.soon(() => void this.#work());
  }

  async #work(): Promise<void> {
    const { clock, pace } = this.#options;
    while (!this.#stopped && this.#tasks.count < limits.bindsInFlightMax) {
      const pause = pace.breathe();
      if (pause !== undefined) await pause;
      const nowMs = clock.monotonic();
      this.#queue.happened(this.#happened, nowMs);
      this.#happened = 0;
      const key = this.#queue.take(nowMs);
      if (key === undefined) break;
      this.#attempts.begin(key, nowMs, this.#queue.attempts(key));
      try {
        this.#try(key, nowMs);
      } catch (error) {
        // A broken belief about one pod must not stop the loop for the others.
        this.#attemptFailed(key, error);
      }
    }
    this.#pumping = false;
    this.#wakeLater();
  }

  #wakeLater(): void {
    const atMs = this.#queue.nextDueMs;
    if (this.#timer !== undefined && this.#timer.atMs === atMs) return;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    if (atMs === undefined || this.#stopped) return;
    const delayMs = Math.max(1, atMs - this.#options.clock.monotonic());
    const timer = this.#options.timers.after(delayMs, () => {
      this.#timer = undefined;
      this.#pump();
    });
    this.#timer = { atMs, timer };
  }

  #try(key: string, nowMs: number): void {
    const pod = this.#pods.get(key);
    if (pod === undefined || pod.nodeName !== "") {
      this.#queue.remove(key);
      return;
    }
    const obstacle = this.#obstacle(pod);
    if (obstacle !== undefined) return this.#refusal.forClaims(pod, obstacle, nowMs);
    const placer = this.#placers.get(pod.schedulerName)!;
    this.#turn += 1;
    if (this.#choosing.concerns(pod)) return this.#choosing.choose(pod, placer, this.#turn, nowMs);
    const placement = placer.place(pod, this.#turn);
    this.#attempts.searched(nowMs);
    if (placement.kind === "placed") this.#assume(pod, placement);
    else this.#refusal.ofNodes(pod, placer, placement, this.#turn, nowMs);
  }

  #refused(pod: PodView, placer: Placer, why: Unschedulable | Obstacle): void {
    const nowMs = this.#options.clock.monotonic();
    if ("kind" in why) this.#refusal.ofNodes(pod, placer, why, this.#turn, nowMs);
    else this.#refusal.forClaims(pod, why, nowMs);
  }

  #failed(pod: PodView, message: string | undefined): void {
    if (message !== undefined) this.#requests.event(pod, "Warning", "FailedScheduling", message);
    this.#queue.retry(pod.key);
  }

  #attemptFailed(key: string, error: unknown): void {
    this.#problem(`an attempt to place ${key} failed`, error);
    this.#queue.retry(key);
  }

  #obstacle(pod: PodView): Obstacle | undefined {
    const volumes = pod.claims.length === 0 ? undefined : this.#volumes.obstacle(pod);
    return volumes ?? (pod.deviceClaims.length === 0 ? undefined : this.#devices.obstacle(pod));
  }

  #assume(pod: PodView, placement: Placement & { kind: "placed" }, wishes?: Wishes): boolean {
    if (!this.#binding.begin(pod, placement, wishes)) return false;
    this.#changes.unkeep(pod.key, placement.node);
    this.#note(hints.podCame);
    return true;
  }

  /** The pod is tried again after its back-off where it still waits. */
  #released(pod: PodView): void {
    this.#note(hints.podGone | hints.devices);
    const current = this.#pods.get(pod.key);
    if (current === undefined || current.uid !== pod.uid || current.nodeName !== "" || current.deleting)
      this.#queue.remove(pod.key);
    else this.#queue.retry(pod.key);
  }

  #problem(problem: string, error: unknown): void {
    this.#options.onProblem?.(`scheduler: ${problem}`, error);
  }
}
