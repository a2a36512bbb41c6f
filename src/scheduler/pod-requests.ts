import { pods as podResource } from "#api/generated/resources.ts";
import { pathOf } from "#api/resource.ts";
import type { Cause, Client } from "#client/client.ts";
import { ApiStatusError } from "#client/status-error.ts";
import type { EventText } from "#reconcile/action.ts";
import type { EventRecorder } from "#reconcile/events.ts";
import { timeText } from "#reconcile/object-view.ts";
import type { Clock } from "#world/clock.ts";
import { type Explanation, ruleOf } from "./explain.ts";
import type { Placement } from "./placement.ts";
import type { PodView } from "./pod-view.ts";
import type { Preemption } from "./preemption.ts";

export interface PodRequestsOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly events: EventRecorder;
  readonly epoch?: () => Cause["epoch"];
}

/** What the scheduler asks of the server about pods. Unless it says otherwise, a refusal and a lost answer reject. */
export class PodRequests {
  readonly #options: PodRequestsOptions;

  constructor(options: PodRequestsOptions) {
    this.#options = options;
  }

  cause(pod: PodView, rule: string): Cause {
    const epoch = this.#options.epoch?.();
    const because = `pods/${pod.key}@${pod.resourceVersion}`;
    return { actor: "scheduler", rule, because, ...(epoch === undefined ? {} : { epoch }) };
  }

  async bind(pod: PodView, { node, score, feasible, nodes }: Placement & { kind: "placed" }): Promise<void> {
    const { namespace, name, uid } = pod;
    const binding = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { namespace, name, uid },
      target: { apiVersion: "v1", kind: "Node", name: node },
    };
    const rule = `${feasible} of ${nodes} nodes fit; ${node} comes first with ${Math.round(score)} points`;
    const path = pathOf(podResource, { namespace, name, subresource: "binding" });
    await this.#options.client.request("POST", path, binding, { cause: this.cause(pod, rule) });
  }

  async isBound(pod: PodView): Promise<boolean> {
    const current = await this.#options.client.find(podResource, pod);
    return current?.metadata.uid === pod.uid && (current.spec.nodeName ?? "") !== "";
  }

  /** Writes why a pod waits into its status, and where room is kept for it (`null`: nowhere any more). */
  async tellWhy(pod: PodView, explanation: Explanation, nominatedNodeName?: string | null): Promise<void> {
    const condition: Record<string, unknown> = {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message: explanation.message,
      observedGeneration: pod.generation,
    };
    if (pod.told === undefined) condition["lastTransitionTime"] = timeText(this.#options.clock.now());
    const patch = { metadata: { uid: pod.uid }, status: { conditions: [condition], nominatedNodeName } };
    const cause = this.cause(pod, ruleOf(explanation));
    try {
      await this.#options.client.patch(podResource, pod, patch, { type: "strategic", subresource: "status", cause });
    } catch (error) {
      // Gone or made anew meanwhile: nobody is left to tell.
      if (!isGone(error)) throw error;
    }
  }

  /** The victim learns why, then it is deleted with its own grace; the room is the nominated pod's. */
  async evict(
    victim: PodView,
    pod: PodView,
    { node, victims, violations }: Preemption & { kind: "possible" },
  ): Promise<void> {
    const budget = violations === 0 ? "" : `, ${violations} of them against a disruption budget`;
    const need = `${pod.key} with priority ${pod.priority} needs the room of ${victims.length} pods on ${node}${budget}`;
    const rule = `${need}; this one has priority ${victim.priority}`;
    const cause = this.cause(pod, rule);
    const condition = {
      type: "DisruptionTarget",
      status: "True",
      reason: "PreemptionByScheduler",
      message: `${pod.schedulerName}: preempting to accommodate a higher priority pod`,
      observedGeneration: victim.generation,
      lastTransitionTime: timeText(this.#options.clock.now()),
    };
    const patch = { metadata: { uid: victim.uid }, status: { conditions: [condition] } };
    try {
      await this.#options.client.patch(podResource, victim, patch, { type: "strategic", subresource: "status", cause });
      await this.#options.client.delete(podResource, victim, { uid: victim.uid, cause });
      this.event(victim, "Normal", "Preempted", `Preempted by pod ${pod.uid} on node ${node}`);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  event(pod: PodView, type: EventText["type"], eventReason: string, message: string): void {
    const { namespace, name, uid } = pod;
    this.#options.events.record({
      about: { apiVersion: "v1", kind: "Pod", namespace, name, uid },
      type,
      eventReason,
      message,
    });
  }
}

/** The object went away, or is another one by now. */
export function isGone(error: unknown): boolean {
  return error instanceof ApiStatusError && (error.code === 404 || error.code === 409);
}
