/** A change that a crowd watches reaches everybody once and in order, a part of the crowd at a time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteSink } from "#world/http.ts";
import { realClock } from "../../src/world/node/clock.ts";
import { send, startInProcess, type TestServer } from "./harness.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const crowd = 200;

/** What a watcher got: `TYPE serial`. */
interface Watching {
  readonly seen: string[];
  readonly close: () => void;
}

async function watch(server: TestServer, target: string, written: () => void): Promise<Watching> {
  const response = await server.transport.send({ method: "GET", target, headers: {}, body: new Uint8Array(0) });
  assert.ok("open" in response.body);
  const { body } = response;
  const seen: string[] = [];
  const sink: ByteSink = {
    write: (chunk) => {
      written();
      for (const line of Buffer.from(chunk).toString().trim().split("\n")) {
        const { type, object } = JSON.parse(line) as { type: string; object: { data: { serial: string } } };
        seen.push(`${type} ${object.data.serial}`);
      }
      return true;
    },
    end: () => undefined,
    abort: assert.fail,
  };
  body.open(sink);
  return { seen, close: () => body.close() };
}

async function until(holds: () => boolean): Promise<void> {
  for (let looks = 0; !holds(); looks += 1) {
    assert.ok(looks < 10_000_000, "it never came");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a crowd hears of a change in several turns, each watcher once and in order", async () => {
  // Each look at the clock takes a millisecond: a slice is over after a few watchers.
  let nowMs = 0;
  const server = await startInProcess({ clock: { now: () => realClock.now(), monotonic: () => (nowMs += 1) } });
  let turns = 0;
  let isInTurn = false;
  const written = (): void => {
    if (isInTurn) return;
    isInTurn = true;
    turns += 1;
    queueMicrotask(() => {
      isInTurn = false;
    });
  };
  try {
    await send(server, "POST", "/api/v1/namespaces", { metadata: { name: "default" } });
    const { body } = await send(server, "POST", maps, { metadata: { name: "watched" }, data: { serial: "0" } });
    const { resourceVersion } = body["metadata"] as { resourceVersion: string };
    const target = `${maps}?watch=1&resourceVersion=${resourceVersion}`;
    const all = await Promise.all(Array.from({ length: crowd }, () => watch(server, target, written)));
    turns = 0;
    const serials = ["1", "2", "3"];
    for (const serial of serials)
      await send(server, "PUT", `${maps}/watched`, { metadata: { name: "watched" }, data: { serial } });
    await until(() => all.every(({ seen }) => seen.length >= serials.length));
    for (const { seen, close } of all) {
      assert.deepEqual(
        seen,
        serials.map((serial) => `MODIFIED ${serial}`),
      );
      close();
    }
    assert.ok(turns > serials.length, `${turns} turns for ${serials.length} changes`);
  } finally {
    await server.close();
  }
});
