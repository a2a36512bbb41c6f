import { writeSync } from "node:fs";
import { clockOf, realTimers } from "../contract/time.ts";
import { openSqliteStore } from "./sqlite-store.ts";

/** The process that crash.test.ts kills: writes as fast as it can, and prints each write that was acknowledged. */
const [path, round] = process.argv.slice(2);
if (path === undefined || round === undefined) throw new Error("crash-child.ts PATH ROUND");
const store = await openSqliteStore({
  path,
  clock: clockOf({ now: 1_700_000_000_000 }),
  timers: realTimers,
  historyBytesMax: 400_000,
  failed: (error) => {
    throw error;
  },
});

const writers = 40;
const keys = 300;

/** Prints a line at once, also when the reader is slow; a line this short is written whole or not at all. */
function acknowledge(line: string): void {
  for (;;) {
    try {
      writeSync(1, line);
      return;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
    }
  }
}

async function write(writer: number): Promise<never> {
  for (let i = 0; ; i += 1) {
    const key = `w${writer}/${i % keys}`;
    const pair = `p${writer}/${i % 7}`;
    const value = Buffer.from(`${round}.${i}.${"x".repeat((i * 37) % 600)}`);
    const deletes = i % 9 === 8;
    const result = await store.commit({
      operations: [
        deletes ? { type: "delete", key } : { type: "put", key, value },
        { type: "put", key: pair, value: Buffer.from(`${round}.${i}`) },
      ],
      record: { subject: key, bytes: Buffer.from("because") },
    });
    if (!result.ok) throw new Error("A write without a condition was refused");
    acknowledge(`${JSON.stringify([writer, i, key, deletes, pair, result.revision])}\n`);
  }
}

await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
