import { ContainerRuntimeError, type ContainerRuntime, type SandboxStatus } from "#world/container-runtime.ts";
import { containerNameLabel, podUidLabel } from "../pods/labels.ts";
import type { ObservedContainer, ObservedPod } from "../pods/observed.ts";

/** Reads pods from the runtime, by the labels that we gave them. What has ended is read once. */
export class RuntimeObserver {
  readonly #runtime: ContainerRuntime;
  readonly #ended = new Map<string, ObservedContainer>();
  /** Container or sandbox id to pod uid. */
  readonly #owners = new Map<string, string>();

  constructor(runtime: ContainerRuntime) {
    this.#runtime = runtime;
  }

  ownerOf(id: string): string | undefined {
    return this.#owners.get(id);
  }

  /** Remembers whose an id is before the first look, so that its first events find their pod. */
  claim(id: string, podUid: string): void {
    this.#owners.set(id, podUid);
  }

  async observe(podUid: string): Promise<ObservedPod> {
    const labels = { [podUidLabel]: podUid };
    const [sandboxes, containers] = await Promise.all([
      this.#runtime.listSandboxes(labels),
      this.#runtime.listContainers(labels),
    ]);
    const [sandboxStatuses, statuses] = await Promise.all([
      Promise.all(sandboxes.map(({ id }) => ifPresent(this.#runtime.sandboxStatus(id)))),
      Promise.all(containers.map((container) => this.#container(container.id, container.podSandboxId))),
    ]);
    const observed: ObservedPod = {
      sandboxes: sandboxStatuses.filter((status) => status !== undefined).toSorted(newestSandboxFirst),
      containers: statuses.filter((status) => status !== undefined).toSorted(newestFirst),
    };
    for (const { id } of [...observed.sandboxes, ...observed.containers]) this.#owners.set(id, podUid);
    return observed;
  }

  /** Every pod the runtime has something of. */
  async podUids(): Promise<ReadonlyMap<string, { readonly namespace: string; readonly name: string }>> {
    const found = new Map<string, { namespace: string; name: string }>();
    const [sandboxes, containers] = await Promise.all([this.#runtime.listSandboxes(), this.#runtime.listContainers()]);
    for (const { labels } of [...sandboxes, ...containers]) {
      const uid = labels[podUidLabel];
      if (uid === undefined) continue;
      found.set(uid, {
        namespace: labels["io.kubernetes.pod.namespace"] ?? "",
        name: labels["io.kubernetes.pod.name"] ?? "",
      });
    }
    return found;
  }

  /** What the runtime has of every pod now, as `outlineOf` an observed one: two calls, however many pods there are. */
  async outlines(): Promise<ReadonlyMap<string, string>> {
    const [sandboxes, containers] = await Promise.all([this.#runtime.listSandboxes(), this.#runtime.listContainers()]);
    const parts = [...sandboxes, ...containers.filter(({ labels }) => labels[containerNameLabel] !== undefined)];
    const byPod = Map.groupBy(parts, ({ labels }) => labels[podUidLabel] ?? "");
    return new Map([...byPod].map(([uid, own]) => [uid, outline(own)]));
  }

  forget(podUid: string): void {
    for (const [id, owner] of this.#owners) {
      if (owner !== podUid) continue;
      this.#owners.delete(id);
      this.#ended.delete(id);
    }
  }

  async #container(id: string, sandboxId: string): Promise<ObservedContainer | undefined> {
    const known = this.#ended.get(id);
    if (known !== undefined) return known;
    const status = await ifPresent(this.#runtime.containerStatus(id));
    if (status === undefined || status.labels[containerNameLabel] === undefined) return undefined;
    const observed = { ...status, sandboxId };
    // The kernel's word about memory may come just after the end: only a settled reason is final.
    if (status.state === "Exited" && (status.exitCode === 0 || status.reason === "OOMKilled"))
      this.#ended.set(id, observed);
    return observed;
  }
}

/** Which sandboxes and containers a pod has, and which of them run: what an event would have told. */
export function outlineOf({ sandboxes, containers }: ObservedPod): string {
  return outline([...sandboxes, ...containers]);
}

function outline(parts: readonly { readonly id: string; readonly state: string }[]): string {
  return parts
    .map(({ id, state }) => `${id} ${state}`)
    .toSorted()
    .join("\n");
}

function newestSandboxFirst(a: SandboxStatus, b: SandboxStatus): number {
  return b.metadata.attempt - a.metadata.attempt || b.createdAt - a.createdAt;
}

function newestFirst(a: ObservedContainer, b: ObservedContainer): number {
  return b.metadata.attempt - a.metadata.attempt || b.createdAt - a.createdAt;
}

async function ifPresent<T>(status: Promise<T>): Promise<T | undefined> {
  try {
    return await status;
  } catch (error) {
    if (error instanceof ContainerRuntimeError && error.code === "NotFound") return undefined;
    throw error;
  }
}
