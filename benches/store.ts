import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import type { Clock, Timers } from "#world/clock.ts";
import { openSqliteStore } from "../src/store/sqlite/sqlite-store.ts";
import type { Store } from "../src/store/store.ts";
import { report } from "./report.ts";

/** Durable puts a second with 1,000 writers, beside what the disk and a bare SQLite do. `--folder`: where the file lies. */
const { values: flags } = parseArgs({
  options: {
    folder: { type: "string", default: "/var/tmp" },
    seconds: { type: "string", default: "4" },
    writers: { type: "string", default: "1000" },
    keys: { type: "string", default: "20000" },
  },
});
const durationMs = Number(flags.seconds) * 1_000;
const writers = Number(flags.writers);
const keys = Number(flags.keys);
const folder = mkdtempSync(join(flags.folder, "bench-store-"));

const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
const timers: Timers = {
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  soon: (task) => void setImmediate(task),
  sleep: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
  yield: () => new Promise((resolve) => setImmediate(resolve)),
};

/** Appends of 4 KiB, each synced. */
function bareSyncs(): number {
  const path = join(folder, "sync");
  const file = openSync(path, "w");
  const block = Buffer.alloc(4_096, 1);
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < 1_000) {
    writeSync(file, block);
    fsyncSync(file);
    count += 1;
  }
  closeSync(file);
  return (count * 1_000) / (performance.now() - start);
}

/** Rows a second into the same kind of table, a thousand in a transaction, on this thread with nothing else to do. */
function bareInserts(valueBytes: number): number {
  const database = new DatabaseSync(join(folder, `bare-${valueBytes}.db`));
  database.exec(
    "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0",
  );
  database.exec("CREATE TABLE log (id INTEGER PRIMARY KEY, data BLOB NOT NULL)");
  const insert = database.prepare("INSERT INTO log (id, data) VALUES (?, ?)");
  const value = new Uint8Array(valueBytes).fill(65);
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < 1_500) {
    database.exec("BEGIN IMMEDIATE");
    for (let i = 0; i < 1_000; i += 1) insert.run((count += 1), value);
    database.exec("COMMIT");
  }
  const rate = (count * 1_000) / (performance.now() - start);
  database.close();
  return rate;
}

async function write(store: Store, writer: number, until: number, template: Uint8Array): Promise<number> {
  let count = 0;
  for (let i = writer; performance.now() < until; i += writers) {
    const value = template.slice();
    const key = `/registry/pods/default/web-${i % keys}`;
    const result = await store.commit({ operations: [{ type: "put", key, value, stampAt: 100 }] });
    if (!result.ok) throw new Error("A put without a condition was refused");
    count += 1;
  }
  return count;
}

async function durablePuts(valueBytes: number, target: number): Promise<void> {
  const path = join(folder, `store-${valueBytes}.db`);
  const store = await openSqliteStore({
    path,
    clock,
    timers,
    failed: (error) => {
      throw error;
    },
  });
  const template = new Uint8Array(valueBytes).fill(66);
  await Promise.all(Array.from({ length: writers }, (_, i) => write(store, i, performance.now() + 500, template)));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const cpu = process.cpuUsage();
  const start = performance.now();
  const until = start + durationMs;
  const counts = await Promise.all(Array.from({ length: writers }, (_, i) => write(store, i, until, template)));
  const elapsedMs = performance.now() - start;
  const used = process.cpuUsage(cpu);
  delay.disable();
  const total = counts.reduce((sum, count) => sum + count, 0);
  const name = `durable puts, ${writers} writers, ${valueBytes} B`;
  report({
    bench: "store",
    figure: name,
    value: (total * 1_000) / elapsedMs,
    unit: "1/s",
    floor: bareInserts(valueBytes + 80),
    target,
  });
  report({ bench: "store", figure: `${name}: longest block of the loop`, value: delay.max / 1e6, unit: "ms" });
  report({
    bench: "store",
    figure: `${name}: processor time a put`,
    value: (used.user + used.system) / total,
    unit: "us",
  });
  await store.close();
  const load = performance.now();
  const again = await openSqliteStore({ path, clock, timers, failed: () => undefined });
  const entries = again.snapshot().count("", "\uffff");
  report({
    bench: "store",
    figure: `load after it, ${entries} live entries`,
    value: performance.now() - load,
    unit: "ms",
  });
  await again.close();
}

try {
  report({ bench: "store", figure: "bare fsync of 4 KiB", value: bareSyncs(), unit: "1/s" });
  await durablePuts(256, 100_000);
  await durablePuts(3_500, 30_000);
} finally {
  rmSync(folder, { recursive: true });
}
