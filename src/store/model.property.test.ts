import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { clockOf, realTimers } from "./contract/time.ts";
import { baseRevision } from "./limits.ts";
import { openMemoryStore } from "./memory/memory-store.ts";
import { openSqliteStore } from "./sqlite/sqlite-store.ts";
import type { Delete, Event, Put, Revision, Store } from "./store.ts";

/** Random histories against a table that keeps a whole copy of itself for every revision. */
type Operation = {
  readonly delete: boolean;
  readonly key: number;
  readonly expect: "any" | "current" | "absent" | "wrong";
};
type Step =
  | { readonly do: "commit"; readonly operations: readonly Operation[]; readonly wait: boolean }
  | { readonly do: "follow" | "read"; readonly back: number }
  | { readonly do: "compact"; readonly back: number }
  | { readonly do: "restart" };

const operation: fc.Arbitrary<Operation> = fc.record({
  delete: fc.integer({ min: 0, max: 3 }).map((one) => one === 0),
  key: fc.nat(12),
  expect: fc.constantFrom("any", "any", "current", "current", "absent", "wrong"),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("commit" as const),
      operations: fc.uniqueArray(operation, { minLength: 1, maxLength: 3, selector: (one) => one.key }),
      wait: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("follow" as const, "read" as const), back: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("compact" as const), back: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.constant({ do: "restart" as const }) },
);

interface Version {
  readonly text: string;
  readonly modified: Revision;
}

class Model {
  store: Store;
  head = new Map<string, Version>();
  /** The whole table after each revision. */
  readonly tables = new Map<Revision, ReadonlyMap<string, Version>>();
  readonly log: { revision: Revision; line: string }[] = [];
  readonly pending: Promise<void>[] = [];
  readonly followers: { from: Revision; lines: string[]; ended: boolean }[] = [];
  #count = 0;

  constructor(store: Store) {
    this.store = store;
    this.tables.set(store.visible, new Map());
  }

  commit(operations: readonly Operation[]): void {
    const current = (key: string): Revision => this.head.get(key)?.modified ?? 0;
    const wanted = operations.map((one): Put | Delete => {
      const key = `k${one.key}`;
      const expected = { any: undefined, current: current(key), absent: 0, wrong: baseRevision + 999_999_999 }[
        one.expect
      ];
      const value = Buffer.from(`v${(this.#count += 1)}`);
      const condition = expected === undefined ? {} : { expect: expected };
      return one.delete ? { type: "delete", key, ...condition } : { type: "put", key, value, ...condition };
    });
    const refused = wanted.find((one) => one.expect !== undefined && one.expect !== current(one.key));
    const newest = Math.max(...this.tables.keys());
    if (refused === undefined) this.#apply(wanted, newest + 1);
    this.pending.push(
      this.store.commit({ operations: wanted }).then((result) => {
        assert.equal(result.ok, refused === undefined);
        if (result.ok) assert.equal(result.revision, newest + 1);
      }),
    );
  }

  #apply(operations: readonly (Put | Delete)[], revision: Revision): void {
    const table = new Map(this.head);
    for (const one of operations) {
      const before = table.get(one.key);
      if (one.type === "put") {
        const text = Buffer.from(one.value).toString();
        table.set(one.key, { text, modified: revision });
        this.log.push({ revision, line: `${revision} put ${one.key} ${text} ${before?.text}` });
      } else if (before !== undefined) {
        table.delete(one.key);
        this.log.push({ revision, line: `${revision} delete ${one.key} ${before.text} ${before.text}` });
      }
    }
    this.head = table;
    this.tables.set(revision, table);
  }

  async settle(): Promise<void> {
    await Promise.all(this.pending.splice(0));
    assert.equal(this.store.visible, Math.max(...this.tables.keys()));
  }

  read(back: number): void {
    const revision = this.store.visible - back;
    const snapshot = this.store.snapshot(revision);
    if (revision < this.store.compacted) {
      assert.equal(snapshot, "compacted");
      return;
    }
    assert.ok(typeof snapshot === "object");
    const found = Array.from(snapshot.range("", "\uffff"), (entry) => [
      entry.key,
      Buffer.from(entry.value).toString(),
      entry.modified,
    ]);
    const expected = [...this.tables.get(revision)!].map(([key, version]) => [key, version.text, version.modified]);
    assert.deepEqual(
      found,
      expected.toSorted(([a], [b]) => (a! < b! ? -1 : 1)),
    );
    assert.equal(snapshot.count("k1", "k2"), found.filter(([key]) => key! >= "k1" && key! < "k2").length);
  }

  follow(back: number): void {
    const from = this.store.visible - back;
    const follower = { from, lines: [] as string[], ended: false };
    const following = this.store.follow(from, {
      events: (batch: readonly Event[]) => {
        for (const { revision, type, key, entry, previous } of batch) {
          const before = previous === undefined ? undefined : Buffer.from(previous.value).toString();
          follower.lines.push(`${revision} ${type} ${key} ${Buffer.from(entry.value).toString()} ${before}`);
        }
      },
      progress: () => undefined,
      end: () => {
        follower.ended = true;
      },
    });
    if (from < this.store.compacted) assert.equal(following, "compacted");
    else this.followers.push(follower);
  }

  /** Every follower has seen everything above its start, once and in order. */
  async checkFollowers(): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) await realTimers.yield();
    for (const follower of this.followers.splice(0)) {
      const expected = this.log.filter(({ revision }) => revision > follower.from).map(({ line }) => line);
      if (follower.ended) assert.deepEqual(follower.lines, expected.slice(0, follower.lines.length));
      else assert.deepEqual(follower.lines, expected);
    }
  }
}

async function play(model: Model, steps: readonly Step[], restart: (() => Promise<Store>) | undefined): Promise<void> {
  for (const one of steps) {
    if (one.do === "commit") {
      model.commit(one.operations);
      if (one.wait) await model.settle();
      continue;
    }
    if (one.do === "follow") model.follow(one.back);
    else if (one.do === "read") model.read(one.back);
    else if (one.do === "compact") {
      const upTo = model.store.visible - one.back;
      await model.store.compact(upTo);
      assert.ok(model.store.compacted >= upTo);
    } else if (restart !== undefined) {
      await model.settle();
      await model.checkFollowers();
      const { compacted } = model.store;
      model.store = await restart();
      assert.ok(model.store.compacted >= compacted);
    }
  }
  await model.settle();
  await model.checkFollowers();
  model.read(0);
}

const clock = clockOf({ now: 1_700_000_000_000 });

test("the memory store behaves like a table with copies", () =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80, size: "max" }), async (steps) => {
      const store = openMemoryStore({ clock, timers: realTimers });
      await play(new Model(store), steps, undefined);
      await store.close();
    }),
    { numRuns: 150 },
  ));

test("so does the SQLite store, also across restarts", { timeout: 600_000 }, () =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), async (steps) => {
      const folder = mkdtempSync(join(tmpdir(), "store-model-"));
      const failed = (error: Error): never => assert.fail(error);
      const options = { path: join(folder, "store.db"), clock, timers: realTimers, historyBytesMax: 20_000, failed };
      const model = new Model(await openSqliteStore(options));
      try {
        await play(model, steps, async () => {
          await model.store.close();
          return openSqliteStore(options);
        });
      } finally {
        await model.store.close();
        rmSync(folder, { recursive: true });
      }
    }),
    { numRuns: 25, endOnFailure: true },
  ),
);
