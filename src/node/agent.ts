import type { Pod } from "#api/generated/core-v1.ts";
import { pods as podResource } from "#api/generated/resources.ts";
import type { IngressActivity } from "#api/observability/activity.ts";
import type { NodeUsers } from "#api/observability/traffic.ts";
import type { Client } from "#client/client.ts";
import { createEventRecorder } from "#reconcile/events.ts";
import { createInformer, type Informer } from "#reconcile/informer.ts";
import type { Family } from "#telemetry/metrics.ts";
import type { Clock, Timer, Timers } from "#world/clock.ts";
import type { ContainerRuntime } from "#world/container-runtime.ts";
import type { Certificates, Crypto } from "#world/crypto.ts";
import type { Disk } from "#world/disk.ts";
import type { Http, HttpHandler } from "#world/http.ts";
import type { Machine } from "#world/machine.ts";
import type { NodePlugins } from "#world/node-plugins.ts";
import type { ProbeWire } from "#world/probe-wire.ts";
import type { Random } from "#world/random.ts";
import type { NodeContext, NodeSettings } from "./context.ts";
import { Access } from "./api/access.ts";
import { agentApi } from "./api/handler.ts";
import { Streaming } from "./api/streams.ts";
import { NodeDevices } from "./devices/node-devices.ts";
import { ImageCollector } from "./images/collector.ts";
import { ImagePuller } from "./images/puller.ts";
import { memoryAvailableBytesMin, orphanGraceSeconds, relistMs } from "./limits.ts";
import { LogRotation } from "./logs/rotate.ts";
import { EnvironmentSources } from "./pods/environment-sources.ts";
import type { NodeMeasures } from "./metrics/measures.ts";
import { UsageSampler } from "./metrics/sampler.ts";
import { refusalOf } from "./pods/admit.ts";
import { gracePeriodAnnotation } from "./pods/labels.ts";
import { BurstableAsk, qosLimits } from "./pods/qos-cgroups.ts";
import { PodOperations } from "./pods/operations.ts";
import { ReferencedObjects } from "./pods/referenced-objects.ts";
import { PodWorker } from "./pods/sync.ts";
import type { WorkerParts } from "./pods/worker-parts.ts";
import { Handlers } from "./probes/handlers.ts";
import { RuntimeComparison } from "./runtime/comparison.ts";
import { RuntimeObserver } from "./runtime/observer.ts";
import { NodeReporter } from "./status/node-reporter.ts";
import { VolumeFolderRemoval } from "./volumes/folder-removal.ts";
import { PodVolumes } from "./volumes/pod-volumes.ts";

export interface AgentOptions {
  readonly nodeName: string;
  readonly client: Client;
  readonly runtime: ContainerRuntime;
  readonly machine: Machine;
  readonly disk: Disk;
  readonly crypto: Crypto;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly probeWire: ProbeWire;
  /** Reaches the runtime's streaming server. */
  readonly http: Pick<Http, "transport">;
  readonly certificates: Pick<Certificates, "read">;
  /** Only for the WebSocket handshake, which asks for it. */
  readonly sha1: (data: Uint8Array) => Uint8Array;
  readonly settings: NodeSettings;
  /** Told what happens to pods; absent: nobody measures. */
  readonly measures?: NodeMeasures;
  /** Further series of this process for /metrics. */
  readonly families?: () => Promise<readonly Family[]>;
  /** When this node's ingress was last asked for each Service; default: it has none. */
  readonly ingressActivity?: () => Promise<IngressActivity>;
  readonly trafficUsers?: () => Promise<NodeUsers>;
  /** Called between a pod's sandbox and its containers: resolves when the network's policies hold for the address. */
  readonly admitPod?: (pod: Pod, address: string) => Promise<void>;
  /** Speaks with device plugins and drivers of claims, in `settings.pluginFolder`; absent: there are none. */
  readonly plugins?: NodePlugins;
  /** Starts the runtime again, which ends no container: it is gone, or has lost what became of containers. */
  readonly restartRuntime?: () => Promise<void>;
  readonly onProblem: (problem: string, error: unknown) => void;
}

export interface Agent {
  /** The agent's API; whoever assembles the process lets it listen. */
  readonly handler: HttpHandler;
  /** Resolves when the node's pods are known and looked after. */
  start(): Promise<void>;
  /** Looks at the sizes of logs now; happens by itself every minute. */
  rotateLogs(): Promise<void>;
  /** Ends the agent alone: containers go on. */
  stop(): void;
}

/** The node agent: keeps this node's pods as the API says, with everything outside given as arguments. */
export async function createAgent(options: AgentOptions): Promise<Agent> {
  const { client, clock, timers, random, nodeName, onProblem } = options;
  const facts = await options.machine.facts();
  const events = createEventRecorder({ client, clock, timers, random, source: "kubelet", host: nodeName, onProblem });
  const context: NodeContext = { ...options, facts, events };
  return new NodeAgent(context, options);
}

