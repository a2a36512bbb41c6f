import { ApiStatusError } from "#client/status-error.ts";
import type { Informer } from "#reconcile/informer.ts";
import type { Timers } from "#world/clock.ts";
import type { Attempts } from "./attempts.ts";
import type { ClaimBinding } from "./claim-binding.ts";
import type { Cluster } from "./cluster.ts";
import type { DeviceBinding } from "./devices/device-binding.ts";
import type { Wishes } from "./devices/allocation.ts";
import type { Devices } from "./devices/devices.ts";
import type { Extending } from "./extending.ts";
import { limits } from "./limits.ts";
import type { NodeView } from "./node-view.ts";
import type { Placement } from "./placement.ts";
import { isGone, type PodRequests } from "./pod-requests.ts";
import type { PodView } from "./pod-view.ts";
import type { Tasks } from "./tasks.ts";
import type { Volumes } from "./volumes.ts";

type Placed = Placement & { kind: "placed" };

export interface BindingParts {
  readonly cluster: Cluster;
  readonly nodes: Pick<Informer<NodeView>, "get">;
  readonly volumes: Volumes;
  readonly claimBinding: ClaimBinding;
  readonly devices: Devices;
  readonly deviceBinding: DeviceBinding;
  readonly extending: Extending;
  readonly requests: PodRequests;
  readonly attempts: Attempts;
  readonly tasks: Tasks;
  readonly timers: Timers;
  /** The server says that the pod has its node. */
  bound(pod: PodView): void;
  /** The pod does not get its node; its room there is free. */
  released(pod: PodView): void;
  problem(problem: string, error: unknown): void;
}

/** From the chosen node to the bind: room is taken at once, claims are bound first, and what fails gives all back. */
export class Binding {
  binds = 0;
  readonly #parts: BindingParts;
  /** Pods that were given a node here and are not yet seen there; by key, with their uid. */
  readonly #assumed = new Map<string, string>();
  #isStopped = false;

  constructor(parts: BindingParts) {
    this.#parts = parts;
  }

  get assumedCount(): number {
    return this.#assumed.size;
  }

  isAssumed({ key, uid }: PodView): boolean {
    return this.#assumed.get(key) === uid;
  }

  /** What informers say of the pod counts from now on; false where it was not assumed. */
  forget(key: string): boolean {
    const uid = this.#assumed.get(key);
    if (uid === undefined) return false;
    this.#parts.devices.forget(uid);
    return this.#assumed.delete(key);
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Takes the room and begins to bind; false where the devices are not to be had any more. */
  begin(pod: PodView, placement: Placed, wishes?: Wishes): boolean {
    const { cluster, devices, nodes, volumes } = this.#parts;
    if (wishes !== undefined && !devices.assume(pod, wishes, nodes.get(placement.node)!)) return false;
    cluster.placePod(pod, placement.node);
    this.#assumed.set(pod.key, pod.uid);
    const isReady = pod.deviceClaims.length === 0 && (pod.claims.length === 0 || volumes.areBound(pod));
    if (isReady) void this.#write(pod, placement);
    else void this.#bindClaimsFirst(pod, placement);
    return true;
  }

  /** Its room is kept while the claims of the pod get their volumes on the chosen node. */
  async #bindClaimsFirst(pod: PodView, placement: Placed): Promise<void> {
    const { attempts, claimBinding, deviceBinding, nodes, requests } = this.#parts;
    const node = nodes.get(placement.node);
    const cause = requests.cause(pod, `pod ${pod.key} is to run on ${placement.node} and its claims wait for a node`);
    const end = attempts.step("PreBind", pod);
    const problem =
      node === undefined
        ? "the node is gone"
        : ((await deviceBinding.write(pod, cause)) ?? (await claimBinding.ready(pod, node, cause)));
    end(problem === undefined);
    if (this.#isStopped || !this.isAssumed(pod)) return;
    if (problem === undefined) return this.#write(pod, placement);
    requests.event(pod, "Warning", "FailedScheduling", problem);
    this.#release(pod);
  }

  #write(pod: PodView, placement: Placed): Promise<void> {
    const { tasks, problem } = this.#parts;
    return tasks.run(
      () => this.#bind(pod, placement),
      (error) => problem("a write failed", error),
    );
  }

  async #bind(pod: PodView, placement: Placed): Promise<void> {
    const { attempts, extending, requests } = this.#parts;
    const end = attempts.step("Bind", pod);
    try {
      const extended = await extending.bind(pod, placement.node);
      if (extended?.problem !== undefined) return this.#refused(pod, extended.problem);
      if (extended === undefined) {
        await requests.bind(pod, placement);
        end(true);
      }
    } catch (error) {
      end(false);
      attempts.end(pod, "error");
      return this.#failed(pod, error);
    }
    this.binds += 1;
    attempts.end(pod, "scheduled");
    this.#parts.bound(pod);
    requests.event(pod, "Normal", "Scheduled", `Successfully assigned ${pod.key} to ${placement.node}`);
  }

  async #failed(pod: PodView, error: unknown): Promise<void> {
    if (!(error instanceof ApiStatusError)) {
      // No answer: the bind may have happened. The room stays taken until the server says what is true.
      this.#parts.problem(`no answer to the bind of ${pod.key}`, error);
      return this.#settle(pod);
    }
    if (isGone(error)) return this.#release(pod);
    this.#parts.problem(`the bind of ${pod.key} was refused`, error);
    this.#refused(pod, error.message);
  }

  #refused(pod: PodView, reason: string): void {
    this.#release(pod);
    this.#parts.requests.event(pod, "Warning", "FailedScheduling", `binding rejected: ${reason}`);
  }

  async #settle(pod: PodView): Promise<void> {
    const { requests, timers, problem } = this.#parts;
    for (
      let delayMs: number = limits.backoffMinMs;
      !this.#isStopped;
      delayMs = Math.min(limits.backoffMaxMs, delayMs * 2)
    ) {
      await timers.sleep(delayMs);
      if (!this.isAssumed(pod)) return;
      try {
        if (!(await requests.isBound(pod))) this.#release(pod);
        return;
      } catch (error) {
        problem(`cannot read ${pod.key} after its bind got no answer`, error);
      }
    }
  }

  #release(pod: PodView): void {
    if (!this.isAssumed(pod)) return;
    this.forget(pod.key);
    this.#parts.cluster.removePod(pod.key);
    this.#parts.released(pod);
  }
}
