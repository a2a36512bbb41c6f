import type { Container, Pod, Probe } from "#api/generated/core-v1.ts";
import type { Clock, Timer, Timers } from "#world/clock.ts";
import type { ObservedContainer, ObservedPod, ProbeVerdict } from "../pods/observed.ts";
import { readinessAgainMs } from "../limits.ts";
import { isSidecar } from "../pods/restart.ts";
import { countResult, type ProbeCount } from "./counter.ts";
import type { Handlers } from "./handlers.ts";

type ProbeKind = "startup" | "liveness" | "readiness";

interface Running {
  readonly kind: ProbeKind;
  readonly probe: Probe;
  count: ProbeCount;
  timer: Timer | undefined;
  /** Milliseconds until the next probe beside the period's, while a new container has never been ready. */
  againMs: number | undefined;
}

interface Probed {
  readonly container: Container;
  readonly startedAt: number;
  readonly probes: Map<ProbeKind, Running>;
  podIp: string;
  verdict: ProbeVerdict;
}

/** Probes the running containers of one pod and tells when a verdict turned. */
export class Prober {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #handlers: Pick<Handlers, "probe">;
  readonly #turned: () => void;
  readonly #failed: (kind: ProbeKind, container: string, failure: string) => void;
  readonly #probed: ((kind: ProbeKind, container: string, isSuccess: boolean, seconds: number) => void) | undefined;
  readonly #containers = new Map<string, Probed>();

  constructor(options: {
    readonly clock: Clock;
    readonly timers: Timers;
    readonly handlers: Pick<Handlers, "probe">;
    /** A verdict changed: look at the pod again. */
    readonly turned: () => void;
    readonly failed: (kind: ProbeKind, container: string, failure: string) => void;
    /** Told of every probe and how long it took. */
    readonly probed?: (kind: ProbeKind, container: string, isSuccess: boolean, seconds: number) => void;
  }) {
    this.#clock = options.clock;
    this.#timers = options.timers;
    this.#handlers = options.handlers;
    this.#turned = options.turned;
    this.#failed = options.failed;
    this.#probed = options.probed;
  }

  get verdicts(): ReadonlyMap<string, ProbeVerdict> {
    return new Map([...this.#containers].map(([id, { verdict }]) => [id, verdict]));
  }

  /** Follows the pod: new running containers are probed, ended ones no more. An ending pod is only asked for readiness. */
  update(pod: Pod, observed: ObservedPod, podIp: string, ending: boolean): void {
    const running = new Map(
      observed.containers.filter(({ state }) => state === "Running").map((container) => [container.id, container]),
    );
    for (const [id, probed] of this.#containers) {
      probed.podIp = podIp;
      if (!running.has(id)) this.#drop(id);
      else if (ending) for (const kind of ["startup", "liveness"] as const) this.#stop(probed, kind);
    }
    const probedContainers = [...pod.spec.containers, ...(pod.spec.initContainers ?? []).filter(isSidecar)];
    for (const [id, observedContainer] of running) {
      if (this.#containers.has(id)) continue;
      const container = probedContainers.find(({ name }) => name === observedContainer.metadata.name);
      if (container !== undefined) this.#begin(pod, id, observedContainer, container, podIp, ending);
    }
  }

  stop(): void {
    for (const id of this.#containers.keys()) this.#drop(id);
  }

  #begin(
    pod: Pod,
    id: string,
    observed: ObservedContainer,
    container: Container,
    podIp: string,
    ending: boolean,
  ): void {
    // After a restart of the agent the API still knows what was found out: nothing flips because we were away.
    const known = [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])].find(
      (status) => status.containerID === `containerd://${id}`,
    );
    const started = container.startupProbe === undefined || known?.started === true;
    const ready = started && (container.readinessProbe === undefined || known?.ready === true);
    const probed: Probed = {
      container,
      startedAt: observed.startedAt,
      probes: new Map(),
      podIp,
      verdict: { started, ready },
    };
    this.#containers.set(id, probed);
    if (!started) {
      if (!ending) this.#start(id, probed, "startup", container.startupProbe, false);
    } else this.#startMain(id, probed, ready, ending);
  }

  #startMain(id: string, probed: Probed, ready: boolean, ending: boolean): void {
    this.#start(id, probed, "readiness", probed.container.readinessProbe, ready);
    if (!ending) this.#start(id, probed, "liveness", probed.container.livenessProbe, true);
  }

