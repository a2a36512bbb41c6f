import type { ContainerStatus, Pod, PodStatus } from "#api/generated/core-v1.ts";
import { pods } from "#api/generated/resources.ts";
import type { Client } from "#client/client.ts";
import { ApiStatusError } from "#client/status-error.ts";
import type { Timer } from "#world/clock.ts";
import type { NodeContext } from "../context.ts";
import { firstStatusMs, shortRunMs, statusRetryMs } from "../limits.ts";

type StatusContext = Pick<NodeContext, "nodeName" | "timers" | "onProblem"> & {
  readonly client: Pick<Client, "patch">;
};

/** Brings one pod's status to the API: the newest one, one write at a time, again until it is there. */
export class StatusWriter {
  readonly #context: StatusContext;
  readonly #settled: () => void;
  readonly #answered: (pod: Pod) => void;
  #wanted: { readonly pod: Pod; readonly status: PodStatus } | undefined;
  #written = "";
  #writing = false;
  #stopped = false;
  /** A first status waits for a better one: since the phase that it says. */
  #first: { readonly phase: string | undefined; readonly timer: Timer } | undefined;

  /** `answered` gets the pod as each write left it. */
  constructor(context: StatusContext, settled: () => void, answered: (pod: Pod) => void) {
    this.#context = context;
    this.#settled = settled;
    this.#answered = answered;
  }

  /** Whether the API has the last status that was given. */
  get synced(): boolean {
    return this.#wanted === undefined && !this.#writing;
  }

