import type { PodStatus } from "#api/generated/core-v1.ts";
import type { RuntimeContainerStatus, SandboxStatus } from "#world/container-runtime.ts";

export interface ObservedContainer extends RuntimeContainerStatus {
  readonly sandboxId: string;
}

/** What the runtime has of one pod. */
export interface ObservedPod {
  /** Newest attempt first. */
  readonly sandboxes: readonly SandboxStatus[];
  /** Newest attempt first within each name. */
  readonly containers: readonly ObservedContainer[];
}

/** What probes found out about one running container. */
export interface ProbeVerdict {
  /** The startup probe has passed, or there is none. */
  readonly started: boolean;
  readonly ready: boolean;
  /** A liveness or startup probe failed too often: why, and the grace its probe asks for. */
  readonly kill?: { readonly message: string; readonly graceSeconds?: number | undefined } | undefined;
}

/** Something that did not work and is tried again at `retryAt` (milliseconds since 1970). */
export interface Failure {
  /** As shown in `state.waiting`: `ErrImagePull`, `CreateContainerConfigError`, `RunContainerError`... */
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly retryAt: number;
}

/** When the container was started last by us, and how long the next restart has to wait after its end. */
export interface BackOffEntry {
  readonly delayMs: number;
  readonly at: number;
}

/** What the agent remembers of one pod beside the runtime. All of it may be lost by a restart. */
export interface PodMemory {
  /** Operations under way, by key: `sandbox`, `start:NAME`, `kill:ID`, `stop-sandbox:ID`, `remove:ID`, `tear-down`. */
  readonly running: ReadonlySet<string>;
  /** By `sandbox`, `volumes` or `start:NAME`. */
  readonly failures: ReadonlyMap<string, Failure>;
  readonly probes: ReadonlyMap<string, ProbeVerdict>;
  readonly backOff: ReadonlyMap<string, BackOffEntry>;
  /** Deadline of a kill under way by container id, milliseconds since 1970. */
  readonly killDeadlines: ReadonlyMap<string, number>;
  /** Since when the pod is being ended, and within how many seconds. */
  readonly ending?: { readonly since: number; readonly graceSeconds: number } | undefined;
  readonly volumesReady: boolean;
  /** Everything on the machine that belongs to the pod is undone (volumes, cgroup). */
  readonly tornDown: boolean;
  /** The status the API has. */
  readonly apiStatus: PodStatus;
  /** The pod has to fail: evicted, deadline exceeded, not admitted. */
  readonly verdict?: { readonly reason: string; readonly message: string } | undefined;
  /** Resources that running containers were given since they were made, as JSON, by id. */
  readonly resized: ReadonlyMap<string, string>;
  /** Termination messages by container id. */
  readonly messages: ReadonlyMap<string, string>;
}
