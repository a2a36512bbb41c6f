import assert from "node:assert/strict";
import { test } from "node:test";
import { configmaps, leases } from "#api/generated/resources.ts";
import type { ConfigMap } from "#api/generated/core-v1.ts";
import type { Resource } from "#api/resource.ts";
import { createClient } from "#client/http-client.ts";
import { ApiStatusError } from "#client/status-error.ts";
import { createModelApi, type ModelApi } from "#client/testing/model-api.ts";
import { createTestRandom, createVirtualTime, type VirtualTime } from "#client/testing/virtual-time.ts";
import type { Timers } from "#world/clock.ts";
import type { Action } from "./action.ts";
import { createController, type PassContext, type Plan } from "./controller.ts";
import { createElection } from "./election.ts";
import { createEventRecorder } from "./events.ts";
import { createExecutor } from "./executor.ts";
import { limits } from "./limits.ts";
import { createInformers, type Informers } from "./informers.ts";
import { createPace } from "./pace.ts";
import { createWorkQueue } from "./work-queue.ts";

const declaration = {
  resource: configmaps,
  project: (map: ConfigMap) => ({ name: map.metadata.name ?? "", value: map.data?.["value"] ?? "" }),
  indexes: { value: (view: { value: string }) => [view.value] },
};

interface Scene {
  readonly time: VirtualTime;
  readonly api: ModelApi;
  readonly informers: Informers;
  readonly problems: string[];
  readonly client: ReturnType<typeof createClient>;
  readonly random: ReturnType<typeof createTestRandom>;
}

function scene(): Scene {
  const time = createVirtualTime();
  const api = createModelApi(time.clock);
  const problems: string[] = [];
  const client = createClient(api.transport, { userAgent: "test" });
  const random = createTestRandom(3);
  const onProblem = (problem: string): void => void problems.push(problem);
  const informers = createInformers({ client, clock: time.clock, timers: time.timers, random, onProblem });
  return { time, api, informers, problems, client, random };
}

function put(api: ModelApi, name: string, value: string): void {
  api.put("configmaps", { metadata: { name, namespace: "default" }, data: { value } });
}

test("an informer follows adds, changes and deletions, with indexes and in key order", async () => {
  const { time, api, informers } = scene();
  put(api, "b", "1");
  const informer = informers.of(declaration);
  const seen: string[] = [];
  informer.handle((key, old, current) => seen.push(`${key} ${old?.value ?? "-"}>${current?.value ?? "-"}`));
  informers.start();
  await time.settle();
  put(api, "a", "1");
  put(api, "b", "2");
  api.remove("configmaps", "default/a");
  await time.settle();
  assert.deepEqual(seen, ["default/b ->1", "default/a ->1", "default/b 1>2", "default/a 1>-"]);
  put(api, "a", "2");
  await time.settle();
  assert.deepEqual(
    informer.by("value", "2").map((view) => view.name),
    ["a", "b"],
  );
  assert.deepEqual(informer.by("value", "1"), []);
  assert.equal(informers.of(declaration), informer, "same declaration, same informer");
});

test("a broken watch resumes; an expired one lists again and reports only the difference", async () => {
  const { time, api, informers, problems } = scene();
  put(api, "a", "1");
  put(api, "b", "1");
  const informer = informers.of(declaration);
  informers.start();
  await time.settle();
  const seen: string[] = [];
  const subscription = informer.handle((key, old, current) =>
    seen.push(`${key} ${old?.value ?? "-"}>${current?.value ?? "-"}`),
  );
  seen.length = 0;
  api.breakWatches(false);
  put(api, "a", "2");
  await time.advance(20_000);
  assert.deepEqual(seen, ["default/a 1>2"]);
  api.breakWatches(true);
  put(api, "c", "1");
  api.remove("configmaps", "default/b");
  await time.advance(40_000);
  assert.deepEqual(seen.slice(1), ["default/b 1>-", "default/c ->1"]);
  assert.ok(problems.length >= 2);
  subscription.close();
});

test("an object deleted and made again between two looks is two objects", async () => {
  const { time, api, informers } = scene();
  put(api, "a", "1");
  const informer = informers.of(declaration);
  informers.start();
  await time.settle();
  const seen: string[] = [];
  informer.handle((_key, old, current) => seen.push(`${old?.value ?? "-"}>${current?.value ?? "-"}`));
  seen.length = 0;
  api.breakWatches(true);
  api.remove("configmaps", "default/a");
  put(api, "a", "2");
  await time.advance(40_000);
  assert.deepEqual(seen, ["1>-", "->2"]);
});

