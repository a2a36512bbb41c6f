import type { Container, EphemeralContainer, Pod } from "#api/generated/core-v1.ts";
import type { ResourceClaim } from "#api/generated/resource-v1.ts";
import { resourceclaims } from "#api/generated/resources.ts";
import { isPodTerminal } from "#api/pod-readiness.ts";
import { parseYaml } from "#codec/yaml.ts";
import type { RuntimeMount } from "#world/container-runtime.ts";
import type { DeviceEdits, NodePlugins, PodResources, PreparedDevice, ReportedDevices } from "#world/node-plugins.ts";
import type { NodeContext } from "../context.ts";
import { cdiSpecsMax, pluginRetryMs } from "../limits.ts";
import {
  emptyCheckpoint,
  parseCheckpoint,
  renderCheckpoint,
  type DeviceCheckpoint,
  type HeldClaim,
} from "./checkpoint.ts";
import { resolveCdi, type CdiSpec } from "./cdi.ts";
import { ClaimDrivers } from "./claim-drivers.ts";
import { devicesOfContainer } from "./claim-use.ts";
import { nextDemand, type DeviceDemand } from "./demand.ts";
import { DevicePlugins } from "./device-plugins.ts";
import { reportedDevice, reportedPod, type DeviceFacts } from "./pod-resources.ts";

/** The pod can never run here: it has to fail. */
export class PodRefusedError extends Error {
  override readonly name = "PodRefusedError";
  readonly reason = "UnexpectedAdmissionError";
}

/** What a container gets with its devices. */
export interface GivenDevices {
  readonly environment: ReadonlyMap<string, string>;
  readonly mounts: readonly RuntimeMount[];
  readonly devices: DeviceEdits["devices"];
  readonly annotations: Readonly<Record<string, string>>;
  /** For runtimes that read the Container Device Interface; for others it is in the rest already. */
  readonly cdiDevices: DeviceEdits["cdiDevices"];
}

/** Where specifications of the Container Device Interface lie; the second is for those made at run time, and wins. */
const cdiFolders = ["/var/run/cdi", "/etc/cdi"];

/**
 * Gives the node's devices to pods: those of device plugins by count, those of resource claims as the scheduler chose them. What is
 * given is written down before a container starts, and holds over restarts of the agent.
 */
export class NodeDevices {
  readonly #context: NodeContext;
  readonly #plugins: DevicePlugins;
  readonly #drivers: ClaimDrivers;
  readonly #wire: NodePlugins;
  readonly #reportFolder: string;
  readonly #pods: () => readonly Pod[];
  #reports: { close(): Promise<void> } | undefined;
  #state: DeviceCheckpoint = emptyCheckpoint;
  /** Claims that drivers prepared since this process began, by uid. */
  readonly #prepared = new Set<string>();
  /** One after another: two pods never get the same device. */
  #queue: Promise<unknown> = Promise.resolve();
  #readsCdi: boolean | undefined;
  #isStopped = false;

  /**
   * `folder` is what pods and plugins know as /var/lib/kubelet; `pods` answers the node's; `changed` is called when the node's
   * amounts changed.
   */
  constructor(
    context: NodeContext,
    wire: NodePlugins,
    folder: string,
    pods: () => readonly Pod[],
    changed: () => void,
  ) {
    this.#context = context;
    this.#wire = wire;
    this.#reportFolder = `${folder}/pod-resources`;
    this.#pods = pods;
    const heard = (): void => {
      void this.#remember();
      changed();
    };
    this.#plugins = new DevicePlugins(context, wire, `${folder}/device-plugins`, heard);
    this.#drivers = new ClaimDrivers(context, wire, folder);
  }

