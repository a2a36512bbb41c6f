import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, readlink, rm, stat } from "node:fs/promises";
import { test } from "node:test";
import type { Pod, Volume } from "#api/generated/core-v1.ts";
import { realDisk } from "#world/node/disk.ts";
import { writePayload } from "./atomic-writer.ts";
import { payloadOf, type Payload, type PayloadInputs } from "./payload.ts";

const pod: Pod = { metadata: { name: "p", namespace: "ns", labels: { a: "1" } }, spec: { containers: [] }, status: {} };
const inputs: PayloadInputs = {
  configMap: async (name) =>
    name === "m" ? { metadata: {}, data: { a: "A", b: "B" }, binaryData: { c: btoa("\u0000") } } : undefined,
  secret: async (name) => (name === "s" ? { metadata: {}, data: { k: btoa("K") } } : undefined),
  token: async ({ audience }) => `token for ${audience}`,
  facts: { nodeName: "n", hostIps: [], podIps: [], allocatable: {} },
  ownedTokens: true,
};

async function show(volume: Omit<Volume, "name">): Promise<string> {
  const payload = await payloadOf(pod, { name: "v", ...volume }, inputs);
  return [...(payload ?? [])]
    .map(([path, { content, mode }]) => `${path}=${new TextDecoder().decode(content)} ${mode.toString(8)}`)
    .join("; ");
}

test("what a volume's files hold", async () => {
  assert.equal(await show({ configMap: { name: "m" } }), "a=A 644; b=B 644; c=\0 644");
  assert.equal(await show({ configMap: { name: "m", items: [{ key: "a", path: "x/y", mode: 0o600 }] } }), "x/y=A 600");
  assert.equal(await show({ secret: { secretName: "s", defaultMode: 0o400 } }), "k=K 400");
  assert.equal(await show({ configMap: { name: "absent", optional: true } }), "");
  assert.equal(
    await show({ downwardAPI: { items: [{ path: "l", fieldRef: { fieldPath: "metadata.labels" } }] } }),
    'l=a="1" 644',
  );
  const sources = [{ serviceAccountToken: { path: "token", audience: "x" } }, { secret: { name: "s" } }];
  assert.equal(await show({ projected: { sources } }), "token=token for x 600; k=K 644");
  await assert.rejects(show({ configMap: { name: "absent" } }), /configmap "absent" not found/);
  await assert.rejects(
    show({ configMap: { name: "m", items: [{ key: "zz", path: "z" }] } }),
    /references non-existent config key: zz/,
  );
  for (const path of ["../x", "/x", "a/../../x", "..data"]) {
    await assert.rejects(
      show({ configMap: { name: "m", items: [{ key: "a", path }] } }),
      /must stay inside the volume/,
    );
  }
});

test("a payload changes all at once and leaves nothing behind", async () => {
  const folder = await mkdtemp("/tmp/steersman-payload-");
  const payload = (files: Record<string, string>): Payload =>
    new Map(
      Object.entries(files).map(([path, text]) => [path, { content: new TextEncoder().encode(text), mode: 0o640 }]),
    );
  try {
    await writePayload(realDisk, folder, payload({ a: "1", "deep/b": "2" }), "first", {});
    assert.equal(await readFile(`${folder}/deep/b`, "utf8"), "2");
    assert.equal((await stat(`${folder}/a`)).mode & 0o777, 0o640);
    await writePayload(realDisk, folder, payload({ a: "3", c: "4" }), "second", {});
    assert.equal(await readFile(`${folder}/a`, "utf8"), "3");
    assert.equal(await readlink(`${folder}/..data`), "..second");
    assert.deepEqual((await readdir(folder)).toSorted(), ["..data", "..second", "a", "c"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
