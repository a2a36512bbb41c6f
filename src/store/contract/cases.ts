import assert from "node:assert/strict";
import { baseRevision } from "../limits.ts";
import type { CommitResult, Entry, Event, Revision, Store, Transaction } from "../store.ts";

/** A store to judge, and time that the case may move. */
export interface Subject {
  readonly store: Store;
  /** Milliseconds. */
  time: { now: number };
  /** Closes the store and opens what it kept again; undefined for stores that forget. */
  readonly reopen: (() => Promise<Store>) | undefined;
}

export interface ContractCase {
  readonly name: string;
  readonly options?: { readonly historyBytesMax?: number; readonly historyWindowMs?: number };
  run(subject: Subject): Promise<void>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

function text(entry: Entry | undefined): string | undefined {
  return entry === undefined ? undefined : decoder.decode(entry.value);
}

async function commit(store: Store, operations: Transaction["operations"]): Promise<CommitResult & { ok: true }> {
  const result = await store.commit({ operations });
  assert.ok(result.ok, "the transaction is accepted");
  return result;
}

async function put(store: Store, key: string, value: string, expect?: Revision): Promise<Revision> {
  const operation = { type: "put", key, value: bytes(value) } as const;
  return (await commit(store, [expect === undefined ? operation : { ...operation, expect }])).revision;
}

async function remove(store: Store, key: string): Promise<Revision> {
  return (await commit(store, [{ type: "delete", key }])).revision;
}

/** What a follower was told, one line for each call. */
class Recorder {
  readonly lines: string[] = [];
  readonly batches: (readonly Event[])[] = [];
  ended: string | undefined;
  #wanted: { revision: Revision; done: () => void } | undefined;
  #position = 0;