  async start(): Promise<void> {
    const { disk } = this.#context;
    if ((await disk.stat(this.#path())) !== undefined) this.#state = parseCheckpoint(await disk.readText(this.#path()));
    await this.#plugins.start();
    await this.#drivers.start();
    await disk.makeDirectory(this.#reportFolder, 0o755);
    this.#reports = await this.#wire.servePodResources(`${this.#reportFolder}/kubelet.sock`, this.#podResources());
  }

  stop(): void {
    this.#isStopped = true;
    this.#plugins.stop();
    this.#drivers.stop();
    // Nobody waits for the end of a process' sockets.
    void this.#reports?.close();
  }

  /** Pods that have ended hold nothing, and are not told of. */
  #podResources(): PodResources {
    const facts = (): DeviceFacts => ({
      ...this.#state,
      topology: (resource, id) => this.#plugins.topology(resource, id),
    });
    return {
      pods: () => {
        const known = facts();
        return this.#pods()
          .filter((pod) => !isPodTerminal(pod))
          .map((pod) => reportedPod(pod, known));
      },
      pod: (namespace, name) => {
        const isIt = ({ metadata }: Pod): boolean => metadata.namespace === namespace && metadata.name === name;
        const pod = this.#pods().find(isIt);
        return pod === undefined ? undefined : reportedPod(pod, facts());
      },
      allocatable: () => this.#allocatable(facts()),
    };
  }

  #allocatable({ topology }: DeviceFacts): ReportedDevices[] {
    return [...this.#plugins.resources()].flatMap((resource) =>
      this.#plugins.healthy(resource).map((id) => reportedDevice(resource, id, topology)),
    );
  }

  /** What the node has of each resource that plugins serve, or served: nothing, until they are back. */
  resources(): Readonly<Record<string, { readonly capacity: number; readonly allocatable: number }>> {
    const names = [...new Set([...this.#state.resources, ...this.#plugins.resources()])].sort();
    return Object.fromEntries(names.map((name) => [name, this.#plugins.amounts(name)]));
  }

  /**
   * Gives a pod all its devices; those that it has stay. Rejects with `PodRefusedError` when it can never have them here, otherwise
   * with what hinders it now.
   */
  prepare(pod: Pod): Promise<void> {
    return this.#inTurn(async () => {
      for (let demand = this.#demandOf(pod); demand !== undefined; demand = this.#demandOf(pod))
        await this.#give(pod, demand);
      for (const claim of await this.#claimsOf(pod)) await this.#prepareClaim(pod, claim);
    });
  }

  /** What a container gets; tells the plugins that want to hear of it that it starts now. */
  async given(pod: Pod, container: Container | EphemeralContainer): Promise<GivenDevices> {
    const uid = pod.metadata.uid ?? "";
    const held = this.#state.held.filter((one) => one.podUid === uid && one.container === container.name);
    for (const { resource, ids } of held) {
      const serving = this.#plugins.serving(resource);
      if (serving?.options.preStartRequired === true) await serving.plugin.preStart(ids);
    }
    const names = [
      ...held.flatMap(({ edits }) => edits.cdiDevices.map(({ name }) => name)),
      ...devicesOfContainer(pod, container, this.#state.claims).flatMap(({ device }) => device.cdiDeviceIds),
    ];
    const readsCdi = names.length === 0 || (await this.#runtimeReadsCdi());
    const resolved = readsCdi ? [] : [resolveCdi(names, await this.#cdiSpecs())];
    const edits = [...held.map((one) => one.edits), ...resolved];
    return {
      environment: new Map(edits.flatMap(({ envs }) => Object.entries(envs))),
      mounts: edits.flatMap(({ mounts }) => mounts.map((mount) => ({ ...mount, propagation: "Private" as const }))),
      devices: edits.flatMap(({ devices }) => devices),
      annotations: Object.fromEntries(edits.flatMap(({ annotations }) => Object.entries(annotations))),
      cdiDevices: readsCdi ? names.map((name) => ({ name })) : [],
    };
  }

  /** The pod's containers have ended for good: its devices are free. Tries again until drivers have let go. */
  ended(podUid: string): void {
    if (!this.#holds(podUid) || this.#isStopped) return;
    this.release(podUid).catch((error: unknown) => {
      this.#context.onProblem("cannot free a pod's devices yet", error);
      this.#context.timers.after(pluginRetryMs, () => this.ended(podUid));
    });
  }

  /** Frees what a pod holds. Rejects when a driver does not let go. */
  release(podUid: string): Promise<void> {
    if (!this.#holds(podUid)) return Promise.resolve();
    return this.#inTurn(async () => {
      for (const claim of this.#state.claims.filter(({ podUids }) => podUids.includes(podUid)))
        await this.#leaveClaim(claim, podUid);
      await this.#write({ ...this.#state, held: this.#state.held.filter((one) => one.podUid !== podUid) });
    });
  }

  #holds(podUid: string): boolean {
    const { held, claims } = this.#state;
    return held.some((one) => one.podUid === podUid) || claims.some(({ podUids }) => podUids.includes(podUid));
  }

  #demandOf(pod: Pod): DeviceDemand | undefined {
    const isServed = (name: string): boolean => this.#plugins.has(name) || this.#state.resources.includes(name);
    return nextDemand(pod, isServed, this.#state.held);
  }

  async #give(pod: Pod, { container, resource, count, reusable }: DeviceDemand): Promise<void> {
    const serving = this.#plugins.serving(resource);
    if (serving === undefined) throw new Error(`the device plugin of ${resource} is not there`);
    const kept = reusable.slice(0, count);
    const taken = new Set(this.#state.held.filter((one) => one.resource === resource).flatMap(({ ids }) => ids));
    const free = this.#plugins.healthy(resource).filter((id) => !taken.has(id));
    const missing = count - kept.length;
    if (free.length < missing) {
      const amounts = `Requested: ${missing}, Available: ${free.length}`;
      throw refusal(`requested number of devices unavailable for ${resource}. ${amounts}`);
    }
    const wanted =
      missing > 0 && serving.options.preferredAllocationAvailable
        ? await serving.plugin.preferred([...kept, ...free], kept, count).catch((error: unknown) => {
            throw refusal(textOf(error));
          })
        : [];
    // What the plugin wishes is a wish: only what is free counts, and the rest is filled up.
    const wished = wanted.filter((id) => free.includes(id));
    const ids = [...new Set([...kept, ...wished, ...free])].slice(0, count);
    const edits = await serving.plugin.allocate(ids).catch((error: unknown) => {
      throw refusal(textOf(error));
    });
    const held = [...this.#state.held, { podUid: pod.metadata.uid ?? "", container, resource, ids, edits }];
    await this.#write({ ...this.#state, held });
  }

  /** The claims that a pod names, by their names in the pod. Rejects when one is not there for it. */
  async #claimsOf(pod: Pod): Promise<ResourceClaim[]> {
    const { namespace } = pod.metadata;
    const claims: ResourceClaim[] = [];
    for (const { name, resourceClaimName } of pod.spec.resourceClaims ?? []) {
      const made = pod.status.resourceClaimStatuses?.find((one) => one.name === name);
      const claimName = resourceClaimName ?? made?.resourceClaimName;
      // A template may make none: the status says so by naming none.
      if (claimName === undefined && made !== undefined) continue;
      if (claimName === undefined) throw new Error(`the claim of "${name}" has not been made yet`);
      const claim = await this.#context.client.get(resourceclaims, { namespace, name: claimName });
      const isOurs = claim.status?.reservedFor?.some(({ uid }) => uid === pod.metadata.uid) === true;
      if (claim.status?.allocation === undefined || !isOurs)
        throw new Error(`pod ${pod.metadata.name} is not allowed to use resource claim ${claimName}`);
      claims.push(claim);
    }
    return claims;
  }

  async #prepareClaim(pod: Pod, claim: ResourceClaim): Promise<void> {
    const { uid = "", namespace = "", name = "" } = claim.metadata;
    const podUid = pod.metadata.uid ?? "";
    const known = this.#state.claims.find((one) => one.uid === uid);
    const results = claim.status?.allocation?.devices.results ?? [];
    const drivers = [...new Set(results.map(({ driver }) => driver))];
    const base: HeldClaim = known ?? { uid, namespace, name, podUids: [], drivers: {} };
    const users = { ...base, podUids: [...new Set([...base.podUids, podUid])] };
    // Written down before any driver is asked: whoever may have prepared something is asked to undo it.
    await this.#keepClaim({
      ...users,
      drivers: { ...Object.fromEntries(drivers.map((one) => [one, []])), ...users.drivers },
    });
    if (this.#prepared.has(uid)) return;
    const prepared: Record<string, readonly PreparedDevice[]> = {};
    for (const driver of drivers) {
      const found = this.#drivers.named(driver);
      if (found === undefined) throw new Error(`claim ${name}: DRA driver ${driver} is not registered on this node`);
      const answer = (await found.prepare([{ uid, namespace, name }])).get(uid);
      if (answer === undefined) throw new Error(`claim ${name}: DRA driver ${driver} did not answer for it`);
      if (typeof answer === "string") throw new Error(`claim ${name}: DRA driver ${driver}: ${answer}`);
      prepared[driver] = answer;
    }
    await this.#keepClaim({ ...users, drivers: prepared });
    this.#prepared.add(uid);
  }

  /** The last pod of a claim lets its drivers undo what they prepared. */
  async #leaveClaim(claim: HeldClaim, podUid: string): Promise<void> {
    const podUids = claim.podUids.filter((uid) => uid !== podUid);
    if (podUids.length > 0) return this.#keepClaim({ ...claim, podUids });
    this.#prepared.delete(claim.uid);
    for (const name of Object.keys(claim.drivers)) {
      const driver = this.#drivers.named(name);
      if (driver === undefined)
        throw new Error(`claim ${claim.name}: DRA driver ${name} is not registered on this node`);
      const failed = (await driver.unprepare([claim])).get(claim.uid);
      if (failed !== undefined) throw new Error(`claim ${claim.name}: DRA driver ${name}: ${failed}`);
    }
    await this.#write({ ...this.#state, claims: this.#state.claims.filter(({ uid }) => uid !== claim.uid) });
  }

  #keepClaim(claim: HeldClaim): Promise<void> {
    const others = this.#state.claims.filter(({ uid }) => uid !== claim.uid);
    return this.#write({ ...this.#state, claims: [...others, claim] });
  }

  /** containerd reads the specifications itself from 2.0 on; before, it would ignore them without a word. */
  async #runtimeReadsCdi(): Promise<boolean> {
    if (this.#readsCdi === undefined) {
      const { runtimeName, runtimeVersion } = await this.#context.runtime.version();
      this.#readsCdi = runtimeName !== "containerd" || Number(runtimeVersion.replace(/^v/, "").split(".")[0]) >= 2;
    }
    return this.#readsCdi;
  }

  async #cdiSpecs(): Promise<CdiSpec[]> {
    const { disk, onProblem } = this.#context;
    const specs: CdiSpec[] = [];
    for (const folder of cdiFolders) {
      if ((await disk.stat(folder)) === undefined) continue;
      for (const file of (await disk.list(folder)).sort()) {
        if (!/\.(json|yaml)$/.test(file) || specs.length >= cdiSpecsMax) continue;
        const parsed = parseYaml(await disk.readText(`${folder}/${file}`));
        if (parsed.ok) specs.push(...(parsed.documents as CdiSpec[]));
        else onProblem(`cannot read ${folder}/${file}`, new Error(JSON.stringify(parsed)));
      }
    }
    return specs;
  }

  /** The node goes on naming a resource whose plugin was here once. */
  #remember(): Promise<void> {
    return this.#inTurn(async () => {
      const resources = [...new Set([...this.#state.resources, ...this.#plugins.resources()])].sort();
      if (resources.length > this.#state.resources.length) await this.#write({ ...this.#state, resources });
    }).catch((error: unknown) => this.#context.onProblem("cannot write down the node's resources", error));
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(act);
    // Its failure is its caller's; the next one begins all the same.
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async #write(state: DeviceCheckpoint): Promise<void> {
    await this.#context.disk.writeAtomically(this.#path(), renderCheckpoint(state), 0o600);
    this.#state = state;
  }

  #path(): string {
    return `${this.#context.settings.dataDir}/devices.json`;
  }
}

function refusal(text: string): PodRefusedError {
  return new PodRefusedError(`Allocate failed due to ${text}, which is unexpected`);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
