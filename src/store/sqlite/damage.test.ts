import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { SeededRandom } from "#base/seeded-random.ts";
import { clockOf, realTimers } from "../contract/time.ts";
import { StoreFailedError, StoreRefusedError } from "../failure.ts";
import type { Store } from "../store.ts";
import { openSqliteStore } from "./sqlite-store.ts";

function open(path: string): Promise<Store> {
  const clock = clockOf({ now: 1_700_000_000_000 });
  return openSqliteStore({ path, clock, timers: realTimers, failed: (error) => assert.fail(error) });
}

function contentOf(store: Store): string {
  const lines: string[] = [String(store.visible)];
  for (const entry of store.snapshot().range("", "\uffff")) {
    lines.push(`${entry.key} ${entry.created} ${entry.modified} ${Buffer.from(entry.value).toString("base64")}`);
  }
  return lines.join("\n");
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "store-damage-"));
  try {
    await run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function fill(path: string): Promise<string> {
  const store = await open(path);
  for (let i = 0; i < 60; i += 1) {
    await store.commit({
      operations: [{ type: "put", key: `k${i % 40}`, value: Buffer.alloc(300 + ((i * 97) % 700), i) }],
      record: { subject: `k${i % 40}`, bytes: Buffer.from("because") },
    });
  }
  await store.commit({ operations: [{ type: "delete", key: "k3" }] });
  const content = contentOf(store);
  await store.close();
  return content;
}

test("a flipped bit anywhere is noticed before anything is served, or changes nothing", { timeout: 600_000 }, () =>
  inFolder(async (folder) => {
    const original = join(folder, "original.db");
    const content = await fill(original);
    const bytes = readFileSync(original);
    const random = new SeededRandom("bits");
    let refused = 0;
    for (let i = 0; i < 120; i += 1) {
      const position = i < 60 ? Math.floor((bytes.length * i) / 60) : random.below(bytes.length);
      const bit = 1 << (i % 8);
      const damaged = Buffer.from(bytes);
      damaged[position]! ^= bit;
      const path = join(folder, "damaged.db");
      writeFileSync(path, damaged);
      let store: Store | undefined;
      try {
        store = await open(path);
      } catch (error) {
        assert.ok(error instanceof StoreRefusedError || error instanceof StoreFailedError, String(error));
        assert.match(error.message, /damaged\.db/u);
        refused += 1;
      }
      if (store !== undefined) {
        assert.equal(contentOf(store), content, `a flip of ${bit} at ${position} is noticed`);
        await store.close();
      }
      for (const suffix of ["", "-wal", "-shm", ".lock"]) rmSync(`${path}${suffix}`, { force: true });
    }
    assert.ok(refused > 40, `most flips hit rows: ${refused} of 120 were refused`);
  }),
);

test("a flipped bit in the write-ahead log after a crash loses no commit silently", () =>
  inFolder(async (folder) => {
    const path = join(folder, "store.db");
    const store = await open(path);
    for (let i = 0; i < 30; i += 1)
      await store.commit({ operations: [{ type: "put", key: `k${i}`, value: Buffer.alloc(900, i) }] });
    const content = contentOf(store);
    const database = readFileSync(path);
    const log = readFileSync(`${path}-wal`);
    await store.close();
    const copy = join(folder, "copy.db");
    const openWith = async (bytes: Uint8Array): Promise<string> => {
      for (const suffix of ["-wal", "-shm", ".lock"]) rmSync(`${copy}${suffix}`, { force: true });
      writeFileSync(copy, database);
      writeFileSync(`${copy}-wal`, bytes);
      const opened = await open(copy);
      const found = contentOf(opened);
      await opened.close();
      return found;
    };
    assert.equal(await openWith(log), content, "an undamaged log gives everything back");
    const torn = log.subarray(0, log.length - 5_000);
    assert.notEqual(await openWith(torn), "", "a torn end is no damage");
    for (let i = 0; i < 40; i += 1) {
      const position = Math.floor((log.length * 0.9 * i) / 40);
      const damaged = Buffer.from(log);
      damaged[position]! ^= 1 << (i % 8);
      await openWith(damaged).then(
        (found) => assert.equal(found, content, `a flip at ${position} is noticed`),
        (error: Error) => assert.equal(error.name, "StoreRefusedError"),
      );
    }
  }));

test("a missing row is noticed", () =>
  inFolder(async (folder) => {
    const path = join(folder, "store.db");
    await fill(path);
    const database = new DatabaseSync(path);
    database.exec("DELETE FROM log WHERE id = (SELECT max(id) FROM log)");
    database.close();
    await assert.rejects(open(path), {
      name: "StoreRefusedError",
      message: /is damaged: it must have 61 rows and has 60.*backup/u,
    });
  }));

test("a file of a newer program is refused, and so is what is no store", () =>
  inFolder(async (folder) => {
    const path = join(folder, "store.db");
    await fill(path);
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 2");
    database.close();
    await assert.rejects(open(path), {
      name: "StoreRefusedError",
      message: /has format 2, this program knows up to 1/u,
    });
    const text = join(folder, "notes.txt");
    writeFileSync(text, "These are notes, not a database.\n".repeat(100));
    await assert.rejects(open(text), { name: "StoreRefusedError", message: /notes\.txt is damaged/u });
    await assert.rejects(open(join(folder, "absent", "store.db")), {
      name: "StoreRefusedError",
      message: /Cannot open the store/u,
    });
  }));

test("a store that is open is refused to others", () =>
  inFolder(async (folder) => {
    const path = join(folder, "store.db");
    const store = await open(path);
    await assert.rejects(open(path), { name: "StoreRefusedError", message: /in use by another process/u });
    await store.close();
    copyFileSync(path, join(folder, "copy.db"));
    await (await open(join(folder, "copy.db"))).close();
  }));

test("when the disk is full the commit says so and the store ends", () =>
  inFolder(async (folder) => {
    const path = join(folder, "store.db");
    const failures: string[] = [];
    const clock = clockOf({ now: 1_700_000_000_000 });
    const store = await openSqliteStore({
      path,
      clock,
      timers: realTimers,
      pagesMax: 40,
      failed: (error) => failures.push(error.message),
    });
    const write = (key: string): Promise<unknown> =>
      store.commit({ operations: [{ type: "put", key, value: Buffer.alloc(20_000) }] });
    await write("first");
    await assert.rejects(
      async () => {
        for (let i = 0; i < 100; i += 1) await write(`k${i}`);
      },
      { name: "StoreFailedError", message: /the disk is full.*Free some space/u },
    );
    await assert.rejects(write("later"), { name: "StoreFailedError" });
    assert.equal(failures.length, 1);
    await store.close();
    const again = await open(path);
    assert.notEqual(again.latest("first"), undefined);
    await again.close();
  }));
