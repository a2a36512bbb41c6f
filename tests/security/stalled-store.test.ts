/** A disk that takes no writes: somebody else holds the store's file, and the health paths say so until it is given back. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openSqliteStore } from "#store/sqlite/sqlite-store.ts";
import { realClock, realTimers } from "#world/node/clock.ts";
import { startSecured } from "./cluster.ts";
import { eventually } from "../eventually.ts";

const folder = mkdtempSync(join(tmpdir(), "steer-stalled-"));
test("a store that does not write turns /readyz and /livez red, and green when it writes again", async (context) => {
  const path = join(folder, "store.db");
  const store = await openSqliteStore({
    path,
    clock: realClock,
    timers: realTimers({ keepAlive: true }),
    failed: (error) => assert.fail(String(error)),
  });
  const secured = await startSecured({ "tokens.csv": 'root,root,1,"system:masters"\n' }, { store });
  const health = async (path: string): Promise<string> => {
    const { status, body } = await secured.ask({ path, token: "root" });
    return `${status} ${String(body["text"])}`;
  };
  const until = (path: string, expected: RegExp): Promise<boolean> =>
    eventually(`${path} says ${expected.source}`, async () => expected.test(await health(path)));
  // The store may be writing when it asks.
  const other = new DatabaseSync(path, { timeout: 30_000 });
  context.after(async () => {
    other.close();
    await secured.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  await until("/readyz", /^200/);
  assert.equal(await health("/livez/etcd"), "200 ok");
  other.exec("BEGIN IMMEDIATE");
  const body = { metadata: { name: "late" } };
  const write = secured.ask({ method: "POST", path: "/api/v1/namespaces", token: "root", body });
  await until("/readyz", /^500 [^]*\[-\]etcd-readiness failed: reason withheld/);
  await until("/livez", /^500 [^]*\[-\]etcd failed: reason withheld/);
  assert.match(await health("/livez/etcd"), /^500/);
  assert.match(await health("/readyz/etcd-readiness"), /^500/);
  assert.equal(await health("/livez?exclude=etcd"), "200 ok");
  other.exec("ROLLBACK");
  assert.equal((await write).status, 201);
  await until("/readyz", /^200/);
  assert.equal(await health("/livez"), "200 ok");
});
