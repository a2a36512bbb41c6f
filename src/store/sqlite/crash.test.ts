import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { SeededRandom } from "#base/seeded-random.ts";
import { clockOf, realTimers } from "../contract/time.ts";
import type { Store } from "../store.ts";
import { openSqliteStore } from "./sqlite-store.ts";

const kills = 15;
const child = fileURLToPath(import.meta.resolve("./crash-child.ts"));

interface Write {
  readonly writer: number;
  readonly number: number;
  readonly key: string;
  readonly deletes: boolean;
  readonly pair: string;
  readonly revision: number;
}

/** Runs the writing child and kills it after so many acknowledged writes; answers what was acknowledged. */
async function runAndKill(path: string, round: number, writesBeforeKill: number): Promise<Write[]> {
  const process_ = spawn(process.execPath, [child, path, String(round)], {
    stdio: ["ignore", "pipe", "inherit"],
    // The child starts 15 times: compiled once is enough.
    env: { ...process.env, NODE_COMPILE_CACHE: join(dirname(path), "compiled") },
  });
  let output = "";
  let lines = 0;
  process_.stdout.setEncoding("utf8");
  process_.stdout.on("data", (chunk: string) => {
    output += chunk;
    for (const character of chunk) if (character === "\n") lines += 1;
    if (lines >= writesBeforeKill) process_.kill("SIGKILL");
  });
  const signal = await new Promise((resolve) => process_.once("close", (_code, how) => resolve(how)));
  assert.equal(signal, "SIGKILL", "the child writes until it is killed");
  const whole = output.slice(0, output.lastIndexOf("\n")).split("\n");
  return whole.map((line) => {
    const [writer, number, key, deletes, pair, revision] = JSON.parse(line);
    return { writer, number, key, deletes, pair, revision };
  });
}

function numberAt(store: Store, key: string): [round: number, number: number] | undefined {
  const entry = store.snapshot().get(key);
  if (entry === undefined) return undefined;
  const [round, number] = Buffer.from(entry.value).toString().split(".");
  return [Number(round), Number(number)];
}

/** The last acknowledged write of each key must be there, or a later one that was under way when the kill came. */
function checkSurvival(store: Store, round: number, acknowledged: readonly Write[]): void {
  const last = new Map<string, Write>();
  let newest = 0;
  for (const write of acknowledged) {
    last.set(write.key, write);
    newest = Math.max(newest, write.revision);
  }
  assert.ok(store.visible >= newest, "revisions do not go back");
  for (const write of last.values()) {
    const found = numberAt(store, write.key);
    // A writer waits for each answer, so at most its next write may be there without having been acknowledged.
    if (write.deletes) assert.ok(found === undefined, `${write.key} was deleted and is there`);
    else assert.deepEqual(found, [round, write.number], `${write.key} was acknowledged at ${write.revision}`);
  }
  for (const [writer, write] of lastOfWriter(acknowledged)) {
    const pair = numberAt(store, write.pair);
    assert.ok(
      pair !== undefined && pair[0] === round && pair[1] >= write.number,
      `the pair of writer ${writer} is whole`,
    );
  }
}

function lastOfWriter(acknowledged: readonly Write[]): Map<number, Write> {
  const last = new Map<number, Write>();
  for (const write of acknowledged) last.set(write.writer, write);
  return last;
}

test("every acknowledged write survives SIGKILL at any moment under load", { timeout: 600_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "store-crash-"));
  const path = join(folder, "store.db");
  const random = new SeededRandom("kills");
  try {
    let visible = 0;
    for (let round = 0; round < kills; round += 1) {
      const acknowledged = await runAndKill(path, round, 1 + random.below(3_000));
      const open = { path, clock: clockOf({ now: 1_700_000_000_000 }), timers: realTimers, historyBytesMax: 400_000 };
      const store = await openSqliteStore({ ...open, failed: (error) => assert.fail(error) });
      checkSurvival(store, round, acknowledged);
      assert.ok(store.visible > visible);
      visible = store.visible;
      await store.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
