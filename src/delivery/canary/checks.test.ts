import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "#client/client.ts";
import { createVirtualTime } from "#client/testing/virtual-time.ts";
import { CheckSource, type CheckSourceOptions } from "./check-source.ts";
import { judgeChecks, readQueryAnswer, readWebhookAnswer, type CheckResult } from "./checks.ts";
import type { CanaryView } from "./observed.ts";
import type { Check } from "./settings.ts";

const now = 1_800_000_000_000;
const seconds = now / 1000;
const vector = (...values: unknown[]): unknown => ({
  status: "success",
  data: { resultType: "vector", result: values.map((value) => ({ metric: {}, value })) },
});

const answers: readonly (readonly [string, unknown, string])[] = [
  ["a value within the bounds", vector([seconds, "0.2"]), "Pass"],
  ["one of two values above", vector([seconds, "0.2"], [seconds, "0.7"]), "Fail"],
  ["a value below", vector([seconds, "0.01"]), "Fail"],
  ["a scalar", { status: "success", data: { resultType: "scalar", result: [seconds, "0.3"] } }, "Pass"],
  ["no series", vector(), "NotEnoughData"],
  ["no number", vector([seconds, "NaN"]), "NotEnoughData"],
  ["infinity", vector([seconds, "+Inf"]), "NotEnoughData"],
  ["a value of last hour", vector([seconds - 3_600, "0.2"]), "NotEnoughData"],
  ["a value of tomorrow", vector([seconds + 86_400, "0.2"]), "NotEnoughData"],
  ["a number that is no text", vector([seconds, 0.2]), "NotEnoughData"],
  ["an empty text", vector([seconds, ""]), "NotEnoughData"],
  ["a matrix", { status: "success", data: { resultType: "matrix", result: [] } }, "NotEnoughData"],
  ["an error", { status: "error", error: "parse error" }, "NotEnoughData"],
  ["success that says nothing", { status: "success" }, "NotEnoughData"],
  ["no object", "success", "NotEnoughData"],
  ["nothing", undefined, "NotEnoughData"],
];

for (const [what, answer, expected] of answers) {
  test(`Prometheus answers ${what}: ${expected}`, () => {
    assert.equal(readQueryAnswer(answer, { min: 0.1, max: 0.5 }, now).verdict, expected);
  });
}

test("what a webhook says is shown without its control characters, and cut", () => {
  const { message } = readWebhookAnswer({ verdict: "fail", message: `\x1b[2J${"x".repeat(5_000)}` });
  assert.match(message, /^\?\[2Jx+$/);
  assert.equal(message.length, 300);
});

const checks: readonly Check[] = [
  { name: "a", everyMs: 10_000 },
  { name: "b", everyMs: 10_000 },
];
const result = (name: string, verdict: CheckResult["verdict"], more: Partial<CheckResult> = {}): CheckResult => ({
  name,
  verdict,
  message: "m",
  run: "r-1",
  atMs: now - 1_000,
  ...more,
});

const judged: readonly (readonly [string, readonly CheckResult[], string])[] = [
  ["both pass", [result("a", "Pass"), result("b", "Pass")], "Pass"],
  ["one has not answered", [result("a", "Pass")], "NotEnoughData"],
  ["one answered in another step", [result("a", "Pass"), result("b", "Pass", { run: "r-0" })], "NotEnoughData"],
  ["one answered long ago", [result("a", "Pass"), result("b", "Pass", { atMs: now - 60_000 })], "NotEnoughData"],
  ["one answers from the future", [result("a", "Pass"), result("b", "Pass", { atMs: now + 120_000 })], "NotEnoughData"],
  ["one fails and one is silent", [result("b", "Fail")], "Fail"],
];

for (const [what, results, expected] of judged) {
  test(`${what}: ${expected}`, () => assert.equal(judgeChecks(checks, results, "r-1", now).verdict, expected));
}

test("without checks nothing stands in the way", () =>
  assert.equal(judgeChecks([], [], undefined, now).verdict, "Pass"));

/** A Canary in a step whose only check asks Prometheus; `allowed` is what its service account may. */
async function askHistory(allowed: boolean): Promise<{ said: readonly CheckResult[]; asked: string[] }> {
  const time = createVirtualTime();
  const asked: string[] = [];
  const query = 'rate(errors{path="/a b"}[1m])';
  const client = {
    request: (method: string, path: string, body?: unknown) => {
      asked.push(`${method} ${path} ${JSON.stringify((body as { spec?: { user?: string } } | undefined)?.spec?.user)}`);
      if (method === "POST") return Promise.resolve({ status: { allowed } });
      return Promise.resolve(vector([time.clock.now() / 1000, "0.2"]));
    },
  } satisfies Pick<Client, "request"> as object as CheckSourceOptions["client"];
  const spec = {
    deployment: "web",
    users: { cookie: "sid" },
    steps: [{ share: "2%" }],
    checks: [{ name: "errors", promQL: { query, max: 0.5 } }],
  };
  const canary = { metadata: {}, spec, status: { phase: "Step", run: 1 } };
  const view = { key: "d/web", namespace: "d", name: "web", uid: "0123456789", canary } as object as CanaryView;
  const source = new CheckSource({
    client,
    clock: time.clock,
    timers: time.timers,
    canaryOf: () => view,
    onSaid: () => undefined,
  });
  source.look("d/web");
  await time.advance(100);
  source.stop();
  return { said: source.resultsOf("d/web"), asked };
}

test("Prometheus is asked only when the Canary's service account may ask it", async () => {
  const may = await askHistory(true);
  assert.deepEqual(
    may.said.map(({ verdict, run }) => `${verdict} ${run}`),
    ["Pass 01234567-1"],
  );
  assert.match(may.asked[0] ?? "", /subjectaccessreviews "system:serviceaccount:d:default"$/);
  assert.match(may.asked[1] ?? "", /query\?query=rate\(errors%7Bpath%3D%22%2Fa%20b%22%7D%5B1m%5D\)/);
  const mayNot = await askHistory(false);
  assert.equal(mayNot.asked.length, 1);
  assert.match(mayNot.said[0]?.message ?? "", /may not get histories\/proxy/);
});
