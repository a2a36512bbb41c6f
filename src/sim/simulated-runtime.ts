import type { SeededRandom } from "#base/seeded-random.ts";
import { podUidLabel } from "#node/pods/labels.ts";
import type { Clock, Timers } from "#world/clock.ts";
import {
  ContainerRuntimeError,
  type ContainerConfig,
  type ContainerRuntime,
  type Labels,
  type RuntimeContainerState,
  type RuntimeContainerStatus,
  type RuntimeEventHandler,
  type SandboxConfig,
  type SandboxStatus,
} from "#world/container-runtime.ts";

/** How long the simulated machine takes, in milliseconds. */
export interface RuntimeLatency {
  readonly sandboxMs: number;
  readonly createMs: number;
  readonly startMs: number;
  readonly pullMs: number;
}

export const quickRuntime: RuntimeLatency = { sandboxMs: 40, createMs: 8, startMs: 12, pullMs: 50 };

/** What a simulated program does: run until it is stopped (`forever`), or end by itself. */
export interface ProgramBehaviour {
  readonly runsForMs: number | "forever";
  /** However it ends, but for being killed. */
  readonly exitCode: number;
}

/** Decides what a container's program does, by what was asked of it and the annotations of its pod. */
export type BehaviourOf = (container: ContainerConfig, podAnnotations: Labels) => ProgramBehaviour;

/** What an agent made of a container: told to whoever checks that it should have. */
export interface RuntimeAct {
  /** `stopped`: it ran, and was ended by the agent. */
  readonly what: "started" | "stopped" | "ended";
  readonly podUid: string;
  readonly pod: string;
  readonly container: string;
}

interface Sandbox {
  readonly id: string;
  readonly labels: Labels;
  readonly status: SandboxStatus;
  state: "Ready" | "NotReady";
}

interface Container {
  readonly id: string;
  readonly labels: Labels;
  readonly sandboxId: string;
  readonly config: ContainerConfig;
  readonly createdAt: number;
  state: RuntimeContainerState;
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  /** What its program will end with by itself, also when it is asked to. */
  ownExitCode: number;
  reason: string;
}

/**
 * A node's containers without containers: state, latencies and events of a container runtime in the given time. It outlives
 * the agent, as containerd does: a new agent finds what the earlier one started.
 */
export class SimulatedRuntime implements ContainerRuntime {
  readonly #sandboxes = new PartsOfPods<Sandbox>();
  readonly #containers = new PartsOfPods<Container>();
  readonly #images = new Set<string>();
  readonly #handlers = new Set<RuntimeEventHandler>();
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #random: SeededRandom;
  readonly #latency: RuntimeLatency;
  readonly #addressOf: (index: number) => string;
  readonly #behaviour: BehaviourOf;
  readonly #onAct: (act: RuntimeAct) => void;
  #addresses = 0;
  #boots = 0;

  constructor(options: {
    readonly clock: Clock;
    readonly timers: Timers;
    readonly random: SeededRandom;
    readonly latency: RuntimeLatency;
    /** The address of the node's nth pod. */
    readonly addressOf: (index: number) => string;
    readonly behaviour?: BehaviourOf;
    readonly onAct?: (act: RuntimeAct) => void;
  }) {
    this.#clock = options.clock;
    this.#timers = options.timers;
    this.#random = options.random;
    this.#latency = options.latency;
    this.#addressOf = options.addressOf;
    this.#behaviour = options.behaviour ?? (() => ({ runsForMs: "forever", exitCode: 0 }));
    this.#onAct = options.onAct ?? (() => undefined);
  }

