import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "#client/client.ts";
import { readTraffic } from "./sleep-source.ts";

/** What is concluded when Services are told of so; an Error is no answer. */
function concluded(answers: Readonly<Record<string, object | Error>>) {
  const request = (_method: string, path: string): Promise<unknown> => {
    const answer = answers[path.slice(path.lastIndexOf("/") + 1)];
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  return readTraffic({ request } as object as Client, "default", Object.keys(answers));
}

const told = (quietSeconds: number | undefined, missingNodes: readonly string[] = []): object => ({
  metadata: {},
  nodes: 2,
  missingNodes,
  ...(quietSeconds === undefined ? {} : { quietSeconds }),
});

test("a missing source is never the absence of requests", async () => {
  assert.deepEqual(await concluded({ web: told(70), api: told(30) }), { kind: "quiet", quietMs: 30_000 });
  assert.deepEqual(await concluded({ web: told(70), api: told(undefined) }), { kind: "quiet", quietMs: 70_000 });
  assert.deepEqual(await concluded({ web: told(undefined) }), { kind: "unrouted" });
  assert.deepEqual(await concluded({}), { kind: "unrouted" });
  assert.deepEqual(await concluded({ web: told(900, ["n2"]) }), {
    kind: "unknown",
    message: "requests cannot be counted on n2",
  });
  assert.deepEqual(await concluded({ web: told(900), api: new Error("not there") }), {
    kind: "unknown",
    message: "requests cannot be counted: not there",
  });
  assert.equal((await concluded({ web: told(-1) })).kind, "unknown");
});
