import type { Node, Pod } from "#api/generated/core-v1.ts";
import {
  namespaces as namespaceResource,
  nodes as nodeResource,
  poddisruptionbudgets,
  pods as podResource,
} from "#api/generated/resources.ts";
import type { PodDisruptionBudget } from "#api/generated/policy-v1.ts";
import { pathOf } from "#api/resource.ts";
import type { Cause, Client } from "#client/client.ts";
import { ApiStatusError } from "#client/status-error.ts";
import type { EventText } from "#reconcile/action.ts";
import type { EventRecorder } from "#reconcile/events.ts";
import type { Informer } from "#reconcile/informer.ts";
import type { Informers } from "#reconcile/informers.ts";
import type { Pace } from "#reconcile/pace.ts";
import { timeText } from "#reconcile/object-view.ts";
import type { Clock, Timer, Timers } from "#world/clock.ts";
import { Cluster } from "./cluster.ts";
import type { Evaluation } from "./evaluation.ts";
import { type Attempt, Attempts, type SchedulerObserver, type Step } from "./attempts.ts";
import { ClaimBinding } from "./claim-binding.ts";
import { DeviceBinding } from "./devices/device-binding.ts";
import { Devices } from "./devices/devices.ts";
import { deviceClaimDeclaration, deviceClassDeclaration, sliceDeclaration } from "./devices/views.ts";
import { explain, explainObstacle, type Explanation, ruleOf } from "./explain.ts";
import { limits } from "./limits.ts";
import { type Budget, preempt, type Preemption } from "./preemption.ts";
import { type NodeView, nodeView } from "./node-view.ts";
import type { Extender } from "./extender.ts";
import { Extending } from "./extending.ts";
import { type Placement, Placer } from "./placement.ts";
import { defaultProfile, type Profile } from "./profile.ts";
import { isAnotherQuestion, type PodShape, type PodView, podView } from "./pod-view.ts";
import { hints, rejectedByClaims, rejectionsOf, SchedulingQueue, type Hint } from "./queue.ts";
import type { Labels } from "#api/label-match.ts";
import {
  claimDeclaration,
  classDeclaration,
  volumeDeclaration,
  type ClaimView,
  type ClassView,
  type VolumeView,
} from "./volume-views.ts";
import { verdict } from "./verdict.ts";
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

/** One declaration each, so that loops of one process share the informers. */
export const podDeclaration = { resource: podResource, project: podView };
export const nodeDeclaration = { resource: nodeResource, project: nodeView };
export const namespaceDeclaration = {
  resource: namespaceResource,
  project: (namespace: { readonly metadata: { readonly labels?: Labels } }): Labels => namespace.metadata.labels ?? {},
};

export const budgetDeclaration = {
  resource: poddisruptionbudgets,
  project: ({ metadata, spec, status }: PodDisruptionBudget): Budget => ({
    namespace: metadata.namespace ?? "",
    selector: spec.selector,
    disruptionsAllowed: status?.disruptionsAllowed ?? 0,
  }),
};

/** The thin loop: watches pods and nodes, asks the placer, binds. */
export function createScheduler(options: SchedulerOptions): Scheduler {
  return new Loop(options);
}

