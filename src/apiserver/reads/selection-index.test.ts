/** Indexes answer what looking at everything answers, whatever changes meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFieldSelector } from "#api/field-selectors.ts";
import { kinds } from "#api/kinds.ts";
import { parseLabelSelector } from "#api/selectors.ts";
import { openMemoryStore } from "#store/memory/memory-store.ts";
import { SeededRandom } from "#base/seeded-random.ts";
import { realClock, realTimers } from "#world/node/clock.ts";
import { endOf, keyOf } from "../keys.ts";
import { ObjectCache } from "../objects/cache.ts";
import { encodeStored } from "../objects/stored.ts";
import { Registry } from "../registry.ts";
import { SelectionIndexes } from "./selection-index.ts";
import { selects, type Selection } from "./selection.ts";

const timers = realTimers({ keepAlive: true });
const served = new Registry(kinds).find("v1", "pods")!;
const objectsCount = 1_500;

function selectionOf(labelText: string, fieldText: string, namespace = ""): Selection {
  const labels = parseLabelSelector(labelText);
  const fields = parseFieldSelector(fieldText, served.kind);
  assert.ok(labels.ok && fields.ok);
  const given = labelText === "" ? undefined : labels.selector;
  return { served, namespace, name: "", labels: given, fields: fieldText === "" ? [] : fields.selector.terms };
}

const selections = [
  selectionOf("app=a1", ""),
  selectionOf("app=a1,tier=t2", "", "n1"),
  selectionOf("app in (a1, a3),tier!=t1", ""),
  selectionOf("rare", ""),
  selectionOf("app=nothing", ""),
  selectionOf("", "spec.nodeName=node-3"),
  selectionOf("tier=t1", "spec.nodeName=node-3,status.phase!=Running"),
];

function start() {
  const store = openMemoryStore({ clock: realClock, timers });
  const objects = new ObjectCache(timers);
  const random = new SeededRandom("indexes");
  const below = (count: number): number => random.below(count);
  const put = (i: number): Promise<unknown> => {
    const namespace = `n${i % 3}`;
    const name = `pod-${i}`;
    const labels: Record<string, string> = { app: `a${below(40)}`, tier: `t${below(5)}` };
    if (below(300) === 0) labels["rare"] = "";
    const metadata = { name, namespace, labels, annotations: { note: '"labels":{"app":"a1"}' } };
    const spec = { nodeName: `node-${below(100)}`, containers: [] };
    const status = { phase: below(2) === 0 ? "Running" : "Pending" };
    const { value, stampAt } = encodeStored({ kind: "Pod", apiVersion: "v1", metadata, spec, status });
    return store.commit({ operations: [{ type: "put", key: keyOf(served.prefix, namespace, name), value, stampAt }] });
  };
  const remove = (i: number): Promise<unknown> =>
    store.commit({ operations: [{ type: "delete", key: keyOf(served.prefix, `n${i % 3}`, `pod-${i}`) }] });
  const indexes = new SelectionIndexes({ store, objects, timers, clock: realClock });

  /** Keys by the index and by looking at everything; undefined: no index stands yet. */
  const both = (selection: Selection): { byIndex: string[]; byLooking: string[] } | undefined => {
    const from = selection.namespace === "" ? served.prefix : `${served.prefix}${selection.namespace}/`;
    const snapshot = store.snapshot();
    const found = indexes.candidates(selection, snapshot, from, endOf(from));
    if (found === undefined) return undefined;
    const wanted = (entries: Iterable<Parameters<typeof selects>[1]>): string[] =>
      [...entries].filter((entry) => selects(selection, entry, objects)).map(({ key }) => key);
    return { byIndex: wanted(found), byLooking: wanted(snapshot.range(from, endOf(from))) };
  };
  return { store, indexes, put, remove, below, both };
}

type Started = ReturnType<typeof start>;

async function agrees({ both }: Started): Promise<void> {
  for (const selection of selections) {
    let found = both(selection);
    for (let turns = 0; found === undefined; turns += 1) {
      assert.ok(turns < 100_000, "no index was made");
      await timers.yield();
      found = both(selection);
    }
    assert.deepEqual(found.byIndex, found.byLooking);
  }
}

test("an index answers what looking at everything answers, also after changes and deletions", async () => {
  const started = start();
  const { put, remove, below, indexes, store } = started;
  await Promise.all(Array.from({ length: objectsCount }, (_, i) => put(i)));
  await agrees(started);
  for (let round = 0; round < 5; round += 1) {
    const changes = Array.from({ length: 200 }, () => below(objectsCount + 100));
    await Promise.all(changes.map((i) => (below(4) === 0 ? remove(i) : put(i))));
    await agrees(started);
  }
  indexes.close();
  await store.close();
});

test("changes while an index is made are in it", async () => {
  const started = start();
  const { put, both, indexes, store } = started;
  await Promise.all(Array.from({ length: objectsCount }, (_, i) => put(i)));
  both(selections[0]!);
  await Promise.all(Array.from({ length: 300 }, (_, i) => put(i)));
  await agrees(started);
  indexes.close();
  await store.close();
});

test("the past, and small resources, are looked at as a whole", async () => {
  const started = start();
  const { put, both, indexes, store } = started;
  await put(1);
  assert.equal(both(selections[0]!), undefined);
  await Promise.all(Array.from({ length: objectsCount }, (_, i) => put(i)));
  await agrees(started);
  const past = store.snapshot();
  await put(1);
  assert.equal(indexes.candidates(selections[0]!, past, served.prefix, endOf(served.prefix)), undefined);
  indexes.close();
  await store.close();
});