  /** Writes when it differs from what the API has. */
  set(pod: Pod, status: PodStatus): void {
    const text = JSON.stringify(status);
    if (text === this.#written && this.#wanted === undefined) return;
    if (this.#written === "" && !this.#writing && sameStatus(pod.status, status)) {
      this.#written = text;
      return;
    }
    this.#wanted = { pod, status };
    if (this.#writing) return;
    const waitMs = this.#written === "" ? worthWaitingMs(pod, status) : 0;
    if (this.#first?.phase === status.phase && waitMs > 0) return;
    this.#first?.timer.cancel();
    this.#first = undefined;
    if (waitMs === 0) void this.#write();
    else this.#first = { phase: status.phase, timer: this.#context.timers.after(waitMs, () => void this.#write()) };
  }

  stop(): void {
    this.#stopped = true;
    this.#first?.timer.cancel();
    this.#wanted = undefined;
  }

  async #write(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    while (this.#wanted !== undefined) {
      const { pod, status } = this.#wanted;
      this.#wanted = undefined;
      const done = await this.#send(pod, status);
      if (done) this.#written = JSON.stringify(status);
      else if (!this.#stopped) {
        this.#wanted ??= { pod, status };
        await this.#context.timers.sleep(statusRetryMs);
        if (this.#stopped) this.#wanted = undefined;
      }
    }
    this.#writing = false;
    this.#settled();
  }

  async #send(pod: Pod, status: PodStatus): Promise<boolean> {
    const { client, nodeName, onProblem } = this.#context;
    const { namespace, name = "", uid } = pod.metadata;
    try {
      const written = await client.patch(
        pods,
        { namespace, name },
        { metadata: { uid }, status: statusPatch(pod.status, status) },
        {
          type: "strategic",
          subresource: "status",
          cause: { actor: `node/${nodeName}`, rule: ruleOf(status) },
        },
      );
      if (!this.#stopped) this.#answered(written);
      return true;
    } catch (error) {
      // Gone, or another pod of the same name: nobody to tell.
      if (error instanceof ApiStatusError && (error.code === 404 || error.code === 422)) {
        if (error.code !== 404) onProblem(`cannot write the status of ${namespace ?? ""}/${name}`, error);
        return true;
      }
      onProblem(`cannot write the status of ${namespace ?? ""}/${name}`, error);
      return false;
    }
  }
}

/** Why a pod's status is what it is, with the first container that something keeps from running. */
function ruleOf({ phase = "Unknown", initContainerStatuses = [], containerStatuses = [] }: PodStatus): string {
  const kept = [...initContainerStatuses, ...containerStatuses].find(
    (status) => status.state.waiting !== undefined && !isOnItsWay(status),
  );
  return `the pod's containers make it ${phase}${kept === undefined ? "" : ` (${kept.name}: ${kept.state.waiting?.reason})`}`;
}

/** A strategic patch: lists that merge by key name what has to go. */
export function statusPatch(before: PodStatus, after: PodStatus): Record<string, unknown> {
  const patch: Record<string, unknown> = { ...after };
  for (const list of ["podIPs", "hostIPs"] as const) {
    const kept = after[list] ?? [];
    const gone = (before[list] ?? []).filter(({ ip }) => !kept.some((one) => one.ip === ip));
    if (gone.length > 0) patch[list] = [...gone.map(({ ip }) => ({ $patch: "delete", ip })), ...kept];
  }
  patch["conditions"] = (after.conditions ?? []).map((condition) => {
    const known = before.conditions?.find(({ type }) => type === condition.type);
    const gone = (["reason", "message"] as const).filter(
      (field) => known?.[field] !== undefined && condition[field] === undefined,
    );
    return { ...condition, ...Object.fromEntries(gone.map((field) => [field, null])) };
  });
  for (const field of ["podIP", "reason", "message"] as const)
    if (before[field] !== undefined && after[field] === undefined) patch[field] = null;
  return patch;
}

/**
 * How long a first status may wait for a better one, milliseconds. Most pods run a moment after they came, and many that may end
 * by themselves end a moment after: what is in between is not worth a write.
 */
function worthWaitingMs(pod: Pod, status: PodStatus): number {
  if (isBeingMade(status)) return firstStatusMs;
  return mayEndSoon(pod) && isRunningSmoothly(status) ? shortRunMs : 0;
}

/** It is not kept alive, and nobody waits for its start to attach to it. */
function mayEndSoon({ metadata, spec }: Pod): boolean {
  if (spec.restartPolicy === undefined || spec.restartPolicy === "Always") return false;
  return metadata.deletionTimestamp === undefined && !spec.containers.some(({ stdin }) => stdin === true);
}

/** It runs and nothing has gone wrong or ended yet. */
function isRunningSmoothly({ phase, containerStatuses = [] }: PodStatus): boolean {
  return (
    phase === "Running" &&
    containerStatuses.every(({ state, restartCount }) => {
      return state.running !== undefined && restartCount === 0;
    })
  );
}

/** Nothing runs and nothing has gone wrong: what users know without being told. */
function isBeingMade({ phase, containerStatuses = [], initContainerStatuses = [] }: PodStatus): boolean {
  if (phase !== "Pending") return false;
  return [...containerStatuses, ...initContainerStatuses].every(isOnItsWay);
}

/** It waits for nothing but its turn. */
function isOnItsWay({ state: { waiting } }: ContainerStatus): boolean {
  return waiting?.reason === "ContainerCreating" || waiting?.reason === "PodInitializing";
}

/** Whether the API has this status already, but for conditions that others own. */
function sameStatus(api: PodStatus, wanted: PodStatus): boolean {
  // Asked in each round until the first write: mostly one of these tells.
  if (api.phase !== wanted.phase || api.containerStatuses?.length !== wanted.containerStatuses?.length) return false;
  const own = new Set((wanted.conditions ?? []).map(({ type }) => type));
  const conditions = (api.conditions ?? []).filter(({ type }) => own.has(type));
  const normal = (status: PodStatus): string => JSON.stringify(sorted({ ...status, conditions: undefined }));
  const conditionText = (list: PodStatus["conditions"]): string =>
    JSON.stringify(sorted((list ?? []).toSorted((a, b) => (a.type < b.type ? -1 : 1))));
  return normal(api) === normal(wanted) && conditionText(conditions) === conditionText(wanted.conditions);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const record = value as Record<string, unknown>;
  return Object.fromEntries(
    Object.keys(record)
      .toSorted()
      .map((key) => [key, sorted(record[key])] as const)
      .filter(([, inner]) => inner !== undefined && inner !== null && JSON.stringify(inner) !== "{}"),
  );
}
