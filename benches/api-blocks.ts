import { gzip } from "node:zlib";
import { promisify } from "node:util";
import { kinds } from "#api/kinds.ts";
import { createApiServer } from "#apiserver/server.ts";
import { inTurns, Turn } from "#apiserver/turns.ts";
import { fromJson } from "#cel/json.ts";
import { kubernetesEnvironment } from "#cel/kubernetes.ts";
import { evaluationCostMax } from "#cel/limits.ts";
import { compileExpression } from "#cel/program.ts";
import { dyn } from "#cel/types.ts";
import { parseJson } from "#codec/json.ts";
import type { HttpBody } from "#world/http.ts";
import { openMemoryStore } from "../src/store/memory/memory-store.ts";
import { realClock, realTimers } from "../src/world/node/clock.ts";
import { realRandom } from "../src/world/node/random.ts";
import { pod } from "./api/objects.ts";
import { storyFlags, tellStories } from "./api/stories.ts";
import { report } from "./report.ts";

/**
 * How long one request keeps the loop from all others: the longest turn in processor time, which says the same on a busy machine.
 * The server is called directly; each request is sent `--rounds` times before (so that it runs as it does in a server that is
 * some minutes old) and as often again, and the worst turn of the second half counts.
 */
const flags = storyFlags("writes,lists,expressions", { pods: "5000", rounds: "4" });
const rounds = Number(flags.rounds);
const timers = realTimers({ keepAlive: true });
const store = openMemoryStore({ clock: realClock, timers });
const user = { name: "bench", uid: "", groups: ["system:masters"], extra: {} };
const api = createApiServer({
  kinds,
  store,
  clock: realClock,
  timers,
  random: realRandom,
  authenticator: { authenticate: () => ({ ok: true, user }), checkToken: () => ({ ok: true, user }) },
  authorizer: {
    authorize: () => ({ allowed: true, reason: "" }),
    rulesFor: () => ({ resourceRules: [], nonResourceRules: [], incomplete: false }),
  },
  admission: [],
  version: { major: "1", minor: "36", gitVersion: "v1.36.0" },
  gzip: promisify(gzip) as (bytes: Uint8Array) => Promise<Uint8Array>,
});

interface Sent {
  readonly method: string;
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

function drained(body: HttpBody): Promise<void> {
  if (!("open" in body)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    body.open({ write: () => true, end: resolve, abort: reject });
  });
}

async function send({ method, target, headers = {}, body = new Uint8Array(0) }: Sent): Promise<void> {
  const response = await api.handler.handle({ method, target, headers, body }, { address: "127.0.0.1", port: 1 });
  if (response.status >= 300) throw new Error(`${method} ${target}: ${response.status}`);
  await drained(response.body);
}

function usedMs(): number {
  const { user: own, system } = process.threadCpuUsage();
  return (own + system) / 1_000;
}

/** The longest time between two turns of the loop while `work` runs, in milliseconds of processor time. */
async function longestTurnMs(work: () => Promise<void>): Promise<number> {
  let longest = 0;
  let isOver = false;
  let last = usedMs();
  const look = (): void => {
    const now = usedMs();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  await work();
  isOver = true;
  await new Promise((resolve) => setImmediate(resolve));
  return longest;
}

async function tell(figure: string, request: (round: number) => Sent): Promise<void> {
  for (let round = 0; round < rounds; round += 1) await send(request(round));
  let worst = 0;
  for (let round = rounds; round < 2 * rounds; round += 1) {
    const sent = request(round);
    worst = Math.max(worst, await longestTurnMs(() => send(sent)));
  }
  report({ bench: "api-blocks", figure: `longest turn: ${figure}`, value: worst, unit: "ms", target: 50 });
}

const encoder = new TextEncoder();
const maps = "/api/v1/namespaces/default/configmaps";
const json = { "content-type": "application/json" };
const bytesOf = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value));

/** 1.1 MB in 16,000 entries: the worst that a store takes. */
function large(name: string, round: number): Record<string, unknown> {
  const data = Object.fromEntries(
    Array.from({ length: 16_000 }, (_, i) => [`key-${i}`, `value-${i}-${round}`.padEnd(50, "x")]),
  );
  return { kind: "ConfigMap", apiVersion: "v1", metadata: { name }, data };
}

