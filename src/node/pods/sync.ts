import type { Pod } from "#api/generated/core-v1.ts";
import { isTerminalPhase } from "#api/pod-readiness.ts";
import type { Timer } from "#world/clock.ts";
import { ContainerRuntimeError } from "#world/container-runtime.ts";
import { tokenRetryMs } from "../limits.ts";
import { PodRefusedError } from "../devices/node-devices.ts";
import { prober, type WorkerParts } from "./worker-parts.ts";
import { failAgain, failPull } from "./back-off.ts";
import { containerHash } from "./labels.ts";
import type { BackOffEntry, Failure, ObservedPod, PodMemory } from "./observed.ts";
import { containersOf, failureOf, identityOf, recordPodEvent } from "./operations.ts";
import { planPod } from "./plan.ts";
import type { PodAction, PodPlan } from "./plan-builder.ts";
import { startOf } from "./start.ts";
import { StatusWriter } from "./status-writer.ts";
import { podStatusOf } from "./status.ts";
import { readTerminationMessage } from "./termination-message.ts";
import type { Prober } from "../probes/prober.ts";
import { outlineOf } from "../runtime/observer.ts";

/**
 * The thin loop of one pod: looks when something happened (the API, the runtime, a probe, a timer, an operation's end), asks the
 * plan, begins what it says, reports the status. Operations run beside the loop; it never waits for them.
 */
export class PodWorker {
  readonly #parts: WorkerParts;
  readonly #gone: () => void;
  readonly #prober: Prober;
  readonly #writer: StatusWriter;
  #pod: Pod;
  readonly #takenOnMs: number;
  #removed = false;
  #observed: ObservedPod = { sandboxes: [], containers: [] };
  #stale = true;
  #looking = false;
  #again = false;
  #stopped = false;
  #timer: Timer | undefined;
  readonly #running = new Set<string>();
  readonly #failures = new Map<string, Failure>();
  readonly #backOff = new Map<string, BackOffEntry>();
  readonly #killDeadlines = new Map<string, number>();
  readonly #messages = new Map<string, string>();
  #ending: PodMemory["ending"];
  #verdict: PodMemory["verdict"];
  readonly #endSignal = new AbortController();
  readonly #toldBackOff = new Set<string>();
  readonly #resized = new Map<string, string>();
  #refreshing = false;
  #refreshAgain = false;
  #volumesReady = false;
  /** Since when we know of a pod that has not run here yet. */
  #unstartedSinceMs: number | undefined;
  #tornDown = false;

