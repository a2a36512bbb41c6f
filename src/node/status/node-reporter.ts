import type { Lease } from "#api/generated/coordination-v1.ts";
import type { Node, NodeStatus } from "#api/generated/core-v1.ts";
import { leases, nodes } from "#api/generated/resources.ts";
import { ApiStatusError } from "#client/status-error.ts";
import type { Timer } from "#world/clock.ts";
import type { NodeContext } from "../context.ts";
import { leaseRenewMs, leaseSeconds, statusReportMs, statusRetryMs, unreadyCheckMs } from "../limits.ts";
import { nodeStatusOf, type NodeObservation } from "./node-status.ts";

const leaseNamespace = "kube-node-lease";
/** Where volumes that are made of folders lie on this node; whoever makes such volumes reads it. */
const volumesFolderAnnotation = "steersman.dev/volumes-folder";

/** Registers the node, renews its lease, and reports its status when it changed, here or in the API, or every five minutes. */
export class NodeReporter {
  readonly #context: NodeContext;
  readonly #devices: () => NodeObservation["devices"];
  #node: Node | undefined;
  #lease: Lease | undefined;
  #reported = "";
  #reportedAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #renewedAt = Number.NEGATIVE_INFINITY;
  #busy = false;
  #again = false;
  #stopped = false;

  /** `devices` says what plugins have here. */
  constructor(context: NodeContext, devices: () => NodeObservation["devices"]) {
    this.#context = context;
    this.#devices = devices;
  }

  /** Resolves after the first report; goes on by itself. */
  async start(): Promise<void> {
    await this.#round();
  }

  /** Something about the node may have changed: look now. */
  look(): void {
    if (this.#busy) this.#again = true;
    else void this.#round();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #round(): Promise<void> {
    this.#timer?.cancel();
    this.#busy = true;
    let nextMs = leaseRenewMs;
    try {
      do {
        this.#again = false;
        const ready = await this.#report();
        await this.#renew();
        nextMs = ready ? leaseRenewMs : unreadyCheckMs;
      } while (this.#again && !this.#stopped);
    } catch (error) {
      // Another process took or removed the objects, or no answer came: begin anew, soon.
      this.#node = undefined;
      this.#lease = undefined;
      this.#reported = "";
      this.#context.onProblem("cannot report the node's status", error);
      nextMs = statusRetryMs;
    }
    this.#busy = false;
    if (!this.#stopped) this.#timer = this.#context.timers.after(nextMs, () => void this.#round());
  }

  /** Answers whether the node is ready. */
  async #report(): Promise<boolean> {
    const { client, clock, nodeName } = this.#context;
    // Looked at each time: controllers that heard nothing of the node say so there, and only the node takes that back.
    this.#node = this.#node === undefined ? await this.#register() : await client.get(nodes, { name: nodeName });
    const now = clock.now();
    const status = nodeStatusOf(await this.#observe(), this.#node.status.conditions ?? [], now);
    const text = JSON.stringify({
      ...status,
      conditions: (status.conditions ?? []).map((condition) => ({ ...condition, lastHeartbeatTime: "" })),
    });
    const ready = status.conditions?.find(({ type }) => type === "Ready");
    if (text !== this.#reported || clock.monotonic() - this.#reportedAt >= statusReportMs) {
      this.#node = await client.patch(
        nodes,
        { name: nodeName },
        { status: statusPatch(this.#node.status, status) },
        {
          type: "strategic",
          subresource: "status",
          cause: {
            actor: `node/${nodeName}`,
            rule: `the node is ${ready?.status === "True" ? "ready" : "not ready"}: ${ready?.message ?? ""}`,
          },
        },
      );
      this.#reported = text;
      this.#reportedAt = clock.monotonic();
    }
    return ready?.status === "True";
  }

  async #observe(): Promise<NodeObservation> {
    const { runtime, machine, facts, settings, nodeName } = this.#context;
    const [memoryAvailableBytes, disk] = await Promise.all([
      machine.memoryAvailableBytes(),
      machine.fileSystem(settings.dataDir),
    ]);
    const base = {
      name: nodeName,
      facts,
      addresses: settings.addresses(),
      version: settings.version,
      apiPort: settings.apiPort(),
      podsMax: settings.podsMax,
      reserved: settings.reserved,
      memoryAvailableBytes,
      disk,
      devices: this.#devices(),
    };
    try {
      const [version, status, images] = await Promise.all([runtime.version(), runtime.status(), runtime.listImages()]);
      return { ...base, runtime: { version, status }, images };
    } catch (error) {
      return { ...base, runtime: { failure: error instanceof Error ? error.message : String(error) }, images: [] };
    }
  }

  async #register(): Promise<Node> {
    const { client, nodeName, facts, settings } = this.#context;
    const known = await client.find(nodes, { name: nodeName });
    const annotations = { [volumesFolderAnnotation]: `${settings.dataDir}/volumes` };
    if (known?.metadata.annotations?.[volumesFolderAnnotation] === annotations[volumesFolderAnnotation]) return known;
    if (known !== undefined)
      return client.patch(nodes, { name: nodeName }, { metadata: { annotations } }, { type: "merge" });
    const labels = {
      "beta.kubernetes.io/arch": facts.architecture,
      "beta.kubernetes.io/os": "linux",
      "kubernetes.io/arch": facts.architecture,
      "kubernetes.io/hostname": nodeName,
      "kubernetes.io/os": "linux",
      ...settings.labels,
    };
    const cause = { actor: `node/${nodeName}`, rule: "the node's agent started and the node does not exist" };
    try {
      return await client.create(
        nodes,
        { name: nodeName },
        { apiVersion: "v1", kind: "Node", metadata: { name: nodeName, labels, annotations } },
        { cause },
      );
    } catch (error) {
      if (error instanceof ApiStatusError && error.reason === "AlreadyExists")
        return client.get(nodes, { name: nodeName });
      throw error;
    }
  }

  async #renew(): Promise<void> {
    const { client, clock, nodeName } = this.#context;
    // A status that is looked at often while the node gets ready does not make the lease busy.
    if (clock.monotonic() - this.#renewedAt < leaseRenewMs * 0.9) return;
    const at = { namespace: leaseNamespace, name: nodeName };
    const renewTime = `${new Date(clock.now()).toISOString().slice(0, -1)}000Z`;
    this.#lease ??= await client.find(leases, at);
    if (this.#lease === undefined) {
      const owner = { apiVersion: "v1", kind: "Node", name: nodeName, uid: this.#node?.metadata.uid ?? "" };
      this.#lease = await client.create(leases, at, {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { name: nodeName, namespace: leaseNamespace, ownerReferences: [owner] },
        spec: { holderIdentity: nodeName, leaseDurationSeconds: leaseSeconds, renewTime },
      });
    } else {
      const spec = { ...this.#lease.spec, holderIdentity: nodeName, leaseDurationSeconds: leaseSeconds, renewTime };
      this.#lease = await client.update(leases, at, { ...this.#lease, spec });
    }
    this.#renewedAt = clock.monotonic();
  }
}

/** Addresses merge by type: when one changed, the list is replaced whole. */
function statusPatch(before: NodeStatus, after: NodeStatus): object {
  const same = JSON.stringify(before.addresses ?? []) === JSON.stringify(after.addresses ?? []);
  return same ? after : { ...after, addresses: [{ $patch: "replace" }, ...(after.addresses ?? [])] };
}
