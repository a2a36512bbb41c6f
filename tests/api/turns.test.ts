import assert from "node:assert/strict";
import { test } from "node:test";
import { realTimers } from "../../src/world/node/clock.ts";
import { openApi } from "./harness.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const yaml = "application/yaml";
const applied = "application/apply-patch+yaml";

function configMap(name: string, entries: number, mark: string): Record<string, unknown> {
  const data = Object.fromEntries(Array.from({ length: entries }, (_, i) => [`key-${i}`, mark.padEnd(50, "x")]));
  return { kind: "ConfigMap", apiVersion: "v1", metadata: { name }, data };
}

function asYaml({ metadata, data }: Record<string, unknown>): string {
  const { name } = metadata as { name: string };
  const lines = Object.entries(data as Record<string, string>).map(([key, value]) => `  ${key}: ${value}\n`);
  return `kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: ${name}\ndata:\n${lines.join("")}`;
}

interface Write {
  readonly what: string;
  readonly method: string;
  readonly path: string;
  readonly type: string;
  readonly body: (entries: number) => string;
  /** The fewest turns that others get between the steps of a large one. */
  readonly turns: number;
}

const json = (name: string, mark: string) => (entries: number) => JSON.stringify(configMap(name, entries, mark));
const writes: readonly Write[] = [
  { what: "create", method: "POST", path: maps, type: "application/json", body: json("a", "one"), turns: 5 },
  {
    what: "create from YAML",
    method: "POST",
    path: maps,
    type: yaml,
    body: (entries) => asYaml(configMap("b", entries, "one")),
    turns: 8,
  },
  { what: "update", method: "PUT", path: `${maps}/a`, type: "application/json", body: json("a", "two"), turns: 6 },
  {
    what: "merge patch of what is large",
    method: "PATCH",
    path: `${maps}/a`,
    type: "application/merge-patch+json",
    body: () => JSON.stringify({ data: { "key-0": "patched" } }),
    turns: 5,
  },
  {
    what: "apply",
    method: "PATCH",
    path: `${maps}/b?fieldManager=test&force=true`,
    type: applied,
    body: (entries) => asYaml(configMap("b", entries, "three")),
    turns: 12,
  },
];

for (const [size, entries] of [
  ["large", 10_000],
  ["small", 10],
] as const) {
  test(`others get their turn between the steps of writing what is large, and small writes wait for nobody: ${size}`, async () => {
    let turns = 0;
    const real = realTimers({ keepAlive: true });
    const timers = {
      ...real,
      yield: () => {
        turns += 1;
        return real.yield();
      },
    };
    const { api, store } = openApi({ timers });
    const send = async (method: string, target: string, type: string, body: string): Promise<number> => {
      const headers = { "content-type": type };
      const request = { method, target, headers, body: new TextEncoder().encode(body) };
      return (await api.handler.handle(request, { address: "127.0.0.1", port: 1 })).status;
    };
    const namespace = JSON.stringify({ metadata: { name: "default" } });
    assert.equal(await send("POST", "/api/v1/namespaces", "application/json", namespace), 201);
    for (const { what, method, path, type, body, turns: least } of writes) {
      turns = 0;
      const status = await send(method, path, type, body(entries));
      assert.equal(status, method === "POST" ? 201 : 200, what);
      if (size === "large") assert.ok(least <= turns, `${what}: ${turns} turns`);
      else assert.equal(turns, 0, what);
    }
    api.close();
    await store.close();
  });
}
