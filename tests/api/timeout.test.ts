/** A request that takes too long is answered, and what it began does no harm afterwards. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { send, startInProcess } from "./harness.ts";

test("a step that never ends is answered with 504 within the client's time; others go on", async () => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const admission = [
    {
      name: "slow",
      mutate: async ({ name }: { name: string }) => {
        if (name === "slow") await held;
        return { allowed: true } as const;
      },
    },
  ];
  const server = await startInProcess({ admission });
  const maps = "/api/v1/namespaces/default/configmaps";
  const late = await send(server, "POST", `${maps}?timeout=50ms`, { metadata: { name: "slow" } });
  assert.equal(late.status, 504);
  assert.equal(late.body["reason"], "Timeout");
  assert.equal((await send(server, "POST", `${maps}?timeout=30s`, { metadata: { name: "quick" } })).status, 201);
  release();
  await server.close();
});
