import type { Labels } from "#api/label-match.ts";
import type { Attempts } from "./attempts.ts";
import type { Binding } from "./binding.ts";
import type { ClaimBinding } from "./claim-binding.ts";
import type { Cluster } from "./cluster.ts";
import type { Devices } from "./devices/devices.ts";
import type { Explanations } from "./explanations.ts";
import type { NodeView } from "./node-view.ts";
import { isAnotherQuestion, type PodView } from "./pod-view.ts";
import { type Hint, hints, type SchedulingQueue } from "./queue.ts";

export interface ChangesParts {
  readonly cluster: Cluster;
  readonly queue: SchedulingQueue;
  readonly binding: Binding;
  readonly claimBinding: ClaimBinding;
  readonly devices: Devices;
  readonly attempts: Attempts;
  readonly explanations: Explanations;
  /** Whether a pod names a scheduler that is played here. */
  isOurs(pod: PodView): boolean;
  /** Something happened that may help pods that wait. */
  note(hint: Hint): void;
  /** There may be something to do. */
  pump(): void;
}

/** What informers say: the cluster and the queue follow it, and pods that it may help are told. */
export class Changes {
  readonly #parts: ChangesParts;
  readonly #gated = new Set<string>();

  constructor(parts: ChangesParts) {
    this.#parts = parts;
  }

  get gatedCount(): number {
    return this.#gated.size;
  }

  ofNamespace(name: string, labels: Labels | undefined): void {
    this.#parts.cluster.setNamespace(name, labels);
    this.#parts.note(hints.labels);
  }

  ofNode(name: string, old: NodeView | undefined, node: NodeView | undefined): void {
    if (node === undefined) {
      this.#parts.cluster.removeNode(name);
      this.#parts.note(hints.labels);
    } else if (old?.fingerprint !== node.fingerprint) {
      this.#parts.cluster.setNode(node);
      this.#parts.note(hints.node);
    }
  }

  ofVolumes(): void {
    this.#parts.claimBinding.changed();
    this.#parts.note(hints.volumes);
  }

  ofPod(key: string, old: PodView | undefined, pod: PodView | undefined): void {
    if (pod === undefined || pod.finished) {
      if (old !== undefined) this.#parts.devices.forget(old.uid);
      this.#podGone(key);
    } else if (pod.nodeName !== "") this.#podBound(pod, old);
    else this.#podPending(pod, old);
  }

  #podGone(key: string): void {
    const { attempts, binding, claimBinding, cluster, explanations, note, queue } = this.#parts;
    binding.forget(key);
    this.#gated.delete(key);
    attempts.forget(key);
    claimBinding.forget(key);
    queue.remove(key);
    explanations.forget(key);
    this.unkeep(key);
    if (cluster.pod(key) === undefined) return;
    cluster.removePod(key);
    note(hints.podGone);
  }

  #podBound(pod: PodView, old: PodView | undefined): void {
    const { binding, cluster, devices, explanations, note, queue } = this.#parts;
    const known = cluster.pod(pod.key);
    const sameNode = cluster.nodeOf(pod.key) === pod.nodeName;
    binding.forget(pod.key);
    devices.forget(pod.uid);
    queue.remove(pod.key);
    explanations.forget(pod.key);
    this.unkeep(pod.key, pod.nodeName);
    if (known !== undefined && sameNode && known.shape === pod.shape && known.deleting === pod.deleting)
      return cluster.renewPod(pod);
    cluster.placePod(pod, pod.nodeName);
    if (known === undefined || !sameNode) note(hints.podCame);
    if (old !== undefined && old.nodeName !== "") note(hints.podGone | hints.labels);
  }

  #podPending(pod: PodView, old: PodView | undefined): void {
    const { binding, cluster, isOurs, pump, queue } = this.#parts;
    if (binding.isAssumed(pod) && !pod.deleting) return;
    if (binding.forget(pod.key)) cluster.removePod(pod.key);
    if (pod.gated && !pod.deleting) this.#gated.add(pod.key);
    else this.#gated.delete(pod.key);
    if (pod.gated || pod.deleting || !isOurs(pod)) {
      queue.remove(pod.key);
      return;
    }
    // A pod that asks for something else now is a new question.
    if (old !== undefined && isAnotherQuestion(old, pod)) queue.remove(pod.key);
    if (pod.nominatedNode !== "") cluster.nominate(pod, pod.nominatedNode);
    else if (old !== undefined && old.nominatedNode !== "") this.unkeep(pod.key);
    queue.add(pod.key, pod.priority);
    pump();
  }

  /** The room that was kept for the pod is for others, unless it stands there now. */
  unkeep(key: string, node = ""): void {
    const kept = this.#parts.cluster.forgetNomination(key);
    if (kept !== undefined && kept !== node) this.#parts.note(hints.podGone);
  }
}