  #start(id: string, probed: Probed, kind: ProbeKind, probe: Probe | undefined, verdict: boolean): void {
    if (probe === undefined) return;
    const againMs = kind === "readiness" && !verdict ? readinessAgainMs : undefined;
    const running: Running = { kind, probe, count: { passing: verdict, run: 0, verdict }, timer: undefined, againMs };
    probed.probes.set(kind, running);
    const initialMs = probed.startedAt + (probe.initialDelaySeconds ?? 0) * 1000 - this.#clock.now();
    running.timer = this.#timers.after(Math.max(0, initialMs), () => void this.#round(id, probed, running));
  }

  /**
   * One probe, and the timer of the next. A program listens some time after its start: until a new container was ready once, it is
   * asked for readiness between its periods too, twice as long after each time, as the API's documentation of `periodSeconds` allows.
   */
  async #round(id: string, probed: Probed, running: Running, early = false): Promise<void> {
    const { probe, kind } = running;
    const began = this.#clock.monotonic();
    const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
    const outcome = await this.#handlers.probe(probe, {
      containerId: id,
      container: probed.container,
      podIp: probed.podIp,
      timeoutMs,
    });
    this.#probed?.(kind, probed.container.name, outcome.passed, (this.#clock.monotonic() - began) / 1000);
    if (this.#containers.get(id) !== probed || probed.probes.get(kind) !== running) return;
    // What a program says before it listens is no news, and is told once a period.
    if (!outcome.passed && !early) this.#failed(kind, probed.container.name, outcome.failure);
    running.count = countResult(running.count, outcome.passed, probe);
    if (outcome.passed) running.againMs = undefined;
    this.#judge(id, probed, running);
    if (probed.probes.get(kind) !== running) return;
    this.#next(id, probed, running, began);
  }

  #next(id: string, probed: Probed, running: Running, beganMs: number): void {
    const periodMs = (running.probe.periodSeconds ?? 10) * 1000;
    const againMs = running.againMs;
    const early = againMs !== undefined && againMs < periodMs;
    running.againMs = early ? againMs * 2 : undefined;
    const waitMs = early ? againMs : periodMs - (this.#clock.monotonic() - beganMs);
    running.timer = this.#timers.after(Math.max(0, waitMs), () => void this.#round(id, probed, running, early));
  }

  #judge(id: string, probed: Probed, running: Running): void {
    const { kind, probe, count } = running;
    const before = probed.verdict;
    if (kind === "readiness") probed.verdict = { ...before, ready: count.verdict };
    else if (kind === "startup" && count.verdict) {
      this.#stop(probed, "startup");
      probed.verdict = { ...before, started: true, ready: probed.container.readinessProbe === undefined };
      this.#startMain(id, probed, false, false);
    } else if (!count.verdict && !count.passing && count.run >= (probe.failureThreshold ?? 3)) {
      // On hold until the container is another one: it is being killed.
      this.#stop(probed, kind);
      const word = kind === "startup" ? "startup" : "liveness";
      probed.verdict = {
        ...before,
        ready: kind === "startup" ? false : before.ready,
        kill: {
          message: `Container ${probed.container.name} failed ${word} probe, will be restarted`,
          graceSeconds: probe.terminationGracePeriodSeconds,
        },
      };
    }
    if (
      before.ready !== probed.verdict.ready ||
      before.started !== probed.verdict.started ||
      before.kill !== probed.verdict.kill
    )
      this.#turned();
  }

  #stop(probed: Probed, kind: ProbeKind): void {
    probed.probes.get(kind)?.timer?.cancel();
    probed.probes.delete(kind);
  }

  #drop(id: string): void {
    const probed = this.#containers.get(id);
    if (probed === undefined) return;
    this.#containers.delete(id);
    for (const kind of ["startup", "liveness", "readiness"] as const) this.#stop(probed, kind);
  }
}
