import { persistentvolumeclaims, persistentvolumes } from "#api/generated/resources.ts";
import type { Cause, Client } from "#client/client.ts";
import type { Timer, Timers } from "#world/clock.ts";
import { limits } from "./limits.ts";
import type { NodeView } from "./node-view.ts";
import type { PodView } from "./pod-view.ts";
import { selectedNodeAnnotation } from "./volume-views.ts";
import type { Preparation, Volumes } from "./volumes.ts";

interface Waiting {
  readonly pod: PodView;
  readonly node: string;
  readonly timer: Timer;
  readonly resolve: (problem: string | undefined) => void;
}

/** Gives the waiting claims of a pod their volumes on its node, and waits until they are bound. Bounded by the pods assumed. */
export class ClaimBinding {
  readonly #client: Client;
  readonly #timers: Timers;
  readonly #volumes: Volumes;
  readonly #waiting = new Map<string, Waiting>();

  constructor(client: Client, timers: Timers, volumes: Volumes) {
    this.#client = client;
    this.#timers = timers;
    this.#volumes = volumes;
  }

  /** Resolves with undefined once all claims are bound, with what went wrong otherwise. Never rejects. */
  async ready(pod: PodView, node: NodeView, cause: Cause): Promise<string | undefined> {
    try {
      for (const step of this.#volumes.preparations(pod, node)) await this.#write(step, node, cause);
    } catch (error) {
      return `binding volumes: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (this.#volumes.areBound(pod)) return undefined;
    return new Promise((resolve) => {
      const timer = this.#timers.after(limits.claimBindingMs, () =>
        this.#settle(pod.key, "binding volumes: timed out"),
      );
      this.#waiting.set(pod.key, { pod, node: node.name, timer, resolve });
    });
  }

  /** Claims or volumes changed: some pods may go on. */
  changed(): void {
    for (const [key, { pod, node }] of this.#waiting) {
      if (this.#volumes.areBound(pod)) this.#settle(key, undefined);
      else if (this.#volumes.isRefused(pod, node))
        this.#settle(key, "binding volumes: provisioning failed for the selected node");
    }
  }

  /** The pod is gone, or the loop ends. */
  forget(key: string): void {
    this.#settle(key, "the pod does not wait any more");
  }

  stop(): void {
    for (const key of this.#waiting.keys()) this.forget(key);
  }

  #settle(key: string, problem: string | undefined): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    this.#waiting.delete(key);
    waiting.timer.cancel();
    waiting.resolve(problem);
  }

  async #write(step: Preparation, node: NodeView, cause: Cause): Promise<void> {
    const { namespace, name, uid, resourceVersion } = step.claim;
    if (step.kind === "ask") {
      const patch = { metadata: { uid, resourceVersion, annotations: { [selectedNodeAnnotation]: node.name } } };
      await this.#client.patch(persistentvolumeclaims, { namespace, name }, patch, { type: "merge", cause });
      return;
    }
    const { volume } = step;
    const claimRef = { kind: "PersistentVolumeClaim", apiVersion: "v1", namespace, name, uid, resourceVersion };
    const annotations = { "pv.kubernetes.io/bound-by-controller": "yes" };
    const metadata = { uid: volume.uid, resourceVersion: volume.resourceVersion, annotations };
    await this.#client.patch(
      persistentvolumes,
      { name: volume.name },
      { metadata, spec: { claimRef } },
      { type: "merge", cause },
    );
  }
}
