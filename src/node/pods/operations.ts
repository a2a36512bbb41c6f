import type { Container, EphemeralContainer, Pod, Secret } from "#api/generated/core-v1.ts";
import { pods, secrets } from "#api/generated/resources.ts";
import {
  ContainerRuntimeError,
  type ContainerConfig,
  type RegistryCredentials,
  type SandboxConfig,
} from "#world/container-runtime.ts";
import type { NodeContext } from "../context.ts";
import { credentialsFor } from "../images/credentials.ts";
import { ImagePullError, pullPolicyOf, type ImagePuller } from "../images/puller.ts";
import { goDuration } from "./back-off.ts";
import { containerConfigOf, ContainerConfigError } from "./container-config.ts";
import { parseResolvConf } from "./dns.ts";
import type { EnvironmentSources } from "./environment-sources.ts";
import { runHook } from "./hooks.ts";
import { containerHash, podLogDirectory } from "./labels.ts";
import type { PodAction } from "./plan-builder.ts";
import { containerResources, podCgroup, podLimits } from "./qos.ts";
import { sandboxConfigOf } from "./sandbox-config.ts";
import type { HookCaller } from "../probes/handlers.ts";
import type { RuntimeObserver } from "../runtime/observer.ts";
import type { PodVolumes } from "../volumes/pod-volumes.ts";
import { PodRefusedError, type GivenDevices, type NodeDevices } from "../devices/node-devices.ts";

export interface OperationParts {
  readonly context: NodeContext;
  readonly observer: RuntimeObserver;
  readonly images: ImagePuller;
  readonly volumes: PodVolumes;
  readonly environment: EnvironmentSources;
  readonly hooks: HookCaller;
  /** Absent: no plugins have a say on this node. */
  readonly devices: NodeDevices | undefined;
}

/** An operation failed in a way that the container's state shows. */
class OperationError extends Error {
  override readonly name = "OperationError";
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

export type StartAction = Extract<PodAction, { do: "start-container" }>;
export type KillAction = Extract<PodAction, { do: "kill-container" }>;

/** Carries out what a plan decided for one pod. Every method is safe to be repeated. */
export class PodOperations {
  readonly #parts: OperationParts;

  constructor(parts: OperationParts) {
    this.#parts = parts;
  }

  async createSandbox(pod: Pod, attempt: number): Promise<void> {
    const { context, observer } = this.#parts;
    const { settings, machine, disk } = context;
    await this.#prepareDevices(pod);
    const [config] = await Promise.all([
      this.#sandboxConfig(pod, attempt),
      disk.makeDirectory(`${settings.dataDir}/pods/${pod.metadata.uid ?? ""}`, 0o755),
      disk.makeDirectory(podLogDirectory(settings.logsDir, identityOf(pod)), 0o755),
      machine.setCgroup(podCgroup(settings.cgroupRoot, pod), podLimits(pod)),
    ]);
    // Those that ended by themselves still hold their network. The first attempt comes after none.
    if (attempt > 0)
      for (const old of (await observer.observe(pod.metadata.uid ?? "")).sandboxes)
        await context.runtime.stopSandbox(old.id);
    const id = await context.runtime.runSandbox(config).catch((error: unknown) => {
      throw new OperationError("FailedCreatePodSandBox", `Failed to create pod sandbox: ${textOf(error)}`);
    });
    observer.claim(id, pod.metadata.uid ?? "");
    await this.#admit(pod, id);
  }