class NodeAgent implements Agent {
  readonly #context: NodeContext;
  readonly #parts: WorkerParts;
  readonly #objects: ReferencedObjects;
  readonly #pods: Informer<Pod>;
  readonly #workers = new Map<string, PodWorker>();
  readonly #loops: readonly { start(): unknown; stop(): void }[];
  readonly #logs: LogRotation;
  readonly #devices: NodeDevices | undefined;
  readonly #comparison: RuntimeComparison;
  readonly #podListeners = new Map<string, Set<() => void>>();
  readonly handler: HttpHandler;
  #events: { close(): void } | undefined;
  #relist: Timer | undefined;
  #stopped = false;
  readonly #burstable = new BurstableAsk();
  #sharesMilli: number | undefined;

  constructor(context: NodeContext, options: AgentOptions) {
    this.#context = context;
    this.#objects = new ReferencedObjects(context, (uid) => void this.#workers.get(uid)?.refreshVolumes());
    const handlers = new Handlers(context.runtime, options.probeWire);
    const reporter = new NodeReporter(context, () => this.#devices?.resources() ?? {});
    const { pluginFolder } = context.settings;
    if (options.plugins !== undefined && pluginFolder !== undefined)
      this.#devices = new NodeDevices(
        context,
        options.plugins,
        pluginFolder,
        () => this.#pods.list(),
        () => reporter.look(),
      );
    const parts = {
      context,
      observer: new RuntimeObserver(context.runtime),
      images: new ImagePuller(context),
      volumes: new PodVolumes(context, this.#objects),
      environment: new EnvironmentSources(context, this.#objects),
      hooks: handlers,
      devices: this.#devices,
    };
    this.#parts = { ...parts, handlers, operations: new PodOperations(parts) };
    const { client, clock, timers, random, onProblem, nodeName } = context;
    this.#pods = createInformer<Pod, Pod>({
      client,
      clock,
      timers,
      random,
      onProblem,
      resource: podResource,
      fieldSelector: `spec.nodeName=${nodeName}`,
      project: (pod) => pod,
    });
    this.#logs = new LogRotation(context);
    this.#comparison = new RuntimeComparison({
      ...options,
      observer: { outlines: () => this.#outlines() },
      has: (outlines) => {
        for (const [uid, worker] of this.#workers) worker.runtimeHas(outlines.get(uid) ?? "");
      },
    });
    this.#loops = [reporter, this.#logs, new ImageCollector(context), new VolumeFolderRemoval(context)];
    this.handler = agentApi({
      context,
      observer: parts.observer,
      volumes: parts.volumes,
      access: new Access(options),
      streaming: new Streaming(options.http, options.sha1),
      usage: new UsageSampler({ ...context, cgroupRoot: context.settings.cgroupRoot, pods: () => this.#pods.list() }),
      families: options.families ?? (() => Promise.resolve([])),
      ingressActivity: options.ingressActivity ?? (() => Promise.resolve({ quietSeconds: {} })),
      trafficUsers: options.trafficUsers ?? (() => Promise.resolve({ users: [] })),
      pods: () => this.#pods.list(),
      onPodChange: (uid, changed) => this.#listen(uid, changed),
    });
  }

  async start(): Promise<void> {
    const { disk, settings } = this.#context;
    await disk.makeDirectory(`${settings.dataDir}/pods`, 0o700);
    await disk.makeDirectory(settings.memoryDir, 0o700);
    await disk.makeDirectory(settings.logsDir, 0o700);
    await this.#devices?.start();
    for (const loop of this.#loops) loop.start();
    this.#parts.environment.start();
    this.#pods.handle((_key, old, current) => this.#podChanged(old, current));
    this.#pods.start();
    await this.#pods.synced();
    await this.#weigh();
    await this.#endOrphans();
    this.#events = this.#context.runtime.subscribe({
      changed: (id) => this.#runtimeChanged(id),
      gap: () => this.#comparison.now(),
    });
    this.#scheduleRelist();
  }

  async #outlines(): Promise<ReadonlyMap<string, string>> {
    const { measures, clock } = this.#context;
    const beganMs = clock.monotonic();
    const outlines = await this.#parts.observer.outlines();
    measures?.compared(clock.monotonic() - beganMs);
    return outlines;
  }

  rotateLogs(): Promise<void> {
    return this.#logs.rotateAll();
  }

