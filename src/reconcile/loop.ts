import type { Client } from "#client/client.ts";
import type { Clock, Timers } from "#world/clock.ts";
import type { Random } from "#world/random.ts";
import { createController, type Controller, type ControllerOptions } from "./controller.ts";
import type { Epoch } from "./election.ts";
import { createEventRecorder } from "./events.ts";
import { createExecutor } from "./executor.ts";
import type { Informers } from "./informers.ts";
import type { Pace } from "./pace.ts";

/** What every loop of the server is given. */
export interface LoopDependencies extends Pick<ControllerOptions, "onWorked" | "onTaken" | "onProblem"> {
  readonly client: Client;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly informers: Informers;
  readonly pace: Pace;
  /** The epoch of the current term, of leader-elected processes. */
  readonly epoch?: () => Epoch | undefined;
}

/** What differs between loops; the rest comes from the dependencies. */
export interface Loop extends Pick<
  ControllerOptions,
  "needs" | "pass" | "watch" | "spacingMs" | "keysInFlight" | "onPassed"
> {
  /** `controllers`: with the name `deployment` the actor is `controllers/deployment`. */
  readonly room: string;
  readonly name: string;
  /** `deployment-controller`: the From column of Events. */
  readonly eventSource?: string;
}

/** A controller whose writes and Events say whose they are. */
export function createLoop(dependencies: LoopDependencies, { room, eventSource, ...loop }: Loop): Controller {
  const events = createEventRecorder({ ...dependencies, source: eventSource ?? `${loop.name}-controller` });
  const executor = createExecutor({ ...dependencies, actor: `${room}/${loop.name}`, events });
  return createController({ ...dependencies, ...loop, executor });
}