test("the queue works on a name once at a time and brings it back when it was added meanwhile", async () => {
  const { time, random } = scene();
  const queue = createWorkQueue({ timers: time.timers, random, now: () => time.clock.monotonic(), onReady: () => {} });
  queue.add("x");
  queue.add("x");
  assert.equal(queue.take(), "x");
  queue.add("x");
  assert.equal(queue.take(), undefined);
  queue.done("x");
  assert.equal(queue.take(), "x");
  queue.done("x");
  queue.addAfter("x", 1000);
  queue.addAfter("x", 500);
  await time.advance(600);
  assert.equal(queue.take(), "x");
  queue.done("x");
  await time.advance(1000);
  assert.equal(queue.take(), undefined, "the earlier delay won");
});

test("retries back off, doubling up to a minute", async () => {
  const { time, random } = scene();
  let readyMs = 0;
  const onReady = (): void => void (readyMs = time.clock.monotonic());
  const queue = createWorkQueue({ timers: time.timers, random, now: () => time.clock.monotonic(), onReady });
  const waits: number[] = [];
  for (let tries = 0; tries < 16; tries++) {
    const startMs = time.clock.monotonic();
    queue.retry("x");
    await time.advance(61_000);
    assert.equal(queue.take(), "x");
    queue.done("x");
    waits.push(readyMs - startMs);
  }
  assert.ok(waits[0]! <= 10 && waits[5]! >= 100 && waits.at(-1)! >= 30_000 && waits.at(-1)! <= 60_000, waits.join(" "));
});

function controllerOver(
  s: Scene,
  pass: (key: string, context: PassContext) => Plan | undefined,
): ReturnType<typeof createController> {
  const { client, random, time, informers } = s;
  const informer = informers.of(declaration);
  const events = createEventRecorder({ client, clock: time.clock, random, source: "test" });
  return createController({
    name: "test",
    clock: time.clock,
    timers: time.timers,
    random,
    pace: createPace(time.clock, time.timers),
    executor: createExecutor({ client, actor: "test", events }),
    informers,
    needs: [informer],
    watch: (enqueue) => [informer.handle((key) => enqueue(key))],
    pass,
    onProblem: (problem) => void s.problems.push(problem),
  });
}

function createMap(name: string): Action {
  const object = { metadata: { name } };
  return {
    verb: "create",
    resource: configmaps as Resource<unknown>,
    namespace: "default",
    object,
    reason: `there is no ${name}`,
  };
}

test("a key is not planned again before the informer has seen its own writes", async () => {
  const s = scene();
  const informer = s.informers.of(declaration);
  let created = 0;
  const controller = controllerOver(s, (key) => {
    if (key !== "default/seed" || informer.get("default/made") !== undefined) return undefined;
    created++;
    return { actions: [createMap("made")] };
  });
  // A cache that is slow: what was written is delivered half a second later.
  const { watch } = s.client;
  const slow = s.client as { watch: typeof watch };
  slow.watch = (resource, options, handler) =>
    watch(resource, options, {
      ...handler,
      event: (event) => void s.time.timers.after(500, () => handler.event(event)),
    });
  put(s.api, "seed", "1");
  s.informers.start();
  controller.start();
  await s.time.settle();
  for (let times = 0; times < 10; times++) {
    controller.enqueue("default/seed");
    await s.time.advance(20);
  }
  await s.time.advance(5000);
  assert.equal(created, 1);
  assert.deepEqual(s.problems, []);
});

test("a create that nobody answered is not made again before its object would have been seen", async () => {
  const s = scene();
  const informer = s.informers.of(declaration);
  let created = 0;
  const controller = controllerOver(s, (key) => {
    if (key !== "default/seed" || informer.list().length > 1) return undefined;
    created++;
    return { actions: [createMap(`made-${created}`)] };
  });
  // The first answer is lost, and what was written is delivered two seconds later.
  const { watch, create } = s.client;
  const client = s.client as { watch: typeof watch; create: typeof create };
  client.watch = (resource, options, handler) =>
    watch(resource, options, {
      ...handler,
      event: (event) => void s.time.timers.after(2_000, () => handler.event(event)),
    });
  client.create = async (...given) => {
    const made = await create(...given);
    if (created === 1) throw new Error("connection reset");
    return made;
  };
  put(s.api, "seed", "1");
  s.informers.start();
  controller.start();
  await s.time.advance(10_000);
  assert.equal(created, 1);
});

