import type { Client } from "#client/client.ts";
import { createController, type Controller, type ControllerOptions } from "#reconcile/controller.ts";
import type { Epoch } from "#reconcile/election.ts";
import { createEventRecorder } from "#reconcile/events.ts";
import { createExecutor } from "#reconcile/executor.ts";
import type { Informers } from "#reconcile/informers.ts";
import type { Pace } from "#reconcile/pace.ts";
import type { Clock, Timers } from "#world/clock.ts";
import type { Random } from "#world/random.ts";

/** What the network's loops on the server are given: what controllers are given. */
export interface ServerDependencies {
  readonly client: Client;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly informers: Informers;
  readonly pace: Pace;
  readonly epoch?: () => Epoch | undefined;
  readonly onProblem?: (problem: string, error: unknown) => void;
}

/** A loop of the server's; its actor is `network/NAME`. */
export function createServerLoop(
  dependencies: ServerDependencies,
  loop: Pick<ControllerOptions, "name" | "needs" | "pass" | "watch">,
): Controller {
  const { client, clock, random, onProblem, epoch, timers, informers, pace } = dependencies;
  const problems = onProblem === undefined ? {} : { onProblem };
  const events = createEventRecorder({ client, clock, timers, random, source: `${loop.name}-controller`, ...problems });
  const executor = createExecutor({
    client,
    actor: `network/${loop.name}`,
    events,
    ...(epoch === undefined ? {} : { epoch }),
  });
  return createController({ ...loop, clock, timers, random, informers, pace, executor, ...problems });
}
