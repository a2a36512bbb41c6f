import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type ContractCase, contractCases, restartCases, type Subject } from "./contract/cases.ts";
import { clockOf, realTimers } from "./contract/time.ts";
import { openMemoryStore } from "./memory/memory-store.ts";
import { openSqliteStore } from "./sqlite/sqlite-store.ts";
import type { Store } from "./store.ts";

const start = Date.UTC(2026, 0, 1);

async function onMemory(contractCase: ContractCase): Promise<void> {
  const time = { now: start };
  const store = openMemoryStore({ clock: clockOf(time), timers: realTimers, ...contractCase.options });
  await contractCase.run({ store, time, reopen: undefined });
  await store.close();
}

async function onSqlite(contractCase: ContractCase): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "store-"));
  const time = { now: start };
  const options = {
    path: join(folder, "store.db"),
    clock: clockOf(time),
    timers: realTimers,
    failed: (error: Error) => assert.fail(error),
    ...contractCase.options,
  };
  let store: Store = await openSqliteStore(options);
  const subject: Subject = {
    store,
    time,
    reopen: async () => {
      await store.close();
      store = await openSqliteStore(options);
      return store;
    },
  };
  try {
    await contractCase.run(subject);
  } finally {
    await store.close();
    rmSync(folder, { recursive: true });
  }
}

describe("memory store", () => {
  for (const contractCase of contractCases) test(contractCase.name, () => onMemory(contractCase));
});

describe("SQLite store", () => {
  for (const contractCase of [...contractCases, ...restartCases]) test(contractCase.name, () => onSqlite(contractCase));
});