test("writes that nobody ever answers hold up nobody but their own keys", async () => {
  const s = scene();
  const done = new Set<string>();
  const controller = controllerOver(s, (key) => {
    if (done.has(key) || key.startsWith("default/")) return undefined;
    done.add(key);
    return { actions: [createMap(key.replace("/", "-"))] };
  });
  const silent = s.client as { create: typeof s.client.create; list: typeof s.client.list };
  const { create } = s.client;
  silent.create = (resource, at, object, options) =>
    (object as { metadata: { name: string } }).metadata.name.startsWith("silent")
      ? Promise.reject(new Error("no answer"))
      : create(resource, at, object, options);
  controller.start();
  s.informers.start();
  await s.time.settle();
  // Whether they happened cannot be learned either.
  silent.list = () => Promise.reject(new Error("no answer"));
  for (let index = 0; index < limits.keysInFlight; index++) controller.enqueue(`silent/${index}`);
  await s.time.advance(5_000);
  controller.enqueue("loud/1");
  await s.time.advance(5_000);
  assert.ok(done.has("loud/1"));
  assert.equal(s.api.get("configmaps", "default/loud-1")?.metadata.name, "loud-1");
});

test("a thousand creates that are refused cost one request, and the next pass knows why", async () => {
  const s = scene();
  let refusal: string | undefined;
  const controller = controllerOver(s, (_key, context) => {
    refusal = context.refusal?.message;
    return { actions: Array.from({ length: 1000 }, (_, index) => createMap(`m${index}`)) };
  });
  s.api.refuse = () => ({ code: 403, reason: "Forbidden", message: "exceeded quota" });
  s.informers.start();
  controller.start();
  controller.enqueue("default/x");
  await s.time.settle();
  assert.equal(s.api.writes.length, 1);
  await s.time.advance(5_000);
  assert.equal(refusal, "exceeded quota");
  assert.ok(s.api.writes.length < 20, `${s.api.writes.length} attempts in 5 s`);
});

test("one object that breaks a plan does not stop the others", async () => {
  const s = scene();
  const seen: string[] = [];
  const controller = controllerOver(s, (key) => {
    if (key === "default/bad") throw new Error("a broken belief");
    seen.push(key);
    return undefined;
  });
  s.informers.start();
  controller.start();
  for (const name of ["bad", "good"]) put(s.api, name, "1");
  await s.time.advance(1000);
  assert.deepEqual(seen, ["default/good"]);
  assert.ok(s.problems.some((problem) => problem.includes("default/bad")));
});

test("repeated events are counted, similar ones combined, and one object cannot flood", async () => {
  const { time, client, random, api } = scene();
  const events = createEventRecorder({ client, clock: time.clock, random, source: "test" });
  const about = { apiVersion: "v1", kind: "Pod", namespace: "default", name: "web", uid: "u" };
  for (let times = 0; times < 3; times++)
    events.record({ about, type: "Normal", eventReason: "Pulled", message: "same" });
  await time.settle();
  const [first] = api.list("events");
  assert.deepEqual([api.list("events").length, first!["count"], first!["message"]], [1, 3, "same"]);
  for (let number = 0; number < 100; number++)
    events.record({ about, type: "Normal", eventReason: "Made", message: `number ${number}` });
  await time.settle();
  const texts = api.list("events").map((event) => String(event["message"]));
  assert.equal(texts.filter((text) => text.startsWith("number")).length, 10);
  assert.equal(texts.filter((text) => text.startsWith("(combined from similar events)")).length, 1);
  assert.ok(api.writes.length <= 25, `${api.writes.length} writes`);
});

test("events give way to a busy server; what repeats meanwhile is one write, and says when it happened", async () => {
  const { time, client, random, api } = scene();
  const slow = client as { create: typeof client.create };
  const { create } = client;
  slow.create = async (...order) => {
    await time.timers.sleep(100);
    return create(...order);
  };
  const events = createEventRecorder({ client, clock: time.clock, timers: time.timers, random, source: "test" });
  const say = (name: string): void => {
    const about = { apiVersion: "v1", kind: "Pod", namespace: "default", name, uid: name };
    events.record({ about, type: "Normal", eventReason: "Started", message: "Container started" });
  };
  const startMs = time.clock.now();
  say("a");
  for (let times = 0; times < 5; times++) say("b");
  await time.advance(150);
  assert.deepEqual(api.writes.length, 1, "the second waits");
  await time.advance(1_000);
  const [, second] = api.list("events").toSorted((one, other) => Number(one["count"]) - Number(other["count"]));
  assert.deepEqual([api.writes.length, second!["count"]], [2, 5]);
  assert.ok(Date.parse(String(second!["lastTimestamp"])) - startMs < 1_000);
});

