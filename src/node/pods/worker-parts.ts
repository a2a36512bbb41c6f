import type { Pod } from "#api/generated/core-v1.ts";
import type { Handlers } from "../probes/handlers.ts";
import { Prober } from "../probes/prober.ts";
import { recordPodEvent, type OperationParts, type PodOperations } from "./operations.ts";

/** What the workers of all pods share. */
export interface WorkerParts extends OperationParts {
  readonly operations: PodOperations;
  readonly handlers: Handlers;
}

const probeNames = { startup: "Startup", liveness: "Liveness", readiness: "Readiness" } as const;

/** A pod's prober, which writes the Events that `kubectl describe` shows. */
export function prober(parts: WorkerParts, pod: () => Pod, turned: () => void): Prober {
  const { context, handlers } = parts;
  return new Prober({
    clock: context.clock,
    timers: context.timers,
    handlers,
    turned,
    probed: (kind, container, isSuccess, seconds) =>
      context.measures?.probed({ pod: pod(), container, type: probeNames[kind] }, isSuccess, seconds),
    failed: (kind, _container, failure) =>
      recordPodEvent(context, pod(), "Warning", "Unhealthy", `${probeNames[kind]} probe failed: ${failure}`),
  });
}
