import type { Controller } from "#reconcile/controller.ts";
import { createLoop as createLoopOf, type Loop, type LoopDependencies } from "#reconcile/loop.ts";
import type { Metrics } from "#telemetry/metrics.ts";
import type { AggregatedApis, Resource } from "#api/resource.ts";

/** What every controller is given. */
export interface Dependencies extends LoopDependencies {
  /** Every resource that the server serves now, custom ones too: for garbage collection and namespace deletion. */
  readonly resources: () => readonly Resource<unknown>[];
  /** Group versions that other servers answer; absent: none. */
  readonly aggregated?: AggregatedApis;
  /** Where controllers tell of their own matters under upstream's names; absent: nobody measures. */
  readonly metrics?: Metrics;
}

/** A controller of this room from its loop and the shared dependencies. */
export function createLoop(dependencies: Dependencies, loop: Omit<Loop, "room">): Controller {
  return createLoopOf(dependencies, { room: "controllers", ...loop });
}