test("a recorder that is stopped waits for nothing: what nobody answers is lost, and no timer keeps the process", async () => {
  const { time, client, random } = scene();
  let writes = 0;
  const silent = client as { create: typeof client.create };
  silent.create = () => {
    writes += 1;
    return Promise.reject(new Error("connection refused"));
  };
  let waiting = 0;
  const timers: Timers = {
    ...time.timers,
    after: (delayMs, task) => {
      waiting += 1;
      const timer = time.timers.after(delayMs, () => {
        waiting -= 1;
        task();
      });
      return {
        cancel: () => {
          waiting -= 1;
          timer.cancel();
        },
      };
    },
  };
  const events = createEventRecorder({ client, clock: time.clock, timers, random, source: "test" });
  const about = { apiVersion: "v1", kind: "Pod", namespace: "default", name: "web", uid: "u" };
  events.record({ about, type: "Normal", eventReason: "Pulled", message: "first" });
  await time.advance(1);
  assert.deepEqual([writes, waiting], [1, 1]);
  events.stop();
  await time.advance(1);
  events.record({ about, type: "Normal", eventReason: "Started", message: "last" });
  await time.advance(60_000);
  assert.deepEqual([writes, waiting], [3, 0], "each once more, and never again");
});

test("an event that nobody answers is written again, once all in all; one that is refused is not", async () => {
  const { time, client, random, api } = scene();
  const lossy = client as { create: typeof client.create };
  const { create } = client;
  let writes = 0;
  lossy.create = async (...order) => {
    writes += 1;
    if (writes === 1) throw new Error("connection refused");
    const made = await create(...order);
    if (writes === 2) throw new Error("connection reset");
    return made;
  };
  const events = createEventRecorder({ client, clock: time.clock, timers: time.timers, random, source: "test" });
  const about = { apiVersion: "v1", kind: "Pod", namespace: "default", name: "web", uid: "u" };
  events.record({ about, type: "Normal", eventReason: "Pulled", message: "same" });
  await time.advance(60_000);
  assert.deepEqual([writes, api.list("events").map(({ count }) => count)], [3, [1]]);
  lossy.create = () => {
    writes += 1;
    return Promise.reject(new ApiStatusError({ code: 403, reason: "Forbidden", message: "no" }));
  };
  events.record({ about, type: "Normal", eventReason: "Made", message: "other" });
  await time.advance(60_000);
  assert.equal(writes, 4);
});

test("one leads at a time; each term has a greater number; a leader that stops hands over at once", async () => {
  const { time, api, client, random } = scene();
  const log: string[] = [];
  const candidate = (identity: string): ReturnType<typeof createElection> =>
    createElection({
      client,
      clock: time.clock,
      timers: time.timers,
      random,
      name: "test-loops",
      namespace: "kube-system",
      identity,
      onStarted: (epoch) => log.push(`${identity} leads ${epoch.number}`),
      onStopped: () => log.push(`${identity} stops`),
    });
  const one = candidate("one");
  const two = candidate("two");
  one.start();
  await time.advance(1000);
  two.start();
  await time.advance(60_000);
  assert.deepEqual(log, ["one leads 1"]);
  assert.deepEqual(one.epoch, { leader: "test-loops", number: 1 });
  const stopping = one.stop();
  await time.settle();
  await stopping;
  await time.advance(5000);
  assert.deepEqual(log, ["one leads 1", "one stops", "two leads 2"]);
  // Leader two cannot reach the server: it stops by itself before anybody may take over.
  api.refuse = () => ({ code: 503, reason: "ServiceUnavailable", message: "down" });
  await time.advance(14_000);
  assert.equal(two.epoch, undefined);
  assert.equal(log.at(-1), "two stops");
  assert.equal(
    (api.get(leases.resource, "kube-system/test-loops")!.spec as { holderIdentity: string }).holderIdentity,
    "two",
  );
});
