import assert from "node:assert/strict";
import { test } from "node:test";
import { writeStories, type Step, type Story } from "./cases.ts";
import { assertMatches, send, startInProcess, startOverHttps, type Start, type TestServer } from "./harness.ts";
import { readStories } from "./read-cases.ts";

const stories = [...writeStories, ...readStories];

// One body of stories, each on a fresh server: called directly and over HTTPS.
for (const start of [startInProcess, startOverHttps]) for (const story of stories) check(start, story);

function check(start: Start, story: Story): void {
  const way = start === startInProcess ? "in process" : "over HTTPS";
  test(`${way}: ${story.name}`, async () => {
    const server = await start();
    try {
      assert.equal((await send(server, "POST", "/api/v1/namespaces", { metadata: { name: "default" } })).status, 201);
      const kept = new Map<string, string>();
      for (const step of story.steps) await play(server, step, kept);
    } finally {
      await server.close();
    }
  });
}

async function play(server: TestServer, step: Step, kept: Map<string, string>): Promise<void> {
  const filled = fill(step, kept);
  const [method = "", target = ""] = filled.send.split(" ");
  const answer = await send(server, method, target, filled.body, filled.headers);
  assert.equal(answer.status, filled.status, `${filled.send}: ${answer.text.slice(0, 500)}`);
  if (filled.answer !== undefined) assertMatches(answer.body, filled.answer, filled.send);
  if (filled.text !== undefined) assert.match(answer.text, filled.text);
  for (const [name, path] of Object.entries(step.keep ?? {})) {
    const value = path.split(".").reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], answer.body);
    kept.set(name, String(value));
  }
}

function fill<T>(value: T, kept: ReadonlyMap<string, string>): T {
  if (typeof value === "string")
    return value.replace(/\{(\w+)\}/g, (whole, name: string) => kept.get(name) ?? whole) as T;
  if (Array.isArray(value)) return value.map((item) => fill(item, kept)) as T;
  if (typeof value !== "object" || value === null || value instanceof RegExp) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner, kept)])) as T;
}
