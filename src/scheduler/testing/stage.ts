import { createClient } from "#client/http-client.ts";
import { createModelApi, type ModelApi } from "#client/testing/model-api.ts";
import { createVirtualTime, type VirtualTime } from "#client/testing/virtual-time.ts";
import { createEventRecorder } from "#reconcile/events.ts";
import { createInformers } from "#reconcile/informers.ts";
import { createPace, type Pace } from "#reconcile/pace.ts";
import type { HttpRequest, HttpResponse, Transport } from "#world/http.ts";
import { createScheduler, type Scheduler } from "../loop.ts";
import { makeNode, makePod, type PodWords } from "./objects.ts";

/** The scheduler over a model of the API in virtual time. */
export interface Stage {
  readonly api: ModelApi;
  readonly time: VirtualTime;
  readonly scheduler: Scheduler;
  readonly problems: string[];
  /** Answers binds instead of the model. */
  refuseBind: ((pod: string) => { code: number; reason: string } | "no answer" | "lost answer" | undefined) | undefined;
  /** Requests that do not arrive, as `PATCH …/pods/web/status`. */
  losesRequest: RegExp | undefined;
}

const json = (status: number, body: unknown): HttpResponse => ({
  status,
  headers: { "content-type": "application/json" },
  body: new TextEncoder().encode(JSON.stringify(body)),
});

export async function stage(paceOf?: (time: VirtualTime) => Pace): Promise<Stage> {
  const time = createVirtualTime();
  const { clock, timers } = time;
  const api = createModelApi(clock);
  const problems: string[] = [];
  const onProblem = (problem: string): void => void problems.push(problem);
  const bind = (request: HttpRequest, namespace: string, name: string): HttpResponse => {
    const refusal = made.refuseBind?.(name);
    if (refusal === "no answer") throw new Error("connection reset");
    if (typeof refusal === "object")
      return json(refusal.code, { kind: "Status", status: "Failure", message: refusal.reason, ...refusal });
    const body = JSON.parse(new TextDecoder().decode(request.body)) as { target: { name: string } };
    const pod = api.get("pods", `${namespace}/${name}`)!;
    api.put("pods", { metadata: pod.metadata, spec: { ...pod.spec, nodeName: body.target.name } });
    if (refusal === "lost answer") throw new Error("connection reset");
    return json(201, { kind: "Status", status: "Success" });
  };
  const transport: Transport = {
    send(request) {
      const match = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/binding/.exec(request.target);
      if (made.losesRequest?.test(`${request.method} ${request.target}`) === true)
        return Promise.reject(new Error("connection reset"));
      if (match === null) return api.transport.send(request);
      return Promise.resolve().then(() => bind(request, match[1]!, match[2]!));
    },
  };
  const client = createClient(transport, { userAgent: "scheduler-test", timers });
  const random = { float: () => 0.5, bytes: (length: number) => new Uint8Array(length), uuid: () => "u" };
  const informers = createInformers({ client, clock, timers, random, onProblem });
  const events = createEventRecorder({ client, clock, random, source: "default-scheduler", onProblem });
  const scheduler = createScheduler({
    client,
    informers,
    clock,
    timers,
    pace: paceOf?.(time) ?? createPace(clock, timers),
    events,
    onProblem,
  });
  const made: Stage = { api, time, scheduler, problems, refuseBind: undefined, losesRequest: undefined };
  informers.start();
  scheduler.start();
  await time.settle();
  return made;
}

export function nodeOf({ api }: Stage, name: string): unknown {
  return api.get("pods", `default/${name}`)?.spec?.["nodeName"];
}

export function put(to: Stage, name: string, words: PodWords = {}): void {
  to.api.put("pods", { ...makePod(name, words) });
}

export function putNode({ api }: Stage, name: string, words: Parameters<typeof makeNode>[1] = {}): void {
  api.put("nodes", { ...makeNode(name, words) });
}