  events(batch: readonly Event[]): void {
    this.batches.push(batch);
    for (const event of batch) {
      assert.ok(event.revision > this.#position, "events are above what was reported as progress");
      const previous = event.previous === undefined ? "" : ` was ${text(event.previous)}`;
      this.lines.push(`${event.revision - baseRevision} ${event.type} ${event.key}=${text(event.entry)}${previous}`);
    }
  }

  progress(revision: Revision): void {
    assert.ok(revision >= this.#position, "progress does not go back");
    this.#position = revision;
    if (this.#wanted !== undefined && revision >= this.#wanted.revision) this.#wanted.done();
  }

  end(end: { reason: string }): void {
    this.ended = end.reason;
    this.#wanted?.done();
  }

  reached(revision: Revision): Promise<void> {
    if (this.#position >= revision || this.ended !== undefined) return Promise.resolve();
    return new Promise((done) => {
      this.#wanted = { revision, done };
    });
  }
}

function follow(store: Store, from: Revision): { recorder: Recorder; close(): void } {
  const recorder = new Recorder();
  const following = store.follow(from, recorder);
  assert.ok(typeof following === "object", `following from ${from - baseRevision} is possible`);
  return { recorder, close: () => following.close() };
}

function contents(entries: Iterable<Entry>): string[] {
  return Array.from(entries, (entry) => `${entry.key}=${text(entry)}`);
}

function exactly(store: Store, revision: Revision): string[] {
  const snapshot = store.snapshot(revision);
  assert.ok(typeof snapshot === "object", `revision ${revision - baseRevision} is kept`);
  assert.equal(snapshot.revision, revision);
  return contents(snapshot.range("", "\uffff"));
}

const readingAndWriting: ContractCase[] = [
  {
    name: "a new store is empty and its first revision has 13 digits",
    async run({ store }) {
      assert.equal(store.visible, baseRevision);
      assert.deepEqual(contents(store.snapshot().range("", "\uffff")), []);
      assert.equal(await put(store, "a", "1"), baseRevision + 1);
      assert.equal(String(store.visible).length, 13);
    },
  },
  {
    name: "an entry knows its first and its last revision",
    async run({ store }) {
      const first = await put(store, "a", "1");
      await put(store, "b", "x");
      const third = await put(store, "a", "2");
      const entry = store.snapshot().get("a");
      assert.deepEqual([text(entry), entry?.created, entry?.modified], ["2", first, third]);
      await remove(store, "a");
      const again = await put(store, "a", "3");
      assert.equal(store.snapshot().get("a")?.created, again);
    },
  },
  {
    name: "the revision is written into the value where the writer wants it",
    async run({ store }) {
      const value = bytes(`{"resourceVersion":"0000000000000"}`);
      const { revision } = await commit(store, [{ type: "put", key: "a", value, stampAt: 20 }]);
      assert.equal(text(store.snapshot().get("a")), `{"resourceVersion":"${revision}"}`);
      const last = bytes("0000000000000!");
      const deleted = await commit(store, [{ type: "delete", key: "a", value: last, stampAt: 0 }]);
      assert.equal(text(deleted.entries[0]), `${deleted.revision}!`);
      await assert.rejects(
        store.commit({ operations: [{ type: "put", key: "b", value: bytes("short"), stampAt: 0 }] }),
        RangeError,
      );
      assert.equal(store.latest("b"), undefined);
    },
  },
  {
    name: "compare-and-set refuses what was judged on an older state and writes nothing",
    async run({ store }) {
      const first = await put(store, "a", "1", 0);
      const refused = await store.commit({
        operations: [
          { type: "put", key: "b", value: bytes("x") },
          { type: "put", key: "a", value: bytes("2"), expect: 0 },
        ],
      });
      assert.ok(!refused.ok && refused.reason === "conflict");
      assert.deepEqual([refused.key, text(refused.actual)], ["a", "1"]);
      assert.equal(store.latest("b"), undefined);
      assert.equal(store.visible, first);
      await put(store, "a", "2", first);
      const absent = await store.commit({ operations: [{ type: "delete", key: "none", expect: first }] });
      assert.ok(!absent.ok && absent.reason === "conflict" && absent.actual === undefined);
      const stale = await store.commit({ operations: [{ type: "delete", key: "a", expect: first }] });
      assert.ok(!stale.ok);
    },
  },
  {
    name: "several operations are one revision, and a key may appear once",
    async run({ store }) {
      await put(store, "gone", "1");
      const { revision, entries } = await commit(store, [
        { type: "put", key: "a", value: bytes("1") },
        { type: "delete", key: "gone" },
        { type: "delete", key: "never" },
        { type: "put", key: "b", value: bytes("2") },
      ]);
      assert.deepEqual(
        entries.map((entry) => entry?.modified),
        [revision, revision, undefined, revision],
      );
      assert.deepEqual(contents(store.snapshot().range("", "\uffff")), ["a=1", "b=2"]);
      const twice = { type: "put", key: "a", value: bytes("1") } as const;
      await assert.rejects(store.commit({ operations: [twice, twice] }), RangeError);
    },
  },
  {
    name: "a write is judged against head before it is visible, and its answer follows its visibility",
    async run({ store }) {
      const before = store.visible;
      const first = store.commit({ operations: [{ type: "put", key: "a", value: bytes("1"), expect: 0 }] });
      const second = store.commit({ operations: [{ type: "put", key: "a", value: bytes("2"), expect: 0 }] });
      assert.equal(text(store.latest("a")), "1");
      assert.equal(store.latestCount("", "b"), 1);
      assert.equal(store.visible, before);
      assert.equal(store.snapshot().get("a"), undefined);
      assert.equal((await second).ok, false);
      const result = await first;
      assert.ok(result.ok && store.visible >= result.revision);
      assert.equal(text(store.snapshot().get("a")), "1");
    },
  },
  {
    name: "ranges are ordered, half open, and counted",
    async run({ store }) {
      await Promise.all(["c", "a", "d", "b", "ab"].map((key) => put(store, key, key)));
      const snapshot = store.snapshot();
      assert.deepEqual(contents(snapshot.range("ab", "d")), ["ab=ab", "b=b", "c=c"]);
      assert.equal(snapshot.count("ab", "d"), 3);
      assert.equal(snapshot.count("d", "ab"), 0);
      assert.deepEqual(contents(snapshot.range("x", "z")), []);
    },
  },
  {
    name: "a leader that was followed by a later one cannot write",
    async run({ store }) {
      const write = (number: number): Promise<CommitResult> =>
        store.commit({
          operations: [{ type: "put", key: "a", value: bytes(String(number)) }],
          epoch: { leader: "controllers", number },
        });
      assert.equal((await write(3)).ok, true);
      assert.equal((await write(3)).ok, true);
      assert.equal((await write(5)).ok, true);
      assert.deepEqual(await write(4), { ok: false, reason: "stale-epoch", current: 5 });
      const other = await store.commit({ operations: [], epoch: { leader: "scheduler", number: 1 } });
      assert.equal(other.ok, true);
      assert.equal(text(store.latest("a")), "5");
    },
  },
];

const history: ContractCase[] = [
  {
    name: "the state at every revision stays readable",
    async run({ store }) {
      const expected = new Map<Revision, string[]>([[store.visible, []]]);
      for (let i = 0; i < 60; i += 1) {
        const key = `k${i % 7}`;
        const revision = i % 5 === 4 ? await remove(store, key) : await put(store, key, String(i));
        expected.set(revision, contents(store.snapshot().range("", "\uffff")));
      }
      for (const [revision, state] of [...expected].toReversed()) assert.deepEqual(exactly(store, revision), state);
      assert.equal(store.snapshot(store.visible + 1), "future");
    },
  },
  {
    name: "a snapshot does not change",
    async run({ store }) {
      await put(store, "a", "1");
      const snapshot = store.snapshot();
      await put(store, "a", "2");
      await remove(store, "a");
      assert.deepEqual(contents(snapshot.range("", "\uffff")), ["a=1"]);
    },
  },
  {
    name: "compaction ends exact reads and follows below it, and nothing else",
    async run({ store }) {
      const first = await put(store, "a", "1");
      const second = await put(store, "a", "2");
      await put(store, "a", "3");
      await store.compact(second);
      assert.equal(store.compacted, second);
      assert.equal(store.snapshot(first), "compacted");
      assert.equal(store.follow(first, new Recorder()), "compacted");
      assert.deepEqual(exactly(store, second), ["a=2"]);
      const { recorder, close } = follow(store, second);
      await recorder.reached(store.visible);
      assert.deepEqual(recorder.lines, ["3 put a=3 was 2"]);
      close();
      await store.compact(first);
      assert.equal(store.compacted, second);
    },
  },
  {
    name: "history leaves after its window",
    options: { historyWindowMs: 1_000 },
    async run({ store, time }) {
      const first = await put(store, "a", "1");
      time.now += 900;
      const second = await put(store, "a", "2");
      assert.deepEqual(exactly(store, first), ["a=1"]);
      time.now += 900;
      await put(store, "a", "3");
      assert.equal(store.snapshot(first - 1), "compacted");
      assert.deepEqual(exactly(store, first), ["a=1"]);
      assert.deepEqual(exactly(store, second), ["a=2"]);
    },
  },
  {
    name: "what was replaced keeps its attachment for a moment only, what stands keeps it",
    async run({ store, time }) {
      const value = (): Uint8Array => bytes("x");
      await commit(store, [{ type: "put", key: "a", value: value(), attachment: "first" }]);
      const first = store.latest("a")!;
      await commit(store, [{ type: "put", key: "a", value: value(), attachment: "second" }]);
      assert.equal(first.attachment, "first");
      time.now += 11_000;
      await store.compact(store.visible - 1);
      await put(store, "b", "1");
      await put(store, "b", "2");
      assert.equal(first.attachment, undefined);
      assert.equal(store.latest("a")?.attachment, "second");
    },
  },
  {
    name: "history stays below its bytes",
    options: { historyBytesMax: 100_000 },
    async run({ store }) {
      for (let i = 0; i < 30; i += 1) await put(store, "a", "x".repeat(10_000));
      assert.ok(store.compacted >= store.visible - 11, "at most ten replaced values are kept");
      assert.ok(store.compacted < store.visible, "the newest are kept");
    },
  },
];

const following: ContractCase[] = [
  {
    name: "a follower gets every event above its start, once and in order",
    async run({ store }) {
      await put(store, "a", "1");
      const from = store.visible;
      await put(store, "a", "2");
      const { recorder, close } = follow(store, from);
      await put(store, "b", "3");
      await remove(store, "a");
      await recorder.reached(store.visible);
      assert.deepEqual(recorder.lines, ["2 put a=2 was 1", "3 put b=3", "4 delete a=2 was 2"]);
      close();
      await put(store, "c", "4");
      assert.equal(recorder.lines.length, 3);
    },
  },
  {
    name: "a deletion carries the last state that its writer gave",
    async run({ store }) {
      await put(store, "a", "1");
      const { recorder } = follow(store, store.visible);
      await commit(store, [{ type: "delete", key: "a", value: bytes("last") }]);
      await recorder.reached(store.visible);
      assert.deepEqual(recorder.lines, ["2 delete a=last was 1"]);
    },
  },
  {
    name: "events of one revision are never split",
    async run({ store }) {
      const from = store.visible;
      const operations = (prefix: string): Transaction["operations"] =>
        Array.from({ length: 700 }, (_, i) => ({ type: "put", key: `${prefix}${i}`, value: bytes("x") }));
      await Promise.all([
        commit(store, operations("a")),
        commit(store, operations("b")),
        commit(store, operations("c")),
      ]);
      const { recorder } = follow(store, from);
      await recorder.reached(store.visible);
      assert.equal(recorder.lines.length, 2_100);
      const seen = new Set<Revision>();
      for (const batch of recorder.batches) {
        for (const revision of new Set(batch.map((event) => event.revision))) {
          assert.ok(!seen.has(revision), "a revision comes in one batch");
          seen.add(revision);
        }
      }
    },
  },
  {
    name: "no follower starts in the future, and none is called before follow returned",
    async run({ store }) {
      await put(store, "a", "1");
      assert.equal(store.follow(store.visible + 1, new Recorder()), "future");
      const { recorder } = follow(store, baseRevision);
      assert.equal(recorder.lines.length, 0);
      await recorder.reached(store.visible);
      assert.equal(recorder.lines.length, 1);
    },
  },
  {
    name: "compaction ends a follower that still needs what is gone",
    async run({ store }) {
      const from = store.visible;
      for (let i = 0; i < 5; i += 1) await put(store, "a", String(i));
      const { recorder } = follow(store, from);
      await store.compact(store.visible);
      assert.equal(recorder.ended, "compacted");
      assert.deepEqual(recorder.lines, []);
    },
  },
  {
    name: "closing the store ends followers after the last event",
    async run({ store }) {
      const { recorder } = follow(store, store.visible);
      const last = put(store, "a", "1");
      await store.close();
      await last;
      assert.deepEqual([recorder.lines, recorder.ended], [["1 put a=1"], "closed"]);
      await assert.rejects(put(store, "a", "2"), /closed/u);
    },
  },
  {
    name: "many writers at once: every answer is visible, revisions have no gap",
    async run({ store }) {
      const { recorder } = follow(store, store.visible);
      const revisions = await Promise.all(
        Array.from({ length: 2_000 }, async (_, i) => {
          const revision = await put(store, `k${i % 500}`, String(i));
          assert.ok(store.visible >= revision);
          return revision;
        }),
      );
      assert.deepEqual(
        revisions.map((revision) => revision - baseRevision),
        Array.from(revisions, (_, i) => i + 1),
      );
      await recorder.reached(store.visible);
      assert.equal(recorder.lines.length, 2_000);
      assert.equal(store.snapshot().count("", "\uffff"), 500);
    },
  },
];

const records: ContractCase[] = [
  {
    name: "reason records are found by subject, newest first",
    async run({ store }) {
      const write = (subject: string, reason: string): Promise<CommitResult> =>
        store.commit({
          operations: [{ type: "put", key: subject, value: bytes("x") }],
          record: { subject, bytes: bytes(reason) },
        });
      await write("pods/a", "created");
      await write("pods/b", "created too");
      await write("pods/a", "bound");
      const found = await store.records("pods/a", 10);
      assert.deepEqual(
        found.map((record) => decoder.decode(record.bytes)),
        ["bound", "created"],
      );
      assert.deepEqual(
        found.map((record) => record.revision - baseRevision),
        [3, 1],
      );
      assert.equal((await store.records("pods/a", 1)).length, 1);
      assert.deepEqual(await store.records("pods/c", 1), []);
    },
  },
  {
    name: "records of all subjects after a revision are found, oldest first",
    async run({ store }) {
      const write = async (key: string, subject: string): Promise<Revision> => {
        const record = { subject, bytes: bytes(`because of ${key}`) };
        const result = await store.commit({ operations: [{ type: "put", key, value: bytes("x") }], record });
        assert.ok(result.ok);
        return result.revision;
      };
      const first = await write("a", "pods/a");
      const second = await write("b", "pods/b");
      const third = await write("c", "pods/a");
      const found = await store.recordsAfter(first);
      assert.deepEqual(
        found.map((record) => [record.revision, record.subject, decoder.decode(record.bytes)]),
        [
          [second, "pods/b", "because of b"],
          [third, "pods/a", "because of c"],
        ],
      );
      assert.deepEqual(await store.recordsAfter(third), []);
    },
  },
  {
    name: "records of one subject are bounded",
    async run({ store }) {
      for (let i = 0; i < 300; i += 1)
        void store.commit({ operations: [], record: { subject: "a", bytes: bytes(String(i)) } });
      await put(store, "end", "");
      const found = await store.records("a", 1_000);
      assert.deepEqual(
        [found.length, decoder.decode(found[0]!.bytes), decoder.decode(found.at(-1)!.bytes)],
        [128, "299", "172"],
      );
    },
  },
];

/** Only for stores that keep what they are given. */
const restarting: ContractCase[] = [
  {
    name: "after a restart everything is there, and revisions go on",
    async run({ store, reopen }) {
      await put(store, "a", "1");
      await put(store, "b", "1");
      const revision = await put(store, "a", "2");
      await remove(store, "b");
      const write = {
        operations: [],
        record: { subject: "a", bytes: bytes("because") },
        epoch: { leader: "l", number: 7 },
      };
      await store.commit(write);
      const again = await reopen!();
      assert.equal(again.visible, store.visible);
      assert.deepEqual(contents(again.snapshot().range("", "\uffff")), ["a=2"]);
      assert.deepEqual([again.latest("a")?.created, again.latest("a")?.modified], [baseRevision + 1, revision]);
      assert.equal((await again.records("a", 5)).length, 1);
      assert.deepEqual(await again.commit({ operations: [], epoch: { leader: "l", number: 6 } }), {
        ok: false,
        reason: "stale-epoch",
        current: 7,
      });
      assert.equal(await put(again, "c", "3"), store.visible + 1);
    },
  },
  {
    name: "watches resume across a restart, exact reads too",
    async run({ store, reopen }) {
      const first = await put(store, "a", "1");
      await put(store, "a", "2");
      await commit(store, [
        { type: "delete", key: "a", value: bytes("last") },
        { type: "put", key: "b", value: bytes("1") },
      ]);
      const again = await reopen!();
      const { recorder } = follow(again, first);
      await recorder.reached(again.visible);
      assert.deepEqual(recorder.lines, ["2 put a=2 was 1", "3 delete a=last was 2", "3 put b=1"]);
      assert.deepEqual(exactly(again, first), ["a=1"]);
    },
  },
  {
    name: "what was compacted stays compacted after a restart, and the rest is whole",
    options: { historyBytesMax: 50_000 },
    async run({ store, reopen }) {
      const filler = "x".repeat(50);
      for (let i = 0; i < 3_000; i += 1) {
        const key = `k${(i * 31) % 97}`;
        if (i % 11 === 0) void store.commit({ operations: [{ type: "delete", key }] });
        else
          void store.commit({
            operations: [
              { type: "put", key, value: bytes(`${i} ${filler}`) },
              { type: "put", key: "all", value: bytes("y") },
            ],
          });
        if (i % 50 === 0) await put(store, "tick", String(i));
      }
      await put(store, "tick", "end");
      await store.compact(store.visible - 20);
      const { compacted } = store;
      const state = contents(store.snapshot().range("", "\uffff"));
      for (let i = 0; i < 10; i += 1) state.push(`new${i}=`);
      for (let i = 0; i < 10; i += 1) await put(store, `new${i}`, "");
      const again = await reopen!();
      assert.ok(again.compacted >= compacted);
      assert.equal(again.follow(compacted - 1, new Recorder()), "compacted");
      assert.deepEqual(contents(again.snapshot().range("", "\uffff")).toSorted(), state.toSorted());
      const { recorder } = follow(again, again.visible - 10);
      await recorder.reached(again.visible);
      assert.equal(recorder.lines.length, 10);
    },
  },
  {
    name: "a thousand operations in one transaction survive a restart, as do dropped and deleted keys",
    async run({ store, reopen }) {
      const key = (i: number): string => `k${String(i).padStart(4, "0")}`;
      const all = (value: string): Transaction["operations"] =>
        Array.from({ length: 1_000 }, (_, i) => ({ type: "put", key: key(i), value: bytes(value) }));
      await commit(store, all("1"));
      await commit(store, all("2"));
      for (let i = 0; i < 900; i += 1) void store.commit({ operations: [{ type: "delete", key: key(i) }] });
      await put(store, "z", "z");
      await store.compact(store.visible);
      const again = await reopen!();
      assert.equal(again.snapshot().count("", "\uffff"), 101);
      assert.equal(text(again.latest(key(950))), "2");
      assert.equal(await put(again, key(1), "new"), store.visible + 1);
    },
  },
];

/** What every store must do, whatever it is made of. */
export const contractCases: readonly ContractCase[] = [...readingAndWriting, ...history, ...following, ...records];
export const restartCases: readonly ContractCase[] = restarting;
