import type { Client } from "#client/client.ts";
import { createController, type Controller, type ControllerOptions } from "#reconcile/controller.ts";
import { createEventRecorder } from "#reconcile/events.ts";
import { createExecutor, type Executor } from "#reconcile/executor.ts";
import type { Epoch } from "#reconcile/election.ts";
import type { Informers } from "#reconcile/informers.ts";
import type { Pace } from "#reconcile/pace.ts";
import type { Metrics } from "#telemetry/metrics.ts";
import type { Clock, Timers } from "#world/clock.ts";
import type { Random } from "#world/random.ts";
import type { AggregatedApis, Resource } from "#api/resource.ts";

/** What every controller is given. */
export interface Dependencies {
  readonly client: Client;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly informers: Informers;
  readonly pace: Pace;
  /** The epoch of the current term, of leader-elected processes. */
  readonly epoch?: () => Epoch | undefined;
  /** Every resource that the server serves now, custom ones too: for garbage collection and namespace deletion. */
  readonly resources: () => readonly Resource<unknown>[];
  /** Group versions that other servers answer; absent: none. */
  readonly aggregated?: AggregatedApis;
  /** Where controllers tell of their own matters under upstream's names; absent: nobody measures. */
  readonly metrics?: Metrics;
  readonly onWorked?: (name: string, seconds: number) => void;
  readonly onTaken?: (name: string, waitedSeconds: number) => void;
  readonly onProblem?: (problem: string, error: unknown) => void;
}

/** What differs between controllers; the rest comes from the dependencies. */
export interface Loop extends Pick<
  ControllerOptions,
  "needs" | "pass" | "watch" | "spacingMs" | "keysInFlight" | "onPassed"
> {
  /** `deployment`: the actor is `controllers/deployment`. */
  readonly name: string;
  /** `deployment-controller`: the From column of Events. */
  readonly eventSource?: string;
}

export function createExecutorFor(dependencies: Dependencies, name: string, eventSource: string): Executor {
  const { client, clock, timers, random, onProblem, epoch } = dependencies;
  return createExecutor({
    client,
    actor: `controllers/${name}`,
    events: createEventRecorder({
      client,
      clock,
      timers,
      random,
      source: eventSource,
      ...(onProblem === undefined ? {} : { onProblem }),
    }),
    ...(epoch === undefined ? {} : { epoch }),
  });
}

/** A controller from its loop and the shared dependencies. */
export function createLoop(dependencies: Dependencies, loop: Loop): Controller {
  const { clock, timers, random, informers, pace, onProblem, onWorked, onTaken } = dependencies;
  const { eventSource, ...rest } = loop;
  return createController({
    ...rest,
    clock,
    timers,
    random,
    informers,
    pace,
    executor: createExecutorFor(dependencies, loop.name, eventSource ?? `${loop.name}-controller`),
    ...(onWorked === undefined ? {} : { onWorked }),
    ...(onTaken === undefined ? {} : { onTaken }),
    ...(onProblem === undefined ? {} : { onProblem }),
  });
}