  /** Containers that run now, for checkers. */
  runningContainers(): { readonly pod: string; readonly uid: string; readonly name: string }[] {
    return [...this.#containers.values()]
      .filter(({ state }) => state === "Running")
      .map(({ sandboxId, config }) => {
        const metadata = this.#sandboxes.get(sandboxId)?.status.metadata;
        return {
          pod: `${metadata?.namespace}/${metadata?.name}`,
          uid: metadata?.uid ?? "",
          name: config.metadata.name,
        };
      });
  }

  /** Ends every container at once, as a power loss does. The next agent finds a machine without running containers. */
  powerLoss(): void {
    this.#boots += 1;
    for (const sandbox of this.#sandboxes.values()) sandbox.state = "NotReady";
    for (const container of this.#containers.values()) this.#end(container, 137, "ended");
  }

  /** One container's program ends by itself; answers whose. */
  crashContainer(pick: SeededRandom): string | undefined {
    const running = [...this.#containers.values()].filter(({ state }) => state === "Running");
    if (running.length === 0) return undefined;
    const victim = pick.pick(running);
    this.#end(victim, 1, "ended");
    this.#tell(victim.id);
    const metadata = this.#sandboxes.get(victim.sandboxId)?.status.metadata;
    return `${metadata?.namespace}/${metadata?.name}`;
  }

  async version(): Promise<{ runtimeName: string; runtimeVersion: string }> {
    return { runtimeName: "simulated", runtimeVersion: "1.0.0" };
  }

  async status(): Promise<{ conditions: { type: string; status: boolean; reason: string; message: string }[] }> {
    return {
      conditions: ["RuntimeReady", "NetworkReady"].map((type) => ({ type, status: true, reason: "", message: "" })),
    };
  }

  async runSandbox(config: SandboxConfig): Promise<string> {
    await this.#take(this.#latency.sandboxMs);
    const id = this.#newId();
    const index = this.#addresses;
    this.#addresses += 1;
    const status: SandboxStatus = {
      id,
      metadata: config.metadata,
      state: "Ready",
      createdAt: this.#clock.now(),
      labels: config.labels,
      annotations: config.annotations,
      network: { ip: this.#addressOf(index), additionalIps: [] },
    };
    this.#sandboxes.add({ id, labels: config.labels, status, state: "Ready" });
    this.#tell(id);
    return id;
  }

  async stopSandbox(id: string): Promise<void> {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined) return;
    for (const container of this.#containersIn(sandbox)) this.#end(container, 137, "stopped");
    sandbox.state = "NotReady";
    this.#tell(id);
  }

  async removeSandbox(id: string): Promise<void> {
    await this.stopSandbox(id);
    const sandbox = this.#sandboxes.get(id);
    if (sandbox !== undefined)
      for (const container of this.#containersIn(sandbox)) this.#containers.delete(container.id);
    this.#sandboxes.delete(id);
    this.#tell(id);
  }

  async sandboxStatus(id: string): Promise<SandboxStatus> {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined) throw new ContainerRuntimeError("NotFound", `sandbox ${id} is not here`);
    return { ...sandbox.status, state: sandbox.state };
  }

  async listSandboxes(labels?: Labels): Promise<SandboxStatus[]> {
    return this.#sandboxes.matching(labels).map(({ status, state }) => ({ ...status, state }));
  }

  async createContainer(sandboxId: string, config: ContainerConfig): Promise<string> {
    await this.#take(this.#latency.createMs);
    if (this.#sandboxes.get(sandboxId)?.state !== "Ready") {
      throw new ContainerRuntimeError("NotFound", `sandbox ${sandboxId} is not running`);
    }
    const id = this.#newId();
    this.#containers.add({
      id,
      labels: config.labels,
      sandboxId,
      config,
      createdAt: this.#clock.now(),
      state: "Created",
      startedAt: 0,
      finishedAt: 0,
      exitCode: 0,
      ownExitCode: 0,
      reason: "",
    });
    this.#tell(id);
    return id;
  }

  async startContainer(id: string): Promise<void> {
    await this.#take(this.#latency.startMs);
    const container = this.#container(id);
    if (container.state !== "Created")
      throw new ContainerRuntimeError("FailedPrecondition", `container ${id} ran already`);
    container.state = "Running";
    container.startedAt = this.#clock.now();
    this.#act("started", container);
    this.#tell(id);
    const { runsForMs, exitCode } = this.#behaviour(
      container.config,
      this.#sandboxes.get(container.sandboxId)?.status.annotations ?? {},
    );
    container.ownExitCode = exitCode;
    if (runsForMs === "forever") return;
    this.#timers.after(runsForMs, () => {
      this.#end(container, exitCode, "ended");
      this.#tell(id);
    });
  }

  async stopContainer(id: string): Promise<void> {
    const container = this.#containers.get(id);
    if (container === undefined || container.state !== "Running") return;
    await this.#take(this.#latency.startMs);
    this.#end(container, container.ownExitCode, "stopped");
    this.#tell(id);
  }

  async removeContainer(id: string): Promise<void> {
    const container = this.#containers.get(id);
    if (container === undefined) return;
    this.#end(container, 137, "stopped");
    this.#containers.delete(id);
    this.#tell(id);
  }

