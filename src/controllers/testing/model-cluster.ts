import { createClient } from "#client/http-client.ts";
import { createModelApi, type ModelApi, type ModelObject } from "#client/testing/model-api.ts";
import { createTestRandom, createVirtualTime, type VirtualTime } from "#client/testing/virtual-time.ts";
import { builtInResources } from "#api/generated/resources.ts";
import type { Controller } from "#reconcile/controller.ts";
import { createControllers } from "../all.ts";

/** Controllers over the model API in virtual time. For tests. */
export interface ModelCluster {
  readonly api: ModelApi;
  readonly time: VirtualTime;
  readonly controllers: readonly Controller[];
  readonly problems: string[];
  float(): number;
  /** Sets the wall clock on, or back when negative; what was to come in so many seconds still comes in so many. */
  stepClock(milliseconds: number): void;
  /** Lets time pass until nothing was written for a second, at most `secondsMax`. */
  quiesce(secondsMax?: number): Promise<void>;
  /** Ends all controllers and starts new ones, as a restart of the process does. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface ModelClusterOptions {
  readonly seed?: number;
  /** Controllers to run; all by default. */
  readonly only?: readonly string[];
}

export async function createModelCluster(options: ModelClusterOptions = {}): Promise<ModelCluster> {
  const steady = createVirtualTime();
  let steppedMs = 0;
  const clock = { now: () => steady.clock.now() + steppedMs, monotonic: () => steady.clock.monotonic() };
  const time: VirtualTime = { ...steady, clock };
  const api = createModelApi(time.clock);
  const random = createTestRandom(options.seed ?? 1);
  const problems: string[] = [];
  const client = createClient(api.transport, { userAgent: "test" });
  const begin = (): { controllers: Controller[]; stop: () => Promise<void> } => {
    const made = createControllers({
      client,
      clock: time.clock,
      timers: time.timers,
      random,
      resources: () => builtInResources,
      onProblem: (problem, error) => problems.push(`${problem}: ${String(error)}`),
    });
    const controllers = made.controllers.filter((controller) => options.only?.includes(controller.name) ?? true);
    made.informers.start();
    for (const controller of controllers) controller.start();
    return {
      controllers,
      stop: async () => {
        made.informers.stop();
        await Promise.all(controllers.map((controller) => controller.stop()));
      },
    };
  };
  let running = begin();
  await time.settle();
  return {
    api,
    time,
    get controllers() {
      return running.controllers;
    },
    problems,
    float: () => random.float(),
    stepClock(milliseconds) {
      steppedMs += milliseconds;
    },
    async quiesce(secondsMax = 120) {
      for (let passed = 0; passed < secondsMax; passed++) {
        const before = api.writes.length;
        await time.advance(1000);
        if (api.writes.length === before && running.controllers.every((controller) => controller.idle)) return;
      }
      throw new Error(`Still writing after ${secondsMax} s: ${JSON.stringify(api.writes.slice(-5))}`);
    },
    async restart() {
      const stopping = running.stop();
      await time.settle();
      await stopping;
      running = begin();
      await time.settle();
    },
    stop: () => running.stop(),
  };
}

/** What a node agent does to a pod, at once: assigns it and reports it running and ready, or not ready. */
export function runPod(cluster: ModelCluster, pod: ModelObject, ready: boolean, node = "n1"): void {
  const stamp = `${new Date(cluster.time.clock.now()).toISOString().slice(0, 19)}Z`;
  cluster.api.put("pods", {
    metadata: pod.metadata,
    spec: { ...pod.spec, nodeName: pod.spec?.["nodeName"] ?? node },
    status: {
      phase: "Running",
      conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: stamp }],
    },
  });
}

export function isReady(pod: ModelObject): boolean {
  const conditions = (pod.status?.["conditions"] ?? []) as { type: string; status: string }[];
  return conditions.some((condition) => condition.type === "Ready" && condition.status === "True");
}
