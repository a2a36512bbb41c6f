// Loops of the server's process share what it has stored: one value for all of them, in place of JSON that each would read for itself.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { configmaps, pods } from "#api/generated/resources.ts";
import type { Pod } from "#api/generated/core-v1.ts";
import { createClient } from "#client/http-client.ts";
import type { Client, WatchEvent } from "#client/client.ts";
import { createInformers } from "#reconcile/informers.ts";
import { freezeDeeply } from "../../src/codec/record.ts";
import { realClock, realTimers } from "../../src/world/node/clock.ts";
import { realRandom } from "../../src/world/node/random.ts";
import { admin, startInProcess } from "./harness.ts";

const timers = realTimers({ keepAlive: true });

/** A server, and a client of its own process. */
async function start(t: TestContext): Promise<Client> {
  const server = await startInProcess();
  t.after(() => server.close());
  return createClient(server.api.transportFor(admin), { userAgent: "test" });
}

function pod(name: string, labels: Record<string, string> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels },
    spec: { containers: [{ name: "web", image: "web:1" }] },
  } as Pod;
}

/** The objects that a new informer sees, by name, as they come. */
function follow(
  t: TestContext,
  client: Client,
): { readonly seen: Pod[]; synced(): Promise<void>; last(): Promise<Pod> } {
  const informers = createInformers({ client, clock: realClock, timers, random: realRandom });
  const seen: Pod[] = [];
  let changed = Promise.withResolvers<Pod>();
  const project = (object: Pod): Pod => {
    freezeDeeply(object);
    seen.push(object);
    changed.resolve(object);
    changed = Promise.withResolvers();
    return object;
  };
  informers.of<Pod, Pod>({ resource: pods, project });
  informers.start();
  t.after(() => informers.stop());
  return { seen, synced: () => informers.synced(), last: () => changed.promise };
}

test("informers of one process get the same object, listed and watched", async (t) => {
  const client = await start(t);
  await client.create(pods, { namespace: "default" }, pod("listed"));
  const one = follow(t, client);
  const other = follow(t, client);
  await Promise.all([one.synced(), other.synced()]);
  assert.equal(one.seen[0]?.metadata.name, "listed");
  assert.equal(one.seen[0], other.seen[0]);

  const both = Promise.all([one.last(), other.last()]);
  await client.patch(
    pods,
    { namespace: "default", name: "listed" },
    { metadata: { labels: { a: "b" } } },
    { type: "merge" },
  );
  const [first, second] = await both;
  assert.equal(first, second);
  assert.equal(first.metadata.labels?.["a"], "b");
  assert.match(first.metadata.resourceVersion ?? "", /^[1-9][0-9]*$/);
  // Writes go on from what is frozen by now, and change nothing of it.
  const gone = Promise.all([one.last(), other.last()]);
  await client.delete(pods, { namespace: "default", name: "listed" });
  const [last] = await gone;
  assert.equal(last.metadata.labels?.["a"], "b");
});

test("what comes as a value is what comes as JSON, bookmarks and what leaves a selection among it", async (t) => {
  const client = await start(t);
  const { resourceVersion } = await client.list(pods);
  const watched = (shared: boolean): { events: WatchEvent<Pod>[]; third: Promise<void> } => {
    const events: WatchEvent<Pod>[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const options = { resourceVersion, labelSelector: "app=web", allowBookmarks: true, shared };
    const watch = client.watch(pods, options, {
      event: (event) => {
        events.push(event);
        if (event.type === "DELETED") resolve();
      },
      end: () => undefined,
    });
    t.after(() => watch.close());
    return { events, third: promise };
  };
  const asValues = watched(true);
  const asJson = watched(false);
  await client.create(pods, { namespace: "default" }, pod("web", { app: "web" }));
  const at = { namespace: "default", name: "web" };
  await client.patch(pods, at, { metadata: { annotations: { note: "ü" } } }, { type: "merge" });
  await client.patch(pods, at, { metadata: { labels: { app: "other" } } }, { type: "merge" });
  await Promise.all([asValues.third, asJson.third]);
  assert.deepEqual(
    asJson.events.map(({ type }) => type),
    ["ADDED", "MODIFIED", "DELETED"],
  );
  assert.equal(JSON.stringify(sorted(asValues.events)), JSON.stringify(sorted(asJson.events)));
});

test("who does not ask for shared values gets an own copy", async (t) => {
  const client = await start(t);
  await client.create(
    configmaps,
    { namespace: "default" },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "own" },
      data: { key: "stored" },
    },
  );
  const { items } = await client.list(configmaps, { limit: 10 });
  Object.assign(items[0]!, { data: { key: "changed" } });
  const { data } = await client.get(configmaps, { namespace: "default", name: "own" });
  assert.equal(data?.["key"], "stored");
});

/** Members in one order: values keep the order in which they came, JSON has Go's. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, member]) => [key, sorted(member)]));
}