  async containerStatus(id: string): Promise<RuntimeContainerStatus> {
    return describe(this.#container(id));
  }

  async listContainers(labels?: Labels): ReturnType<ContainerRuntime["listContainers"]> {
    const found = this.#containers.matching(labels);
    return found.map((container) => ({ ...describe(container), podSandboxId: container.sandboxId }));
  }

  async updateContainerResources(id: string): Promise<void> {
    this.#container(id);
  }

  async reopenContainerLog(id: string): Promise<void> {
    this.#container(id);
  }

  async execSync(id: string): ReturnType<ContainerRuntime["execSync"]> {
    this.#container(id);
    return { stdout: new Uint8Array(), stderr: new Uint8Array(), exitCode: 0 };
  }

  async execUrl(): Promise<string> {
    throw new ContainerRuntimeError("Unimplemented", "a simulated node has no programs to talk to");
  }

  attachUrl(): Promise<string> {
    return this.execUrl();
  }

  portForwardUrl(): Promise<string> {
    return this.execUrl();
  }

  async listContainerStats(): ReturnType<ContainerRuntime["listContainerStats"]> {
    return [];
  }

  async listImages(): ReturnType<ContainerRuntime["listImages"]> {
    return [...this.#images].map(image);
  }

  async imageStatus(name: string): ReturnType<ContainerRuntime["imageStatus"]> {
    return this.#images.has(name) ? image(name) : undefined;
  }

  async pullImage(name: string): Promise<string> {
    await this.#take(this.#latency.pullMs);
    this.#images.add(name);
    return name;
  }

  async removeImage(name: string): Promise<void> {
    this.#images.delete(name);
  }

  async importImages(): Promise<string[]> {
    return [];
  }

  async imageFileSystem(): ReturnType<ContainerRuntime["imageFileSystem"]> {
    return { mountPoint: "/", usedBytes: 0 };
  }

  subscribe(handler: RuntimeEventHandler): { close(): void } {
    this.#handlers.add(handler);
    this.#timers.soon(() => {
      if (this.#handlers.has(handler)) handler.gap();
    });
    return { close: () => void this.#handlers.delete(handler) };
  }

  #containersIn({ id, labels }: Sandbox): readonly Container[] {
    return this.#containers
      .matching({ [podUidLabel]: labels[podUidLabel] ?? "" })
      .filter(({ sandboxId }) => sandboxId === id);
  }

  #container(id: string): Container {
    const container = this.#containers.get(id);
    if (container === undefined) throw new ContainerRuntimeError("NotFound", `container ${id} is not here`);
    return container;
  }

  /** Work of the machine; a power loss in between ends it without an answer. */
  async #take(durationMs: number): Promise<void> {
    const boot = this.#boots;
    await this.#timers.sleep(durationMs);
    if (boot !== this.#boots) await new Promise<never>(() => undefined);
  }

  #act(what: RuntimeAct["what"], { sandboxId, config }: Container): void {
    const metadata = this.#sandboxes.get(sandboxId)?.status.metadata;
    const pod = `${metadata?.namespace}/${metadata?.name}`;
    this.#onAct({ what, podUid: metadata?.uid ?? "", pod, container: config.metadata.name });
  }

  #end(container: Container, exitCode: number, what: "ended" | "stopped"): void {
    if (container.state !== "Running") return;
    this.#act(what, container);
    container.state = "Exited";
    container.finishedAt = this.#clock.now();
    container.exitCode = exitCode;
    container.reason = exitCode === 0 ? "Completed" : "Error";
  }

  #tell(id: string): void {
    for (const handler of this.#handlers) {
      this.#timers.soon(() => {
        if (this.#handlers.has(handler)) handler.changed(id);
      });
    }
  }

  #newId(): string {
    return Array.from(this.#random.bytes(32), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
}

/** Sandboxes or containers, found by their id and by the pod that they are part of: no pod costs what the others have. */
class PartsOfPods<Part extends { readonly id: string; readonly labels: Labels }> {
  readonly #parts = new Map<string, Part>();
  readonly #byPod = new Map<string, Map<string, Part>>();

  get(id: string): Part | undefined {
    return this.#parts.get(id);
  }

  values(): Iterable<Part> {
    return this.#parts.values();
  }

  add(part: Part): void {
    this.#parts.set(part.id, part);
    const uid = part.labels[podUidLabel] ?? "";
    const own = this.#byPod.get(uid);
    if (own === undefined) this.#byPod.set(uid, new Map([[part.id, part]]));
    else own.set(part.id, part);
  }

  delete(id: string): void {
    const uid = this.#parts.get(id)?.labels[podUidLabel] ?? "";
    this.#parts.delete(id);
    const own = this.#byPod.get(uid);
    own?.delete(id);
    if (own?.size === 0) this.#byPod.delete(uid);
  }

  /** In the order in which they came. */
  matching(wanted: Labels | undefined): readonly Part[] {
    const uid = wanted?.[podUidLabel];
    const among = uid === undefined ? this.#parts : this.#byPod.get(uid);
    return [...(among?.values() ?? [])].filter(({ labels }) => matches(labels, wanted));
  }
}

function describe(container: Container): RuntimeContainerStatus {
  return {
    id: container.id,
    metadata: container.config.metadata,
    state: container.state,
    createdAt: container.createdAt,
    startedAt: container.startedAt,
    finishedAt: container.finishedAt,
    exitCode: container.exitCode,
    image: container.config.image,
    imageRef: container.config.image.image,
    reason: container.reason,
    message: "",
    labels: container.config.labels,
    annotations: container.config.annotations,
    logPath: container.config.logPath,
  };
}

function image(name: string): Awaited<ReturnType<ContainerRuntime["listImages"]>>[number] {
  return { id: name, repoTags: [name], repoDigests: [], size: 1_000_000, username: "", pinned: false };
}

function matches(labels: Labels, wanted: Labels | undefined): boolean {
  return wanted === undefined || Object.entries(wanted).every(([key, value]) => labels[key] === value);
}