  stop(): void {
    this.#stopped = true;
    for (const loop of this.#loops) loop.stop();
    this.#context.events.stop();
    this.#devices?.stop();
    this.#comparison.stop();
    this.#events?.close();
    this.#relist?.cancel();
    this.#pods.stop();
    this.#objects.stop();
    this.#parts.environment.stop();
    for (const worker of this.#workers.values()) worker.stop();
  }

  #podChanged(old: Pod | undefined, current: Pod | undefined): void {
    if (this.#stopped) return;
    this.#burstable.set((current ?? old)?.metadata.uid ?? "", current);
    if (this.#pods.hasSynced) void this.#weigh();
    if (current === undefined) {
      const worker = this.#workers.get(old?.metadata.uid ?? "");
      worker?.remove();
      return;
    }
    const uid = current.metadata.uid ?? "";
    const known = this.#workers.get(uid);
    this.#objects.retain(current);
    if (known !== undefined) {
      known.update(current);
      return;
    }
    const worker = new PodWorker(this.#parts, current, () => {
      this.#workers.delete(uid);
      this.#objects.release(uid);
    });
    this.#admit(worker, current);
    this.#workers.set(uid, worker);
    worker.look();
  }

  /** A pod that has not begun here must fit beside those that have; one that has begun stays. */
  #admit(worker: PodWorker, { metadata, status, spec }: Pod): void {
    if (status.startTime !== undefined || (status.phase ?? "Pending") !== "Pending") return;
    const { settings, facts } = this.#context;
    const { cpuMilli, memoryBytes } = settings.reserved;
    const refusal = refusalOf(
      { metadata, status, spec },
      [...this.#workers.values()].filter(({ isRefused, removed }) => !isRefused && !removed).map(({ pod }) => pod),
      {
        cpuMilli: facts.cpuCount * 1000 - cpuMilli,
        memoryBytes: facts.memoryBytes - memoryBytes - memoryAvailableBytesMin,
        pods: settings.podsMax,
      },
    );
    if (refusal !== undefined) worker.fail(refusal.reason, refusal.message);
  }

  /** Gives each class of pods its share of the processors, when that changed. */
  async #weigh(): Promise<void> {
    const { machine, settings, facts, onProblem } = this.#context;
    const { milli } = this.#burstable;
    if (milli === this.#sharesMilli) return;
    this.#sharesMilli = milli;
    try {
      const limits = qosLimits(settings.cgroupRoot, milli, facts.cpuCount * 1000);
      for (const [path, limit] of limits) await machine.setCgroup(path, limit);
    } catch (error) {
      this.#sharesMilli = undefined;
      onProblem("cannot weigh the classes of pods", error);
    }
  }

  #runtimeChanged(id: string): void {
    const uid = this.#parts.observer.ownerOf(id);
    if (uid === undefined) return;
    this.#workers.get(uid)?.runtimeChanged();
    for (const changed of this.#podListeners.get(uid) ?? []) changed();
  }

  #listen(uid: string, changed: () => void): { close(): void } {
    const listeners = this.#podListeners.get(uid) ?? new Set();
    listeners.add(changed);
    this.#podListeners.set(uid, listeners);
    return {
      close: () => {
        listeners.delete(changed);
        if (listeners.size === 0) this.#podListeners.delete(uid);
      },
    };
  }

  #lookAtAll(): void {
    for (const worker of this.#workers.values()) worker.runtimeChanged();
  }

  #scheduleRelist(): void {
    this.#relist = this.#context.timers.after(relistMs, () => {
      this.#lookAtAll();
      void this.#endOrphans();
      this.#scheduleRelist();
    });
  }

  /** Pods that the runtime or our folders have something of. */
  async #knownPods(): Promise<ReadonlyMap<string, { readonly namespace: string; readonly name: string }>> {
    const { disk, settings } = this.#context;
    const found = new Map<string, { readonly namespace: string; readonly name: string }>();
    for (const uid of await disk.list(`${settings.dataDir}/pods`)) found.set(uid, { namespace: "", name: "" });
    for (const folder of await disk.list(settings.logsDir)) {
      const [namespace, name, uid] = folder.split("_");
      if (namespace !== undefined && name !== undefined && uid !== undefined) found.set(uid, { namespace, name });
    }
    for (const [uid, identity] of await this.#parts.observer.podUids()) found.set(uid, identity);
    return found;
  }

  /** Ends what runs here of pods that the API no longer has: they were deleted while nobody looked. */
  async #endOrphans(): Promise<void> {
    const { runtime, onProblem } = this.#context;
    try {
      for (const [uid, identity] of await this.#knownPods()) {
        if (this.#workers.has(uid) || this.#stopped) continue;
        const observed = await this.#parts.observer.observe(uid);
        const running = observed.containers.filter(({ state }) => state === "Running");
        await Promise.all(
          running.map(({ id, annotations }) =>
            runtime.stopContainer(id, Number(annotations[gracePeriodAnnotation] ?? orphanGraceSeconds)),
          ),
        );
        await this.#parts.operations.forget(uid, identity);
      }
    } catch (error) {
      onProblem("cannot end pods that were deleted", error);
    }
  }
}