async function writes(): Promise<void> {
  await tell("create of 1.1 MB in 16,000 entries", (round) => ({
    method: "POST",
    target: maps,
    headers: json,
    body: bytesOf(large(`created-${round}`, round)),
  }));
  await tell("the same as YAML", (round) => {
    const { data } = large("", round) as { data: Record<string, string> };
    const lines = Object.entries(data).map(([key, value]) => `  ${key}: ${value}\n`);
    const text = `kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: yaml-${round}\ndata:\n${lines.join("")}`;
    return {
      method: "POST",
      target: maps,
      headers: { "content-type": "application/yaml" },
      body: encoder.encode(text),
    };
  });
  await send({ method: "POST", target: maps, headers: json, body: bytesOf(large("large", 0)) });
  const target = `${maps}/large`;
  await tell("update of it, everything changes", (round) => ({
    method: "PUT",
    target,
    headers: json,
    body: bytesOf(large("large", round + 1)),
  }));
  const patches = {
    "merge patch": (round: number) => ({ data: { [`key-${round}`]: "patched" } }),
    "strategic merge patch": (round: number) => ({ data: { [`key-${round}`]: "patched again" } }),
    "JSON patch of 5,000 operations": (round: number) =>
      Array.from({ length: 5_000 }, (_, i) => ({ op: "replace", path: `/data/key-${i}`, value: `patched-${round}` })),
  };
  const types = [
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/json-patch+json",
  ];
  for (const [index, [name, patch]] of Object.entries(patches).entries()) {
    const headers = { "content-type": types[index]! };
    await tell(`${name} of it`, (round) => ({ method: "PATCH", target, headers, body: bytesOf(patch(round)) }));
  }
  await tell("server-side apply of 1.1 MB", (round) => ({
    method: "PATCH",
    target: `${maps}/applied?fieldManager=bench&force=true`,
    headers: { "content-type": "application/apply-patch+yaml" },
    body: bytesOf(large("applied", round)),
  }));
}

async function lists(): Promise<void> {
  const pods = "/api/v1/namespaces/default/pods";
  const count = Number(flags.pods);
  for (let i = 0; i < count; i += 1)
    await send({ method: "POST", target: pods, headers: json, body: bytesOf(pod(`pod-${i}`)) });
  const accepts: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    JSON: { accept: "application/json" },
    "gzip of JSON": { accept: "application/json", "accept-encoding": "gzip" },
    "a Table": { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" },
    "metadata only": { accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io" },
    protobuf: { accept: "application/vnd.kubernetes.protobuf" },
    YAML: { accept: "application/yaml" },
  };
  for (const [name, headers] of Object.entries(accepts))
    await tell(`list of ${count} pods as ${name}`, () => ({ method: "GET", target: pods, headers }));
  const query = "labelSelector=app%3Dnothing";
  await tell(`list of ${count} pods by a selector`, () => ({ method: "GET", target: `${pods}?${query}` }));
}

await send({
  method: "POST",
  target: "/api/v1/namespaces",
  headers: json,
  body: bytesOf({ metadata: { name: "default" } }),
});
/**
 * Expressions that spend the whole budget of one, in turns as the server gives them; the largest comparison that a budget pays, which
 * is one step; and one that is too large to be paid, which is weighed only.
 */
async function expressions(): Promise<void> {
  const environment = kubernetesEnvironment.with([{ name: "x", type: dyn }]);
  const few = { list: Array.from({ length: 1_000 }, (_, i) => i), short: "a".repeat(100) };
  const twice = (size: number): object => {
    const entries = Array.from({ length: size }, (_, i) => [`k${i}`, [i]] as const);
    return { ...few, one: Object.fromEntries(entries), other: Object.fromEntries(entries) };
  };
  const spendings: readonly (readonly [text: string, given: object, about?: string])[] = [
    ["i + j >= 0", few],
    ["x.short.findAll('a').size() > 0", few],
    ["quantity('1').add(quantity('2')).sub(1).asInteger() > 0", few],
    ["ip('::1').family() == 6", few],
    ["x.one == x.other", twice(32_000), " of 32,000 entries each"],
    ["x.one == x.other", twice(100_000), " of 100,000 entries each"],
  ];
  for (const [text, given, about = ""] of spendings) {
    const data = bytesOf(given);
    const compiled = compileExpression(environment, `x.list.all(i, x.list.all(j, ${text}))`);
    if (!compiled.ok) throw new Error(compiled.message);
    let worst = 0;
    for (let round = 0; round < 2 * rounds; round += 1) {
      const parsed = parseJson(data);
      const values = [fromJson(parsed.ok ? parsed.value : null, dyn)];
      await timers.yield();
      const turn = new Turn(realClock);
      const steps = compiled.program.inTurns(values, evaluationCostMax, turn.isOver);
      const longest = await longestTurnMs(async () => void (await inTurns(turn.through(steps), timers)));
      if (rounds <= round) worst = Math.max(worst, longest);
    }
    report({
      bench: "api-blocks",
      figure: `longest turn: in loops, ${text}${about}`,
      value: worst,
      unit: "ms",
      target: 50,
    });
  }
}

await tellStories(flags.only, { writes, lists, expressions });
api.close();
await store.close();