  async #prepareDevices(pod: Pod): Promise<void> {
    await this.#parts.devices?.prepare(pod).catch((error: unknown) => {
      if (error instanceof PodRefusedError) throw error;
      const text = `Failed to prepare dynamic resources: ${textOf(error)}`;
      throw new OperationError("FailedPrepareDynamicResources", text);
    });
  }

  /** No container runs before its pod's network policies hold. */
  async #admit(pod: Pod, sandboxId: string): Promise<void> {
    const { admitPod, runtime } = this.#parts.context;
    if (admitPod === undefined || pod.spec.hostNetwork === true) return;
    const address = (await runtime.sandboxStatus(sandboxId)).network?.ip;
    if (address !== undefined && address !== "") await admitPod(pod, address);
  }

  /** Answers the container's id. `signal` gives up before there is one, not after. */
  async startContainer(pod: Pod, action: StartAction, podIps: readonly string[], signal: AbortSignal): Promise<string> {
    const { context, observer, images } = this.#parts;
    const { container } = action;
    const credentials = (): Promise<readonly RegistryCredentials[]> => this.#credentials(pod, container.image ?? "");
    const image = await images.ensure(container.image ?? "", pullPolicyOf(container), credentials, signal, {
      pulling: () => {
        context.measures?.pulling(pod.metadata.uid ?? "");
        this.#event(pod, "Normal", "Pulling", `Pulling image "${container.image ?? ""}"`);
      },
      pulled: (durationMs, size) => {
        context.measures?.pulling(pod.metadata.uid ?? "");
        this.#event(
          pod,
          "Normal",
          "Pulled",
          `Successfully pulled image "${container.image ?? ""}" in ${goDuration(durationMs)}. Image size: ${size} bytes.`,
        );
      },
      present: () =>
        this.#event(pod, "Normal", "Pulled", `Container image "${container.image ?? ""}" already present on machine`),
    });
    const [{ environment, mounts, given }, targetId, sandboxConfig] = await Promise.all([
      this.#inputs(pod, container, action.attempt, podIps),
      this.#targetOf(pod, container),
      this.#sandboxConfig(pod, 0),
      context.disk.makeDirectory(
        `${podLogDirectory(context.settings.logsDir, identityOf(pod))}/${container.name}`,
        0o755,
      ),
    ]);
    const config = containerConfigOf(pod, container, {
      attempt: action.attempt,
      hash: containerHash(container, context.crypto),
      image,
      environment,
      mounts,
      devices: given?.devices ?? [],
      annotations: given?.annotations ?? {},
      cdiDevices: given?.cdiDevices ?? [],
      machineMemoryBytes: context.facts.memoryBytes,
      seccompProfilesDir: `${context.settings.dataDir}/seccomp`,
      targetId,
    });
    signal.throwIfAborted();
    const id = await context.runtime
      .createContainer(action.sandboxId, config, sandboxConfig)
      .catch((error: unknown) => {
        throw new OperationError("CreateContainerError", textOf(error));
      });
    observer.claim(id, pod.metadata.uid ?? "");
    this.#event(pod, "Normal", "Created", `Container created`);
    await context.runtime.startContainer(id).catch((error: unknown) => {
      throw new OperationError("RunContainerError", textOf(error));
    });
    this.#event(pod, "Normal", "Started", `Container started`);
    await this.#postStart(pod, container, id, podIps);
    return id;
  }

  /** Environment and mounts of a container; the second may name values of the first. */
  async #inputs(
    pod: Pod,
    container: Container | EphemeralContainer,
    attempt: number,
    podIps: readonly string[],
  ): Promise<{
    readonly environment: ReadonlyMap<string, string>;
    readonly mounts: ContainerConfig["mounts"];
    readonly given: GivenDevices | undefined;
  }> {
    const { environment: sources, volumes, devices } = this.#parts;
    const given = await devices?.given(pod, container).catch((error: unknown) => {
      throw new OperationError("CreateContainerError", textOf(error));
    });
    const own = await sources.of(pod, container, podIps);
    // What the pod says itself wins over what a device brings along.
    const environment = new Map([...(given?.environment ?? []), ...own]);
    const mounts = await volumes.mountsOf(pod, container, attempt, environment, podIps);
    return { environment, mounts: [...mounts, ...(given?.mounts ?? [])], given };
  }

  /** Runs preStop within the grace, then the stop signal with what is left of it, then SIGKILL. */
  async killContainer(pod: Pod, action: KillAction, podIps: readonly string[]): Promise<void> {
    const { context, hooks } = this.#parts;
    this.#event(pod, "Normal", "Killing", `Stopping container ${action.name}`);
    const started = context.clock.monotonic();
    const container = containersOf(pod).find(({ name }) => name === action.name);
    const hook = container?.lifecycle?.preStop;
    if (action.preStop && hook !== undefined && action.graceSeconds > 0) {
      const failure = await runHook(context, hooks, hook, {
        containerId: action.id,
        container,
        podIp: podIps[0] ?? "",
        limitMs: action.graceSeconds * 1000,
      });
      if (failure !== undefined) this.#event(pod, "Warning", "FailedPreStopHook", "PreStopHook failed");
    }
    const spentSeconds = (context.clock.monotonic() - started) / 1000;
    const left = action.graceSeconds === 0 ? 0 : Math.max(2, Math.ceil(action.graceSeconds - spentSeconds));
    await context.runtime.stopContainer(action.id, Math.min(left, Math.max(action.graceSeconds, 0)));
  }

  /** The pod's own limits make room first, and close in afterwards. */
  async resizeContainer(pod: Pod, id: string, container: Container): Promise<void> {
    const { runtime, machine, settings, facts, onProblem } = this.#parts.context;
    const path = podCgroup(settings.cgroupRoot, pod);
    await machine
      .setCgroup(path, podLimits(pod))
      .catch((error: unknown) => onProblem("cannot widen a pod's limits yet", error));
    await runtime.updateContainerResources(id, containerResources(container, pod, facts.memoryBytes));
    await machine.setCgroup(path, podLimits(pod));
  }

  async stopSandbox(id: string): Promise<void> {
    await this.#parts.context.runtime.stopSandbox(id);
  }

  async setUpVolumes(pod: Pod): Promise<void> {
    await this.#parts.volumes.setUp(pod).catch((error: unknown) => {
      throw new OperationError("FailedMount", textOf(error));
    });
  }

  /** Undoes volumes and cgroup; containers must have ended. */
  async tearDown(pod: Pod): Promise<void> {
    const { context, volumes, devices } = this.#parts;
    await devices?.release(pod.metadata.uid ?? "").catch((error: unknown) => {
      this.#event(pod, "Warning", "FailedUnprepareDynamicResources", textOf(error));
      throw error;
    });
    await volumes.tearDown(pod.metadata.uid ?? "");
    await context.machine.removeCgroup(podCgroup(context.settings.cgroupRoot, pod));
  }

  /** Removes the API object; its containers have ended. */
  async deletePod(pod: Pod): Promise<void> {
    const { namespace, name = "", uid = "" } = pod.metadata;
    await this.#parts.context.client.delete(
      pods,
      { namespace, name },
      {
        uid,
        gracePeriodSeconds: 0,
        cause: {
          actor: `node/${this.#parts.context.nodeName}`,
          rule: "the pod was deleted, its containers have ended and its volumes are gone",
        },
      },
    );
  }

  /** Removes every trace of a pod that the API no longer has. */
  async forget(podUid: string, identity: { readonly namespace: string; readonly name: string }): Promise<void> {
    const { context, observer, volumes, devices } = this.#parts;
    const observed = await observer.observe(podUid);
    for (const { id } of observed.containers) await context.runtime.removeContainer(id);
    for (const { id } of observed.sandboxes) {
      await context.runtime.stopSandbox(id);
      await context.runtime.removeSandbox(id);
    }
    await devices?.release(podUid);
    await volumes.tearDown(podUid);
    await context.disk.remove(podLogDirectory(context.settings.logsDir, { ...identity, uid: podUid }));
    await context.disk.remove(`${context.settings.dataDir}/pods/${podUid}`);
    for (const qos of ["/kubepods", "/kubepods/burstable", "/kubepods/besteffort"]) {
      await context.machine.removeCgroup(`${context.settings.cgroupRoot}${qos}/pod${podUid}`);
    }
    observer.forget(podUid);
  }

  async #sandboxConfig(pod: Pod, attempt: number): Promise<SandboxConfig> {
    const { settings, disk } = this.#parts.context;
    // A machine without the file has no servers of its own to pass on.
    const text = await disk.readText(settings.resolvConfPath).catch(() => "");
    return sandboxConfigOf(pod, attempt, settings, parseResolvConf(text));
  }

  async #postStart(
    pod: Pod,
    container: Container | EphemeralContainer,
    id: string,
    podIps: readonly string[],
  ): Promise<void> {
    const hook = container.lifecycle?.postStart;
    if (hook === undefined) return;
    const { context, hooks } = this.#parts;
    const failure = await runHook(context, hooks, hook, {
      containerId: id,
      container,
      podIp: podIps[0] ?? "",
      limitMs: undefined,
    });
    if (failure === undefined) return;
    this.#event(pod, "Warning", "FailedPostStartHook", "PostStartHook failed");
    await context.runtime.stopContainer(id, pod.spec.terminationGracePeriodSeconds ?? 30);
    throw new OperationError("PostStartHookError", `PostStartHook failed: ${failure}`);
  }

  async #targetOf(pod: Pod, container: Container | EphemeralContainer): Promise<string | undefined> {
    const target = "targetContainerName" in container ? container.targetContainerName : undefined;
    if (target === undefined || target === "") return undefined;
    const observed = await this.#parts.observer.observe(pod.metadata.uid ?? "");
    const found = observed.containers.find(({ metadata, state }) => metadata.name === target && state === "Running");
    if (found === undefined) throw new ContainerConfigError(`unable to find target container "${target}"`);
    return found.id;
  }

  async #credentials(pod: Pod, image: string): Promise<readonly RegistryCredentials[]> {
    const found: Secret[] = [];
    for (const { name = "" } of pod.spec.imagePullSecrets ?? []) {
      const secret = await this.#parts.context.client.find(secrets, { namespace: pod.metadata.namespace, name });
      if (secret !== undefined) found.push(secret);
    }
    return credentialsFor(image, found, this.#parts.context.settings.defaultRegistry);
  }

  #event(pod: Pod, type: "Normal" | "Warning", eventReason: string, message: string): void {
    recordPodEvent(this.#parts.context, pod, type, eventReason, message);
  }
}

