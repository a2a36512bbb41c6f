import assert from "node:assert/strict";
import { test } from "node:test";
import type { AdmissionPlugin } from "#apiserver/admission.ts";
import { send, startOverHttps, type TestServer } from "./harness.ts";

// Many writers at once, with an admission step that takes turns: what was judged must be what is stored.

const maps = "/api/v1/namespaces/default/configmaps";
const pods = "/api/v1/namespaces/default/pods";
const merge = { "content-type": "application/merge-patch+json" };
const writers = 20;

const slow: AdmissionPlugin = {
  name: "slow",
  validate: () => new Promise((resolve) => setImmediate(() => resolve({ allowed: true }))),
};

function story(
  name: string,
  play: (server: TestServer) => Promise<void>,
  admission: readonly AdmissionPlugin[] = [slow],
): void {
  test(name, async () => {
    const server = await startOverHttps({ admission });
    try {
      await play(server);
    } finally {
      await server.close();
    }
  });
}

function together<T>(work: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: writers }, (_, index) => work(index)));
}

story("of many creates of one name one succeeds", async (server) => {
  const answers = await together(() => send(server, "POST", maps, { metadata: { name: "a" } }));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(writers - 1).fill(409)]);
});

story("of many bindings of one pod one succeeds", async (server) => {
  await send(server, "POST", pods, { metadata: { name: "p" }, spec: { containers: [{ name: "c", image: "i" }] } });
  const answers = await together((index) =>
    send(server, "POST", `${pods}/p/binding`, { metadata: { name: "p" }, target: { name: `n${index}` } }),
  );
  assert.equal(answers.filter(({ status }) => status === 201).length, 1);
});

story("of many updates with one revision one succeeds", async (server) => {
  const made = await send(server, "POST", maps, { metadata: { name: "a" } });
  const answers = await together((index) =>
    send(server, "PUT", `${maps}/a`, { ...made.body, data: { k: String(index) } }),
  );
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  assert.ok(answers.every(({ status }) => status === 200 || status === 409));
});

story("every patch that was acknowledged is there", async (server) => {
  await send(server, "POST", maps, { metadata: { name: "a" } });
  const answers = await together((index) =>
    send(server, "PATCH", `${maps}/a`, { data: { [`k${index}`]: "v" } }, merge),
  );
  const stored = await send(server, "GET", `${maps}/a`);
  answers.forEach(({ status }, index) => {
    if (status === 200) assert.equal((stored.body.data as Record<string, string>)[`k${index}`], "v");
    else assert.equal(status, 409);
  });
});

story(
  "without steps that take turns, patches never meet",
  async (server) => {
    await send(server, "POST", maps, { metadata: { name: "a" } });
    const answers = await together((index) =>
      send(server, "PATCH", `${maps}/a`, { data: { [`k${index}`]: "v" } }, merge),
    );
    assert.ok(answers.every(({ status }) => status === 200));
  },
  [],
);
