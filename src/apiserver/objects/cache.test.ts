import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiObject } from "#api/kind.ts";
import type { Entry } from "#store/store.ts";
import { decodedBytesAtRestMax, decodedBytesMax, restLookMs } from "../limits.ts";
import { ObjectCache } from "./cache.ts";
import { encodeStored } from "./stored.ts";

/** Time that stands still until somebody lets it go on. */
function standingTimers() {
  const due: { task: () => void; delayMs: number }[] = [];
  return {
    timers: {
      after: (delayMs: number, task: () => void) => {
        const timer = { task, delayMs };
        due.push(timer);
        return { cancel: () => void due.splice(due.indexOf(timer), 1) };
      },
    },
    due,
    goOn: () => {
      const [timer] = due.splice(0, 1);
      assert.equal(timer?.delayMs, restLookMs);
      timer?.task();
    },
  };
}

const objectBytes = 64 * 1024;

function entries(count: number): Entry[] {
  return Array.from({ length: count }, (_, i) => {
    const metadata = { name: `map-${i}`, namespace: "default" };
    const data = { text: "x".repeat(objectBytes) };
    const { value } = encodeStored({ kind: "ConfigMap", apiVersion: "v1", metadata, data });
    return { key: `/configmaps/default/map-${i}`, value, created: 1, modified: i + 1, attachment: undefined };
  });
}

/** How many of them still have their decoded object. */
function keptOf(all: readonly Entry[]): number {
  return all.filter(({ attachment }) => (attachment as { object?: unknown } | undefined)?.object !== undefined).length;
}

test("decoded objects are kept while many are made, and few of them once the server is at rest", () => {
  const { timers, goOn, due } = standingTimers();
  const cache = new ObjectCache(timers);
  const all = entries(Math.ceil((2 * decodedBytesMax) / objectBytes));
  for (const entry of all) cache.decoded(entry);
  const inAll = Math.floor(decodedBytesMax / (objectBytes + 200));
  assert.ok(Math.abs(keptOf(all) - inAll) <= 1, `${keptOf(all)} of ${inAll} that fit`);
  goOn();
  assert.ok(keptOf(all) > inAll - 2, "much was decoded since the last look: the server is not at rest");
  goOn();
  assert.ok(keptOf(all) * objectBytes <= decodedBytesAtRestMax, "nothing was decoded since: most can go");
  assert.ok(keptOf(all) > 0, "the newest stay");
  assert.equal(due.length, 0, "a server at rest looks no more");
});

test("a server that decodes a little from time to time is at rest, and one that is closed waits for nothing", () => {
  const { timers, goOn, due } = standingTimers();
  const cache = new ObjectCache(timers);
  const all = entries(40);
  for (const entry of all) cache.decoded(entry);
  goOn();
  for (const entry of all.slice(0, 4)) {
    entry.attachment = undefined;
    cache.decoded(entry);
  }
  goOn();
  assert.ok(keptOf(all) * objectBytes <= decodedBytesAtRestMax);
  for (const entry of entries(20)) cache.decoded(entry);
  assert.equal(due.length, 1, "it looks again after more was decoded");
  cache.close();
  assert.equal(due.length, 0);
});

test("loops share what a write made; where it has integers beyond 2^53 they get numbers, like every reader of JSON", () => {
  const cache = new ObjectCache(standingTimers().timers);
  const sharedOf = (count: number | bigint): [written: ApiObject, shared: ApiObject] => {
    const written: ApiObject = { kind: "Thing", apiVersion: "v1", metadata: { name: "x" }, spec: { count } };
    const encoded = encodeStored(written);
    const attachment = cache.attach(written, encoded);
    const entry = { key: "/things/x", value: encoded.value, created: 1, modified: 1, attachment };
    return [written, cache.shared(entry)];
  };
  const [plain, same] = sharedOf(7);
  assert.equal(same, plain);
  assert.deepEqual(sharedOf(2n ** 53n + 1n)[1]["spec"], { count: 2 ** 53 });
});
