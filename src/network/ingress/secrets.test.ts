import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "#client/client.ts";
import { ApiStatusError } from "#client/status-error.ts";
import type { Clock, Timers } from "#world/clock.ts";
import { WatchedSecrets } from "./secrets.ts";

test("a Secret that may not be read holds up nobody for long, and only those named are asked for", async () => {
  const asked: string[] = [];
  const refused = new ApiStatusError({ code: 403, reason: "Forbidden", message: "no" });
  const items = [{ metadata: { namespace: "d", name: "good", resourceVersion: "7" } }];
  const list: Client["list"] = async (_resource, options) => {
    asked.push(`${options?.namespace}?${options?.fieldSelector}`);
    if (options?.fieldSelector === "metadata.name=bad") throw refused;
    return { items: items as never[], resourceVersion: "7" };
  };
  const client = { list, watch: () => ({ close: () => undefined }) } as object as Client;
  const due: (() => void)[] = [];
  const after: Timers["after"] = (_delayMs, task) => {
    due.push(task);
    return { cancel: () => undefined };
  };
  const timers = { after } as object as Timers;
  const clock: Clock = { now: () => 0, monotonic: () => 0 };
  const random = { float: () => 0.5, bytes: () => new Uint8Array(1), uuid: () => "" };
  const { promise: changed, resolve } = Promise.withResolvers<void>();
  const secrets = new WatchedSecrets({ client, timers, clock, random }, resolve);
  secrets.watch(["d/good", "d/bad"]);
  assert.equal(secrets.known, false);
  await changed;
  assert.equal(secrets.get("d/good")?.metadata.name, "good");
  assert.equal(secrets.known, false, "the other one may still come");
  for (const task of due.splice(0)) task();
  assert.equal(secrets.known, true);
  assert.deepEqual([...new Set(asked)].toSorted(), ["d?metadata.name=bad", "d?metadata.name=good"]);
  secrets.stop();
});