  constructor(parts: WorkerParts, pod: Pod, gone: () => void) {
    this.#parts = parts;
    this.#pod = pod;
    this.#takenOnMs = parts.context.clock.now();
    this.#gone = gone;
    this.#writer = new StatusWriter(
      parts.context,
      () => this.look(),
      (written) => this.update(written),
    );
    if ((pod.status.phase ?? "Pending") === "Pending") this.#unstartedSinceMs = parts.context.clock.monotonic();
    this.#prober = prober(
      parts,
      () => this.#pod,
      () => this.look(),
    );
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** Whether the pod has to fail, so that it holds nothing of the node. */
  get isRefused(): boolean {
    return this.#verdict !== undefined && this.#observed.containers.length === 0;
  }

  /** Whether the API still has the pod. */
  get removed(): boolean {
    return this.#removed;
  }

  /** The API has a newer object. */
  update(pod: Pod): void {
    // What was written is known from the answer; echoes of earlier writes would be answered with others, for ever.
    if (Number(pod.metadata.resourceVersion) < Number(this.#pod.metadata.resourceVersion)) return;
    const changed =
      JSON.stringify([pod.metadata.labels, pod.metadata.annotations]) !==
      JSON.stringify([this.#pod.metadata.labels, this.#pod.metadata.annotations]);
    this.#pod = pod;
    if (changed) void this.refreshVolumes();
    this.look();
  }

  /** The API has it no more: end it and leave no trace. */
  remove(): void {
    this.#removed = true;
    this.#writer.stop();
    this.look();
  }

  /** Something happened in the runtime. */
  runtimeChanged(): void {
    this.#stale = true;
    this.look();
  }

  /** The runtime has this of the pod now, as an outline: nothing to do when it is what was seen last. */
  runtimeHas(outline: string): void {
    if (outline !== outlineOf(this.#observed)) this.runtimeChanged();
  }

  /** A ConfigMap, a Secret or the pod's metadata changed. */
  async refreshVolumes(): Promise<void> {
    // What a container waits for may be there now.
    for (const [key, failure] of this.#failures)
      if (key === "volumes" || failure.reason === "CreateContainerConfigError") this.#failures.delete(key);
    this.look();
    if (this.#refreshing) {
      this.#refreshAgain = true;
      return;
    }
    this.#refreshing = true;
    do {
      this.#refreshAgain = false;
      await this.#refresh();
    } while (this.#refreshAgain && !this.#stopped);
    this.#refreshing = false;
    this.look();
  }

  async #refresh(): Promise<void> {
    if (!this.#volumesReady || this.#ending !== undefined) return;
    try {
      await this.#parts.volumes.refresh(this.#pod);
    } catch (error) {
      this.#parts.context.onProblem(`cannot refresh the volumes of ${this.#name()}`, error);
    }
  }

  /** The pod has to fail and its containers end: evicted, or not fit for this node. */
  fail(reason: string, message: string): void {
    if (this.#verdict !== undefined) return;
    this.#verdict = { reason, message };
    this.look();
  }

  /** The agent ends; the pod goes on. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#prober.stop();
    this.#writer.stop();
  }

  look(): void {
    if (this.#stopped) return;
    if (this.#looking) this.#again = true;
    else void this.#look();
  }

  async #look(): Promise<void> {
    this.#looking = true;
    do {
      this.#again = false;
      const { clock, measures } = this.#parts.context;
      const beganMs = clock.monotonic();
      try {
        await this.#round();
        measures?.podWorked((clock.monotonic() - beganMs) / 1000);
      } catch (error) {
        // The runtime does not answer: its next `gap` or the timer makes us look again.
        if (!(error instanceof ContainerRuntimeError))
          this.#parts.context.onProblem(`cannot look after pod ${this.#name()}`, error);
        this.#stale = true;
        this.#wakeIn(1_000);
      }
    } while (this.#again && !this.#stopped);
    this.#looking = false;
  }

  async #round(): Promise<void> {
    const { context, observer, volumes } = this.#parts;
    if (this.#stale) {
      this.#stale = false;
      this.#observed = await observer.observe(this.#pod.metadata.uid ?? "");
      await this.#readMessages();
    }
    await this.#decideEnding();
    if (this.#stopped) return;
    const podIp = this.#podIps()[0] ?? "";
    this.#prober.update(this.#pod, this.#observed, podIp, this.#ending !== undefined);
    const now = context.clock.now();
    const hashes = new Map(
      containersOf(this.#pod).map((container) => [container.name, containerHash(container, context.crypto)]),
    );
    const plan = planPod(this.#pod, this.#observed, this.#memory(), hashes, now);
    for (const action of plan.actions) this.#begin(action, plan);
    this.#tellBackOff(plan);
    if (!this.#removed) {
      const status = podStatusOf(this.#pod, this.#observed, this.#memory(), plan, {
        now,
        takenOnMs: this.#takenOnMs,
        hostIps: context.settings.addresses(),
      });
      this.#writer.set(this.#pod, status);
      this.#tellStart(status.phase);
      if (plan.finished) this.#parts.devices?.ended(this.#pod.metadata.uid ?? "");
    } else if (plan.finished && this.#tornDown) this.#forget();
    const refreshAt = this.#ending === undefined ? volumes.refreshAt(this.#pod.metadata.uid ?? "") : undefined;
    this.#plannedWake(plan.wakeAt, refreshAt, now);
  }

  #tellStart(phase: string | undefined): void {
    if (this.#unstartedSinceMs === undefined || phase === "Pending") return;
    const { clock, measures } = this.#parts.context;
    if (phase === "Running")
      measures?.podStarted({
        ...startOf(this.#pod, this.#observed, clock.now()),
        seconds: (clock.monotonic() - this.#unstartedSinceMs) / 1000,
      });
    this.#unstartedSinceMs = undefined;
  }

  /** One Event for each time a container is held back after a crash. */
  #tellBackOff(plan: PodPlan): void {
    for (const [name, { reason }] of plan.waiting) {
      const last = this.#observed.containers.find(({ metadata }) => metadata.name === name);
      if (reason !== "CrashLoopBackOff" || last === undefined || this.#toldBackOff.has(last.id)) continue;
      this.#toldBackOff.add(last.id);
      const { namespace, name: podName, uid } = identityOf(this.#pod);
      const message = `Back-off restarting failed container ${name} in pod ${podName}_${namespace}(${uid})`;
      recordPodEvent(this.#parts.context, this.#pod, "Warning", "BackOff", message);
    }
    for (const id of this.#toldBackOff)
      if (!this.#observed.containers.some((container) => container.id === id)) this.#toldBackOff.delete(id);
  }

  #plannedWake(wakeAt: number | undefined, refreshAt: number | undefined, now: number): void {
    this.#timer?.cancel();
    if (refreshAt !== undefined && (wakeAt === undefined || refreshAt < wakeAt)) {
      this.#timer = this.#parts.context.timers.after(
        refreshAt > now ? refreshAt - now : tokenRetryMs,
        () => void this.refreshVolumes(),
      );
    } else if (wakeAt !== undefined) this.#wakeIn(wakeAt - now);
  }

  #wakeIn(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#parts.context.timers.after(Math.max(1, delayMs), () => this.look());
  }

  #memory(): PodMemory {
    return {
      running: this.#running,
      failures: this.#failures,
      probes: this.#prober.verdicts,
      backOff: this.#backOff,
      killDeadlines: this.#killDeadlines,
      ending: this.#ending,
      volumesReady: this.#volumesReady,
      tornDown: this.#tornDown,
      apiStatus: this.#pod.status,
      verdict: this.#verdict,
      messages: this.#messages,
      resized: this.#resized,
    };
  }

  async #decideEnding(): Promise<void> {
    const { metadata, spec, status } = this.#pod;
    const now = this.#parts.context.clock.now();
    const deadlineSeconds = spec.activeDeadlineSeconds;
    const startTime = status.startTime;
    if (
      deadlineSeconds !== undefined &&
      startTime !== undefined &&
      now >= Date.parse(startTime) + deadlineSeconds * 1000
    ) {
      if (this.#ending === undefined && !isTerminalPhase(status.phase)) {
        this.#verdict ??= {
          reason: "DeadlineExceeded",
          message: "Pod was active on the node longer than the specified deadline",
        };
      }
    }
    const deleted = metadata.deletionTimestamp !== undefined || this.#removed;
    if (!deleted && this.#verdict === undefined) return;
    const asked = metadata.deletionGracePeriodSeconds;
    // Removed by force: nobody waits any more, but a stop signal is still worth a second.
    const graceSeconds = this.#removed ? Math.max(1, asked ?? 1) : (asked ?? spec.terminationGracePeriodSeconds ?? 30);
    this.#endSignal.abort(new Error("the pod is ending"));
    if (this.#ending === undefined) {
      this.#ending = { since: await this.#endingSince(now), graceSeconds };
    } else if (graceSeconds < this.#ending.graceSeconds) this.#ending = { since: this.#ending.since, graceSeconds };
  }

  /** The grace goes on where it was, also over a restart of the agent. */
  async #endingSince(now: number): Promise<number> {
    const { disk, settings } = this.#parts.context;
    const folder = `${settings.dataDir}/pods/${this.#pod.metadata.uid ?? ""}`;
    const path = `${folder}/ending`;
    try {
      const since = Number(await disk.readText(path));
      if (since > 0 && since <= now) return since;
    } catch {
      // Not there: it begins now.
    }
    await disk.makeDirectory(folder, 0o755);
    await disk.write(path, String(now));
    return now;
  }

  async #readMessages(): Promise<void> {
    const known = new Set(this.#observed.containers.map(({ id }) => id));
    for (const map of [this.#messages, this.#resized]) for (const id of map.keys()) if (!known.has(id)) map.delete(id);
    for (const container of this.#observed.containers) {
      if (container.state !== "Exited") continue;
      this.#killDeadlines.delete(container.id);
      if (this.#messages.has(container.id)) continue;
      const file = this.#parts.volumes.terminationLogPath(
        this.#pod.metadata.uid ?? "",
        container.metadata.name,
        container.metadata.attempt,
      );
      this.#messages.set(
        container.id,
        (await readTerminationMessage(this.#parts.context.disk, container, file)) || container.message,
      );
    }
  }

  #begin(action: PodAction, plan: PodPlan): void {
    // The last status must have arrived before the object goes; the writer tells when it has.
    if (
      action.do === "delete-pod" &&
      (this.#removed || !this.#writer.synced || !plan.finished || !this.#reportedFinal())
    )
      return;
    if (action.do === "kill-container")
      this.#killDeadlines.set(action.id, this.#parts.context.clock.now() + action.graceSeconds * 1000);
    this.#running.add(action.key);
    void this.#run(action);
  }

  /** The API shows that no container runs. */
  #reportedFinal(): boolean {
    const { containerStatuses = [], initContainerStatuses = [], phase } = this.#pod.status;
    const idle = [...containerStatuses, ...initContainerStatuses].every(({ state }) => state.running === undefined);
    return idle && isTerminalPhase(phase);
  }

  async #run(action: PodAction): Promise<void> {
    const failureKey = action.do === "start-container" ? `start:${action.container.name}` : action.key;
    try {
      await this.#perform(action);
      this.#failures.delete(failureKey);
    } catch (error) {
      if (!this.#stopped) this.#failed(action, failureKey, error);
    }
    this.#running.delete(action.key);
    this.#stale = true;
    this.look();
  }

  async #perform(action: PodAction): Promise<void> {
    const { operations, context } = this.#parts;
    switch (action.do) {
      case "create-sandbox":
        return operations.createSandbox(this.#pod, action.attempt);
      case "stop-sandbox":
        return operations.stopSandbox(action.id);
      case "start-container":
        if (action.backOff !== undefined) this.#backOff.set(action.container.name, action.backOff);
        await operations.startContainer(this.#pod, action, this.#podIps(), this.#endSignal.signal);
        return undefined;
      case "kill-container":
        return operations.killContainer(this.#pod, action, this.#podIps());
      case "resize-container":
        await operations.resizeContainer(this.#pod, action.id, action.container);
        this.#resized.set(action.id, JSON.stringify(action.container.resources ?? {}));
        return undefined;
      case "remove-container":
        return context.runtime.removeContainer(action.id);
      case "remove-sandbox":
        return context.runtime.removeSandbox(action.id);
      case "set-up-volumes":
        await operations.setUpVolumes(this.#pod);
        this.#volumesReady = true;
        return undefined;
      case "tear-down":
        await operations.tearDown(this.#pod);
        this.#tornDown = true;
        return undefined;
      case "delete-pod":
        return operations.deletePod(this.#pod);
      default:
        return action satisfies never;
    }
  }

  #failed(action: PodAction, key: string, error: unknown): void {
    const { context } = this.#parts;
    const now = context.clock.now();
    const failure = failureOf(error);
    const before = this.#failures.get(key);
    if (action.do === "kill-container") this.#killDeadlines.delete(action.id);
    if (error instanceof PodRefusedError) {
      recordPodEvent(context, this.#pod, "Warning", error.reason, error.message);
      return this.fail(error.reason, error.message);
    }
    if (action.do !== "start-container") {
      this.#failures.set(key, failAgain(before, failure.reason, failure.message, now));
      if (action.do === "create-sandbox" || action.do === "set-up-volumes") {
        recordPodEvent(context, this.#pod, "Warning", failure.reason, failure.message);
      } else context.onProblem(`cannot ${action.do} of pod ${this.#name()}`, error);
      return;
    }
    if (this.#endSignal.signal.aborted) return;
    const eventReason =
      failure.reason === "ErrImageNeverPull" || failure.reason === "InvalidImageName" ? failure.reason : "Failed";
    recordPodEvent(context, this.#pod, "Warning", eventReason, `Error: ${failure.message}`);
    if (failure.pull) {
      const pull = failPull(before, "ErrImagePull", failure.message, now);
      this.#failures.set(key, pull);
      this.#showPullBackOff(key, action.container.image ?? "", pull);
    } else if (failure.reason === "RunContainerError" || failure.reason === "PostStartHookError") {
      // The container exists and has ended: its own back-off counts.
      this.#failures.delete(key);
    } else this.#failures.set(key, failAgain(before, failure.reason, failure.message, now));
  }

  /** After the error itself was shown for a moment, the state says that we wait. */
  #showPullBackOff(key: string, image: string, pull: Failure): void {
    const { context } = this.#parts;
    context.timers.after(1_000, () => {
      if (this.#failures.get(key) !== pull || this.#stopped) return;
      const message = `Back-off pulling image "${image}": ErrImagePull: ${pull.message}`;
      this.#failures.set(key, { ...pull, reason: "ImagePullBackOff", message });
      recordPodEvent(context, this.#pod, "Normal", "BackOff", `Back-off pulling image "${image}"`);
      this.look();
    });
  }

  #forget(): void {
    if (this.#running.has("forget")) return;
    this.#running.add("forget");
    const uid = this.#pod.metadata.uid ?? "";
    void (async () => {
      try {
        await this.#parts.operations.forget(uid, identityOf(this.#pod));
        this.stop();
        this.#parts.context.measures?.podLeft(uid);
        this.#gone();
      } catch (error) {
        this.#parts.context.onProblem(`cannot remove what is left of pod ${this.#name()}`, error);
        this.#running.delete("forget");
        this.#wakeIn(1_000);
      }
    })();
  }

  #podIps(): readonly string[] {
    if (this.#pod.spec.hostNetwork === true) return this.#parts.context.settings.addresses();
    const network = this.#observed.sandboxes.find(({ state }) => state === "Ready")?.network;
    return network === undefined || network.ip === "" ? [] : [network.ip, ...network.additionalIps.map(({ ip }) => ip)];
  }

  #name(): string {
    return `${this.#pod.metadata.namespace ?? ""}/${this.#pod.metadata.name ?? ""}`;
  }
}
