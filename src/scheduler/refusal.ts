import type { Informer } from "#reconcile/informer.ts";
import type { Attempts } from "./attempts.ts";
import type { Cluster } from "./cluster.ts";
import type { DeviceBinding } from "./devices/device-binding.ts";
import type { Wishes } from "./devices/allocation.ts";
import type { Devices } from "./devices/devices.ts";
import { deviceLimits } from "./devices/limits.ts";
import { explainObstacle, type Explanation, type Obstacle } from "./explain.ts";
import type { Explanations } from "./explanations.ts";
import type { Extending } from "./extending.ts";
import type { NodeView } from "./node-view.ts";
import type { Placement, Placer } from "./placement.ts";
import type { PodRequests } from "./pod-requests.ts";
import type { PodView } from "./pod-view.ts";
import { type Budget, preempt, type Preemption } from "./preemption.ts";
import { type Hint, rejectedByClaims, rejectionsOf, type SchedulingQueue } from "./queue.ts";
import type { Tasks } from "./tasks.ts";
import { verdict } from "./verdict.ts";

/** `wishes`: what its claims ask for of devices. */
export type Unschedulable = Placement & { kind: "unschedulable" } & { readonly wishes?: Wishes | undefined };

export interface RefusalParts {
  readonly cluster: Cluster;
  readonly queue: SchedulingQueue;
  readonly budgets: Pick<Informer<Budget>, "list">;
  readonly devices: Devices;
  readonly deviceBinding: DeviceBinding;
  readonly extending: Extending;
  readonly explanations: Explanations;
  readonly requests: PodRequests;
  readonly attempts: Attempts;
  readonly tasks: Tasks;
  /** Room is no longer kept for the pod. */
  unkeep(pod: PodView): void;
  problem(problem: string, error: unknown): void;
}

/** What is done for a pod that gets no node now: room made for it where it may push others out, and said why it waits. */
export class Refusal {
  readonly #parts: RefusalParts;

  constructor(parts: RefusalParts) {
    this.#parts = parts;
  }

  /** No node fits. `turn` is that of the search. */
  ofNodes(
    pod: PodView,
    placer: Placer,
    { evaluation, verdicts, wishes }: Unschedulable,
    turn: number,
    nowMs: number,
  ): void {
    const { attempts, budgets, cluster, devices, explanations } = this.#parts;
    const end = attempts.step("PostFilter", pod);
    const tries = { left: deviceLimits.triesMax };
    const hasDevices = (node: NodeView): boolean => wishes === undefined || devices.canGive(pod, wishes, node, tries);
    const preemption = preempt(pod, { cluster, placer, hasDevices }, verdicts, budgets.list(), turn);
    end(preemption.kind === "possible");
    attempts.preempted(preemption.kind === "possible" ? preemption.victims.length : 0);
    if (pod.deviceClaims.length > 0 && verdicts.includes(verdict.deviceNode)) this.#giveDevicesBack(pod);
    const explanation = explanations.explain(pod, evaluation, verdicts, preemption);
    this.#waits(pod, explanation, rejectionsOf(verdicts), preemption, nowMs);
  }

  /** Its claims keep the pod from every node. */
  forClaims(pod: PodView, obstacle: Obstacle, nowMs: number): void {
    const explanation = explainObstacle(pod, this.#parts.cluster, obstacle);
    this.#waits(pod, explanation, rejectedByClaims, { kind: "impossible", message: "" }, nowMs);
  }

  /** Says why the pod waits, unless that was said already. */
  #waits(pod: PodView, explanation: Explanation, rejections: Hint, preemption: Preemption, nowMs: number): void {
    const { attempts, cluster, explanations, queue, requests } = this.#parts;
    attempts.end(pod, "unschedulable");
    queue.unschedulable(pod.key, rejections, nowMs);
    const before = explanations.all.get(pod.key)?.message ?? pod.told?.message;
    const isSaid = before === explanation.message && (pod.told?.generation ?? pod.generation) === pod.generation;
    explanations.remember(explanation);
    if (preemption.kind === "possible") cluster.nominate(pod, preemption.node);
    else if (preemption.kind === "impossible" && pod.nominatedNode !== "") this.#parts.unkeep(pod);
    else if (isSaid) return;
    requests.event(pod, "Warning", "FailedScheduling", explanation.message);
    this.#write(pod, () => this.#tellAndPreempt(pod, explanation, preemption));
  }

  async #tellAndPreempt(pod: PodView, explanation: Explanation, preemption: Preemption): Promise<void> {
    const { extending, requests, unkeep } = this.#parts;
    if (preemption.kind !== "possible") {
      const givesUp = preemption.kind === "impossible" && pod.nominatedNode !== "";
      return requests.tellWhy(pod, explanation, givesUp ? null : undefined);
    }
    const victims = await extending.victims(pod, preemption.node, preemption.victims);
    if (victims === undefined) {
      unkeep(pod);
      return requests.tellWhy(pod, explanation);
    }
    await requests.tellWhy(pod, explanation, preemption.node);
    for (const victim of victims) if (!victim.deleting) await requests.evict(victim, pod, preemption);
  }

  /** A claim that nobody else uses must not keep its pod on nodes where it cannot run. */
  #giveDevicesBack(pod: PodView): void {
    const { deviceBinding, devices, requests } = this.#parts;
    const claim = devices.releasable(pod);
    if (claim === undefined) return;
    const rule = `pod ${pod.key} fits on no node from which the devices of its claim ${claim.name} can be reached`;
    this.#write(pod, () => deviceBinding.giveBack(claim, requests.cause(pod, rule)));
  }

  /** Where the write fails, the pod is tried again soon and asks for it anew. */
  #write(pod: PodView, task: () => Promise<void>): void {
    const { explanations, problem, queue, tasks } = this.#parts;
    void tasks.run(task, (error) => {
      problem(`a write for ${pod.key}, which waits, failed`, error);
      explanations.forget(pod.key);
      queue.again(pod.key);
    });
  }
}