class Loop implements Scheduler {
  binds = 0;
  readonly #options: SchedulerOptions;
  readonly #cluster = new Cluster();
  readonly #placers: ReadonlyMap<string, Placer>;
  readonly #extending: Extending;
  readonly #volumes: Volumes;
  readonly #claimBinding: ClaimBinding;
  readonly #devices: Devices;
  readonly #deviceBinding: DeviceBinding;
  readonly #queue = new SchedulingQueue();
  readonly #pods: Informer<PodView>;
  readonly #nodes: Informer<NodeView>;
  readonly #namespaces: Informer<Labels>;
  readonly #budgets: Informer<Budget>;
  readonly #claims: Informer<ClaimView>;
  readonly #persistentVolumes: Informer<VolumeView>;
  readonly #classes: Informer<ClassView>;
  readonly #explanations = new Map<string, Explanation>();
  /** Pods that were given a node here and are not yet seen there; by key, with their uid. */
  readonly #assumed = new Map<string, string>();
  readonly #gated = new Set<string>();
  readonly #attempts = new Attempts();
  #lastExplained:
    | { change: number; shape: PodShape; priority: number; why: string | undefined; explanation: Explanation }
    | undefined;
  #subscriptions: { close(): void }[] = [];
  #happened = 0;
  #turn = 0;
  #writesInFlight = 0;
  #pumping = false;
  #ready = false;
  #stopped = false;
  #timer: { readonly atMs: number; readonly timer: Timer } | undefined;
  #drained: (() => void)[] = [];

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#pods = options.informers.of<Pod, PodView>(podDeclaration);
    this.#nodes = options.informers.of<Node, NodeView>(nodeDeclaration);
    this.#namespaces = options.informers.of(namespaceDeclaration);
    this.#budgets = options.informers.of<PodDisruptionBudget, Budget>(budgetDeclaration);
    this.#claims = options.informers.of(claimDeclaration);
    this.#persistentVolumes = options.informers.of(volumeDeclaration);
    this.#classes = options.informers.of(classDeclaration);
    this.#volumes = new Volumes(this.#claims, this.#persistentVolumes, this.#classes);
    const { informers, client, timers } = options;
    this.#devices = new Devices(
      informers.of(deviceClaimDeclaration),
      informers.of(sliceDeclaration),
      informers.of(deviceClassDeclaration),
    );
    this.#deviceBinding = new DeviceBinding(client, timers, this.#devices);
    const { profiles = [defaultProfile] } = options;
    this.#placers = new Map(
      profiles.map((profile) => [
        profile.schedulerName,
        new Placer(this.#cluster, this.#volumes, this.#devices, profile),
      ]),
    );
    this.#extending = new Extending(client, options.extenders ?? []);
    this.#claimBinding = new ClaimBinding(options.client, options.timers, this.#volumes);
  }

  get idle(): boolean {
    return !this.#pumping && this.#writesInFlight === 0 && this.#queue.activeLength === 0;
  }

  get pending(): Scheduler["pending"] {
    return { ...this.#queue.counts(), gated: this.#gated.size };
  }

  get incoming(): Scheduler["incoming"] {
    return this.#queue.incoming;
  }

  get known(): Scheduler["known"] {
    return { nodes: this.#cluster.nodeCount, pods: this.#cluster.podCount, assumed_pods: this.#assumed.size };
  }

  get explanations(): ReadonlyMap<string, Explanation> {
    return this.#explanations;
  }

  explanation(key: string): Explanation | undefined {
    return this.#explanations.get(key);
  }

  start(): void {
    this.#subscriptions = [
      this.#namespaces.handle((name, _old, labels) => this.#namespaceChanged(name, labels)),
      this.#nodes.handle((name, old, node) => this.#nodeChanged(name, old, node)),
      this.#pods.handle((key, old, pod) => this.#podChanged(key, old, pod)),
      ...[this.#claims, this.#persistentVolumes, this.#classes].map((one) => one.handle(() => this.#volumesChanged())),
      ...this.#devices.subscribe(() => this.#note(hints.devices)),
    ];
    const storage = [this.#claims, this.#persistentVolumes, this.#classes];
    const needed = [this.#namespaces, this.#nodes, this.#pods, this.#budgets, ...storage];
    void Promise.all([...needed.map((one) => one.synced()), ...this.#devices.synced()]).then(() => {
      this.#ready = true;
      this.#pump();
    });
  }

  stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.timer.cancel();
    this.#claimBinding.stop();
    this.#deviceBinding.stop();
    for (const subscription of this.#subscriptions) subscription.close();
    if (this.#writesInFlight === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  #namespaceChanged(name: string, labels: Labels | undefined): void {
    this.#cluster.setNamespace(name, labels);
    this.#note(hints.labels);
  }

  #nodeChanged(name: string, old: NodeView | undefined, node: NodeView | undefined): void {
    if (node === undefined) {
      this.#cluster.removeNode(name);
      this.#note(hints.labels);
    } else if (old?.fingerprint !== node.fingerprint) {
      this.#cluster.setNode(node);
      this.#note(hints.node);
    }
  }

  #volumesChanged(): void {
    this.#claimBinding.changed();
    this.#note(hints.volumes);
  }

  #podChanged(key: string, old: PodView | undefined, pod: PodView | undefined): void {
    if (pod === undefined || pod.finished) {
      if (old !== undefined) this.#devices.forget(old.uid);
      this.#podGone(key);
    } else if (pod.nodeName !== "") this.#podBound(pod, old);
    else this.#podPending(pod, old);
  }

  #podGone(key: string): void {
    this.#assumed.delete(key);
    this.#gated.delete(key);
    this.#attempts.end(key);
    this.#claimBinding.forget(key);
    this.#queue.remove(key);
    this.#explanations.delete(key);
    this.#cluster.forgetNomination(key);
    if (this.#cluster.pod(key) === undefined) return;
    this.#cluster.removePod(key);
    this.#note(hints.podGone);
  }

  #podBound(pod: PodView, old: PodView | undefined): void {
    const known = this.#cluster.pod(pod.key);
    const sameNode = this.#cluster.nodeOf(pod.key) === pod.nodeName;
    this.#assumed.delete(pod.key);
    this.#devices.forget(pod.uid);
    this.#queue.remove(pod.key);
    this.#explanations.delete(pod.key);
    this.#cluster.forgetNomination(pod.key);
    if (known !== undefined && sameNode && known.shape === pod.shape && known.deleting === pod.deleting) return;
    this.#cluster.placePod(pod, pod.nodeName);
    if (known === undefined || !sameNode) this.#note(hints.podCame);
    if (old !== undefined && old.nodeName !== "") this.#note(hints.podGone | hints.labels);
  }

  #podPending(pod: PodView, old: PodView | undefined): void {
    const assumed = this.#assumed.get(pod.key);
    if (assumed === pod.uid && !pod.deleting) return;
    if (assumed !== undefined) {
      this.#assumed.delete(pod.key);
      this.#devices.forget(assumed);
      this.#cluster.removePod(pod.key);
    }
    if (pod.gated && !pod.deleting) this.#gated.add(pod.key);
    else this.#gated.delete(pod.key);
    if (pod.gated || pod.deleting || !this.#placers.has(pod.schedulerName)) {
      this.#queue.remove(pod.key);
      return;
    }
    // A pod that asks for something else now is a new question.
    if (old !== undefined && isAnotherQuestion(old, pod)) this.#queue.remove(pod.key);
    if (pod.nominatedNode !== "") this.#cluster.nominate(pod, pod.nominatedNode);
    this.#queue.add(pod.key, pod.priority);
    this.#pump();
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
    while (!this.#stopped && this.#writesInFlight < limits.bindsInFlightMax) {
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
        this.#problem(`an attempt to place ${key} failed`, error);
        this.#queue.retry(key);
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
    if (obstacle !== undefined) return this.#refuseForClaims(pod, obstacle, nowMs);
    const placer = this.#placerOf(pod);
    if (this.#extending.isOn) return this.#tryExtended(pod, placer, nowMs);
    const placement = placer.place(pod, (this.#turn += 1));
    this.#options.observer?.searched((this.#options.clock.monotonic() - nowMs) / 1000);
    if (placement.kind === "placed") this.#assume(pod, placement);
    else this.#cannot(pod, placement, nowMs);
  }

  #cannot(pod: PodView, placement: Placement & { kind: "unschedulable" }, nowMs: number): void {
    const problem = pod.deviceClaims.length > 0 ? this.#devices.problem(pod, this.#cluster) : undefined;
    if (problem !== undefined) this.#refuseForClaims(pod, problem, nowMs);
    else this.#refuse(pod, placement, nowMs);
  }

  #placerOf(pod: PodView): Placer {
    return this.#placers.get(pod.schedulerName)!;
  }

  /** The best of what extenders leave, if it still fits when they have answered. Other pods go on meanwhile. */
  #tryExtended(pod: PodView, placer: Placer, nowMs: number): void {
    const judged = placer.candidates(pod);
    if (judged.kind === "unschedulable") return this.#cannot(pod, judged, nowMs);
    void this.#write(async () => {
      const answer = await this.#extending.judge(pod, judged.candidates);
      const current = this.#pods.get(pod.key);
      if (this.#stopped || current?.uid !== pod.uid || current.nodeName !== "" || current.deleting) return;
      if (answer.kind === "failed") {
        this.#event(pod, "Warning", "FailedScheduling", answer.message);
        return this.#queue.retry(pod.key);
      }
      if (answer.kind === "none") {
        const { evaluation, verdicts } = judged;
        for (const node of answer.refused.keys()) verdicts[this.#cluster.slotOf(node) ?? 0] = verdict.extender;
        return this.#cannot(pod, { kind: "unschedulable", evaluation, verdicts }, nowMs);
      }
      const best = answer.candidates
        .toSorted((a, b) => b.score - a.score)
        .find(({ node }) => this.#fitsOn(pod, placer, node));
      if (best === undefined) return this.#queue.retry(pod.key);
      const { nodeCount: nodes } = this.#cluster;
      this.#assume(current, { kind: "placed", ...best, feasible: answer.candidates.length, nodes });
    });
  }

  #fitsOn(pod: PodView, placer: Placer, node: string): boolean {
    const slot = this.#cluster.slotOf(node);
    return slot !== undefined && placer.fitsAt(pod, slot);
  }

  #obstacle(pod: PodView): string | undefined {
    const volumes = pod.claims.length === 0 ? undefined : this.#volumes.obstacle(pod, this.#cluster);
    return volumes ?? (pod.deviceClaims.length === 0 ? undefined : this.#devices.obstacle(pod));
  }

  #assume(pod: PodView, placement: Placement & { kind: "placed" }): void {
    if (pod.deviceClaims.length > 0 && !this.#devices.assume(pod, this.#nodes.get(placement.node)!)) {
      this.#queue.retry(pod.key);
      return;
    }
    this.#cluster.placePod(pod, placement.node);
    this.#assumed.set(pod.key, pod.uid);
    this.#cluster.forgetNomination(pod.key);
    this.#happened |= hints.podCame;
    const isReady = pod.deviceClaims.length === 0 && (pod.claims.length === 0 || this.#volumes.areBound(pod));
    if (isReady) void this.#write(() => this.#bind(pod, placement));
    else void this.#bindClaimsFirst(pod, placement);
  }

  /** Its room is kept while the claims of the pod get their volumes on the chosen node. */
  async #bindClaimsFirst(pod: PodView, placement: Placement & { kind: "placed" }): Promise<void> {
    const node = this.#nodes.get(placement.node);
    const rule = `pod ${pod.key} is to run on ${placement.node} and its claims wait for a node`;
    const cause = this.#cause(pod, rule);
    const beganMs = this.#options.clock.monotonic();
    const problem =
      node === undefined
        ? "the node is gone"
        : ((await this.#deviceBinding.write(pod, cause)) ?? (await this.#claimBinding.ready(pod, node, cause)));
    this.#stepped("PreBind", pod, problem === undefined, beganMs);
    if (this.#stopped || this.#assumed.get(pod.key) !== pod.uid) return;
    if (problem === undefined) return this.#write(() => this.#bind(pod, placement));
    this.#event(pod, "Warning", "FailedScheduling", problem);
    this.#unassume(pod);
    this.#pump();
  }

  /** With `waiting`, of a pod that no node fits: where the write fails, it is tried again soon and asks for it anew. */
  async #write(task: () => Promise<void>, waiting?: PodView): Promise<void> {
    this.#writesInFlight += 1;
    try {
      await task();
    } catch (error) {
      this.#problem(
        waiting === undefined ? "a write failed" : `a write for ${waiting.key}, which waits, failed`,
        error,
      );
      if (waiting !== undefined) {
        this.#explanations.delete(waiting.key);
        this.#queue.again(waiting.key);
      }
    }
    this.#writesInFlight -= 1;
    this.#pump();
    if (this.#stopped && this.#writesInFlight === 0) for (const resolve of this.#drained) resolve();
  }

  #cause(pod: PodView, rule: string): Cause {
    const epoch = this.#options.epoch?.();
    const because = `pods/${pod.key}@${pod.resourceVersion}`;
    return { actor: "scheduler", rule, because, ...(epoch === undefined ? {} : { epoch }) };
  }

  async #bind(pod: PodView, { node, score, feasible, nodes }: Placement & { kind: "placed" }): Promise<void> {
    const { namespace, name, uid } = pod;
    const binding = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { namespace, name, uid },
      target: { apiVersion: "v1", kind: "Node", name: node },
    };
    const rule = `${feasible} of ${nodes} nodes fit; ${node} comes first with ${Math.round(score)} points`;
    const beganMs = this.#options.clock.monotonic();
    try {
      const extended = await this.#extending.bind(pod, node);
      if (extended?.problem !== undefined) {
        this.#unassume(pod);
        return this.#event(pod, "Warning", "FailedScheduling", `binding rejected: ${extended.problem}`);
      }
      if (extended !== undefined) return this.#bound(pod, node);
      const path = pathOf(podResource, { namespace, name, subresource: "binding" });
      await this.#options.client.request("POST", path, binding, { cause: this.#cause(pod, rule) });
      this.#stepped("Bind", pod, true, beganMs);
    } catch (error) {
      this.#stepped("Bind", pod, false, beganMs);
      await this.#bindFailed(pod, error);
      return;
    }
    this.#bound(pod, node);
  }

  #bound(pod: PodView, node: string): void {
    this.binds += 1;
    this.#tell(pod, "scheduled");
    this.#explanations.delete(pod.key);
    this.#event(pod, "Normal", "Scheduled", `Successfully assigned ${pod.key} to ${node}`);
  }

  #tell({ key, schedulerName, createdMs }: PodView, result: Attempt["result"]): void {
    const { observer, clock } = this.#options;
    const begun = this.#attempts.end(key);
    if (begun === undefined) return;
    const seconds = (clock.monotonic() - begun.atMs) / 1000;
    const sinceCreationSeconds = Math.max(0, clock.now() - createdMs) / 1000;
    observer?.attempted({ result, schedulerName, seconds, sinceCreationSeconds, attempts: begun.count });
  }

  #stepped(step: Step, { schedulerName }: PodView, isSuccess: boolean, beganMs: number): void {
    const { observer, clock } = this.#options;
    observer?.stepped(step, schedulerName, isSuccess, (clock.monotonic() - beganMs) / 1000);
  }

  async #bindFailed(pod: PodView, error: unknown): Promise<void> {
    this.#tell(pod, "error");
    if (!(error instanceof ApiStatusError)) {
      // No answer: the bind may have happened. The room stays taken until the server says what is true.
      this.#problem(`no answer to the bind of ${pod.key}`, error);
      await this.#settle(pod);
      return;
    }
    this.#unassume(pod);
    if (!isGone(error)) {
      this.#problem(`the bind of ${pod.key} was refused`, error);
      this.#event(pod, "Warning", "FailedScheduling", `binding rejected: ${error.message}`);
    }
  }

  async #settle(pod: PodView): Promise<void> {
    for (
      let delayMs: number = limits.backoffMinMs;
      !this.#stopped;
      delayMs = Math.min(limits.backoffMaxMs, delayMs * 2)
    ) {
      await this.#options.timers.sleep(delayMs);
      if (this.#assumed.get(pod.key) !== pod.uid) return;
      try {
        const current = await this.#options.client.find(podResource, pod);
        const bound = current?.metadata.uid === pod.uid && (current.spec.nodeName ?? "") !== "";
        if (!bound) this.#unassume(pod);
        return;
      } catch (error) {
        this.#problem(`cannot read ${pod.key} after its bind got no answer`, error);
      }
    }
  }

  /** Takes the room back; the pod is tried again after its back-off where it still waits. */
  #unassume(pod: PodView): void {
    if (this.#assumed.get(pod.key) !== pod.uid) return;
    this.#assumed.delete(pod.key);
    this.#devices.forget(pod.uid);
    this.#cluster.removePod(pod.key);
    this.#happened |= hints.podGone | hints.devices;
    const current = this.#pods.get(pod.key);
    if (current === undefined || current.uid !== pod.uid || current.nodeName !== "" || current.deleting)
      this.#queue.remove(pod.key);
    else this.#queue.retry(pod.key);
  }

  #refuse(pod: PodView, { evaluation, verdicts }: Placement & { kind: "unschedulable" }, nowMs: number): void {
    const placer = this.#placerOf(pod);
    const beganMs = this.#options.clock.monotonic();
    const preemption = preempt(pod, this.#cluster, placer, verdicts, this.#budgets.list(), this.#turn);
    this.#stepped("PostFilter", pod, preemption.kind === "possible", beganMs);
    this.#options.observer?.preempted(preemption.kind === "possible" ? preemption.victims.length : 0);
    if (pod.deviceClaims.length > 0 && verdicts.includes(verdict.deviceNode)) this.#giveDevicesBack(pod);
    const explanation = this.#explain(pod, evaluation, verdicts, preemption);
    this.#waits(pod, explanation, rejectionsOf(verdicts), preemption, nowMs);
  }

  #refuseForClaims(pod: PodView, obstacle: string, nowMs: number): void {
    const explanation = explainObstacle(pod, this.#cluster, obstacle);
    this.#waits(pod, explanation, rejectedByClaims, { kind: "impossible", message: "" }, nowMs);
  }

  /** Says why the pod waits, unless that was said already. */
  #waits(pod: PodView, explanation: Explanation, rejections: Hint, preemption: Preemption, nowMs: number): void {
    this.#tell(pod, "unschedulable");
    this.#queue.unschedulable(pod.key, rejections, nowMs);
    const before = this.#explanations.get(pod.key)?.message ?? pod.unschedulable;
    this.#remember(explanation);
    if (preemption.kind === "possible") this.#cluster.nominate(pod, preemption.node);
    else if (before === explanation.message) return;
    this.#event(pod, "Warning", "FailedScheduling", explanation.message);
    void this.#write(() => this.#tellAndPreempt(pod, explanation, preemption), pod);
  }

  async #tellAndPreempt(pod: PodView, explanation: Explanation, preemption: Preemption): Promise<void> {
    if (preemption.kind !== "possible") return this.#tellWhy(pod, explanation);
    const victims = await this.#extending.victims(pod, preemption.node, preemption.victims);
    if (victims === undefined) {
      this.#cluster.forgetNomination(pod.key);
      return this.#tellWhy(pod, explanation);
    }
    await this.#tellWhy(pod, explanation, preemption.node);
    for (const victim of victims) if (!victim.deleting) await this.#evict(victim, pod, preemption);
  }

  /** A claim that nobody else uses must not keep its pod on nodes where it cannot run. */
  #giveDevicesBack(pod: PodView): void {
    const claim = this.#devices.releasable(pod);
    if (claim === undefined) return;
    const rule = `pod ${pod.key} fits on no node from which the devices of its claim ${claim.name} can be reached`;
    void this.#write(() => this.#deviceBinding.giveBack(claim, this.#cause(pod, rule)), pod);
  }

  /** Pods of one template that fail on the same cluster for the same reason share the work of explaining it. */
  #explain(pod: PodView, evaluation: Evaluation, verdicts: Uint8Array, preemption: Preemption): Explanation {
    const why = preemption.kind === "impossible" ? preemption.message : undefined;
    const { change } = this.#cluster;
    const last = this.#lastExplained;
    if (
      last !== undefined &&
      last.change === change &&
      last.shape === pod.shape &&
      last.why === why &&
      last.priority === pod.priority
    ) {
      return { ...last.explanation, pod: pod.key };
    }
    const explanation = explain(pod, this.#cluster, evaluation, verdicts, why);
    this.#lastExplained = { change, shape: pod.shape, priority: pod.priority, why, explanation };
    return explanation;
  }

  /** The victim learns why, then it is deleted with its own grace; the room is the nominated pod's. */
  async #evict(
    victim: PodView,
    pod: PodView,
    { node, victims, violations }: Preemption & { kind: "possible" },
  ): Promise<void> {
    const budget = violations === 0 ? "" : `, ${violations} of them against a disruption budget`;
    const need = `${pod.key} with priority ${pod.priority} needs the room of ${victims.length} pods on ${node}${budget}`;
    const rule = `${need}; this one has priority ${victim.priority}`;
    const cause = this.#cause(pod, rule);
    const condition = {
      type: "DisruptionTarget",
      status: "True",
      reason: "PreemptionByScheduler",
      message: `${pod.schedulerName}: preempting to accommodate a higher priority pod`,
      lastTransitionTime: timeText(this.#options.clock.now()),
    };
    const patch = { metadata: { uid: victim.uid }, status: { conditions: [condition] } };
    try {
      await this.#options.client.patch(podResource, victim, patch, { type: "strategic", subresource: "status", cause });
      await this.#options.client.delete(podResource, victim, { uid: victim.uid, cause });
      this.#event(victim, "Normal", "Preempted", `Preempted by pod ${pod.uid} on node ${node}`);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  #remember(explanation: Explanation): void {
    this.#explanations.delete(explanation.pod);
    this.#explanations.set(explanation.pod, explanation);
    if (this.#explanations.size > limits.explanationsMax)
      this.#explanations.delete(this.#explanations.keys().next().value!);
  }

  async #tellWhy(pod: PodView, explanation: Explanation, nominatedNodeName?: string): Promise<void> {
    const condition: Record<string, unknown> = {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message: explanation.message,
    };
    if (pod.unschedulable === undefined) condition["lastTransitionTime"] = timeText(this.#options.clock.now());
    const patch = { metadata: { uid: pod.uid }, status: { conditions: [condition], nominatedNodeName } };
    const cause = this.#cause(pod, ruleOf(explanation));
    try {
      await this.#options.client.patch(podResource, pod, patch, { type: "strategic", subresource: "status", cause });
    } catch (error) {
      // Gone or made anew meanwhile: nobody is left to tell.
      if (!isGone(error)) throw error;
    }
  }

  #event(pod: PodView, type: EventText["type"], eventReason: string, message: string): void {
    const { namespace, name, uid } = pod;
    this.#options.events.record({
      about: { apiVersion: "v1", kind: "Pod", namespace, name, uid },
      type,
      eventReason,
      message,
    });
  }

  #problem(problem: string, error: unknown): void {
    this.#options.onProblem?.(`scheduler: ${problem}`, error);
  }
}

/** The object went away, or is another one by now. */
function isGone(error: unknown): boolean {
  return error instanceof ApiStatusError && (error.code === 404 || error.code === 409);
}
