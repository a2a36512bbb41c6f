import type { Container, EphemeralContainer } from "#api/generated/core-v1.ts";
import type { BackOffEntry, ObservedContainer, ObservedPod, PodMemory } from "./observed.ts";
import { isRunning } from "./restart.ts";

/** What is to be done for one pod now. Each is an operation of its own; `key` keeps it from being begun twice. */
export type PodAction =
  | { readonly do: "create-sandbox"; readonly key: string; readonly attempt: number; readonly reason: string }
  | { readonly do: "stop-sandbox"; readonly key: string; readonly id: string; readonly reason: string }
  | {
      readonly do: "start-container";
      readonly key: string;
      readonly container: Container | EphemeralContainer;
      readonly kind: ContainerKind;
      readonly attempt: number;
      readonly sandboxId: string;
      /** Of a restart; a first start is free. */
      readonly backOff?: BackOffEntry | undefined;
      readonly reason: string;
    }
  | {
      readonly do: "kill-container";
      readonly key: string;
      readonly id: string;
      readonly name: string;
      readonly graceSeconds: number;
      readonly preStop: boolean;
      readonly reason: string;
    }
  | {
      readonly do: "resize-container";
      readonly key: string;
      readonly id: string;
      readonly container: Container;
      readonly reason: string;
    }
  | { readonly do: "remove-container"; readonly key: string; readonly id: string; readonly reason: string }
  | { readonly do: "remove-sandbox"; readonly key: string; readonly id: string; readonly reason: string }
  | { readonly do: "set-up-volumes"; readonly key: string; readonly reason: string }
  | { readonly do: "tear-down"; readonly key: string; readonly reason: string }
  | { readonly do: "delete-pod"; readonly key: string; readonly reason: string };

export type ContainerKind = "init" | "sidecar" | "app" | "ephemeral";

export interface Waiting {
  readonly reason: string;
  readonly message?: string;
}

export interface PodPlan {
  readonly actions: readonly PodAction[];
  /** Why a container that does not run is not there yet, by name. */
  readonly waiting: ReadonlyMap<string, Waiting>;
  /** Milliseconds since 1970 when to look again though nothing happens. */
  readonly wakeAt?: number | undefined;
  /** The pod will start nothing any more: its phase may become final. */
  readonly finished: boolean;
}

/** Hashes that running containers should carry, by container name. */
export type Hashes = ReadonlyMap<string, string>;

/** Collects a plan; skips what is under way and remembers when to look again. */
export class PlanBuilder {
  readonly actions: PodAction[] = [];
  readonly waiting = new Map<string, Waiting>();
  readonly memory: PodMemory;
  readonly now: number;
  wakeAt: number | undefined;
  /** Nothing may be started yet; what runs is looked after all the same. */
  startsHeld = false;

  constructor(memory: PodMemory, now: number) {
    this.memory = memory;
    this.now = now;
  }

  add(action: PodAction): void {
    // What failed a moment ago is not tried in a loop.
    if (!this.memory.running.has(action.key) && !this.delayed(action.key)) this.actions.push(action);
  }

  wake(at: number): void {
    this.wakeAt = this.wakeAt === undefined ? at : Math.min(this.wakeAt, at);
  }

  /** Whether what failed before has to wait longer. */
  delayed(key: string): boolean {
    const failure = this.memory.failures.get(key);
    if (failure === undefined || failure.retryAt <= this.now) return false;
    this.wake(failure.retryAt);
    return true;
  }

  result(finished: boolean): PodPlan {
    return { actions: this.actions, waiting: this.waiting, wakeAt: this.wakeAt, finished };
  }
}

export function kill(
  plan: PlanBuilder,
  container: ObservedContainer,
  graceSeconds: number,
  preStop: boolean,
  reason: string,
): void {
  const name = container.metadata.name;
  const deadline = plan.memory.killDeadlines.get(container.id);
  if (deadline === undefined) {
    plan.add({
      do: "kill-container",
      key: `kill:${container.id}`,
      id: container.id,
      name,
      graceSeconds,
      preStop,
      reason,
    });
  } else if (deadline > plan.now + graceSeconds * 1000 + 1000) {
    // A deletion with less grace overtakes the kill that is under way.
    plan.add({
      do: "kill-container",
      key: `kill:${container.id}:${graceSeconds}`,
      id: container.id,
      name,
      graceSeconds,
      preStop: false,
      reason,
    });
  }
}

/** Of each container's past only the last one stays, for `logs --previous`. */
export function removeSuperseded(plan: PlanBuilder, observed: ObservedPod): void {
  const seen = new Map<string, number>();
  for (const container of observed.containers) {
    const count = (seen.get(container.metadata.name) ?? 0) + 1;
    seen.set(container.metadata.name, count);
    if (count > 2 && !isRunning(container)) {
      plan.add({
        do: "remove-container",
        key: `remove:${container.id}`,
        id: container.id,
        reason: "two newer ones exist",
      });
    }
  }
}