/** Writes an Event about a pod, beside the work. */
export function recordPodEvent(
  context: NodeContext,
  pod: Pod,
  type: "Normal" | "Warning",
  eventReason: string,
  message: string,
): void {
  const { namespace = "", name = "", uid = "" } = pod.metadata;
  context.events.record({ about: { apiVersion: "v1", kind: "Pod", namespace, name, uid }, type, eventReason, message });
}

/** The state's reason and message for what an operation threw. */
export function failureOf(error: unknown): {
  readonly reason: string;
  readonly message: string;
  readonly pull: boolean;
} {
  if (error instanceof ImagePullError)
    return { reason: error.reason, message: error.message, pull: error.reason === "ErrImagePull" };
  if (error instanceof ContainerConfigError)
    return { reason: "CreateContainerConfigError", message: error.message, pull: false };
  if (error instanceof OperationError) return { reason: error.reason, message: error.message, pull: false };
  return { reason: "CreateContainerError", message: textOf(error), pull: false };
}

export function identityOf(pod: Pod): { readonly namespace: string; readonly name: string; readonly uid: string } {
  return { namespace: pod.metadata.namespace ?? "", name: pod.metadata.name ?? "", uid: pod.metadata.uid ?? "" };
}

export function containersOf(pod: Pod): readonly (Container | EphemeralContainer)[] {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers, ...(pod.spec.ephemeralContainers ?? [])];
}

function textOf(error: unknown): string {
  if (error instanceof ContainerRuntimeError) return error.message;
  return error instanceof Error ? error.message : String(error);
}
