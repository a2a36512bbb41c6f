import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualTime } from "#client/testing/virtual-time.ts";
import { UsageCache, type MeasuredPod } from "./usage-cache.ts";

function pods(node: string, count: number): MeasuredPod[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `${node}-p${index}`;
    return { uid: name, namespace: "default", name, node, phase: "Running", labels: {} };
  });
}

const usage = { cpuNanoCores: 5, workingSetBytes: 6, ageMs: 100, windowMs: 2000 };

function stage(all: readonly MeasuredPod[], answer: (node: string, target: string) => string | Promise<string>) {
  const time = createVirtualTime();
  const asked: string[] = [];
  const problems: string[] = [];
  const cache = new UsageCache({
    ...time,
    podsOfNode: (node) => all.filter((pod) => pod.node === node),
    ask: async (node, target) => {
      asked.push(`${node} ${target}`);
      return answer(node, target);
    },
    onProblem: (problem) => problems.push(problem),
  });
  return { time, asked, problems, cache };
}

const answerFor = (all: readonly MeasuredPod[]) => (node: string) =>
  JSON.stringify({
    node: usage,
    pods: all.filter((pod) => pod.node === node).map(({ uid }) => ({ uid, containers: [{ name: "main", ...usage }] })),
  });

test("a node is asked once for many questions, and again when its answer is old", async () => {
  const all = pods("n1", 3);
  const { time, asked, cache } = stage(all, answerFor(all));
  const answers = await Promise.all([
    cache.ofPods(all, 4000),
    cache.ofPods(all, 4000),
    cache.ofPods(all.slice(1), 4000),
  ]);
  assert.deepEqual(
    answers.map((answer) => answer.size),
    [3, 3, 2],
  );
  assert.equal(asked.length, 1);
  await time.advance(3000);
  await cache.ofPods(all, 4000);
  assert.equal(asked.length, 1);
  await time.advance(2000);
  await cache.ofPods(all, 4000);
  assert.equal(asked.length, 2);
});

test("few pods are named, many are not", async () => {
  const all = pods("n1", 100);
  const { asked, cache } = stage(all, answerFor(all));
  await cache.ofPods(all.slice(0, 2), 2000);
  await cache.ofPods(all, 2000);
  assert.match(asked[0] ?? "", /uid=n1-p0,n1-p1$/);
  assert.doesNotMatch(asked[1] ?? "", /uid=/);
});

test("a node that gives no answer costs three seconds once, and is then left alone", async () => {
  const all = [...pods("n1", 1), ...pods("n2", 1)];
  const { time, asked, problems, cache } = stage(all, (node) =>
    node === "n1" ? new Promise(() => undefined) : answerFor(all)(node),
  );
  let found = 0;
  void cache.ofPods(all, 4000).then((answer) => (found = answer.size));
  await time.advance(3100);
  assert.equal(found, 1);
  assert.equal(problems.length, 1);
  await cache.ofPods(all, 4000);
  assert.equal(asked.filter((each) => each.startsWith("n1")).length, 1);
});

const garbage: readonly [what: string, answer: string][] = [
  ["no JSON", "<html>"],
  ["another shape", '{"pods":{"a":1}}'],
  [
    "negative numbers",
    JSON.stringify({ pods: [{ uid: "n1-p0", containers: [{ name: "main", ...usage, cpuNanoCores: -1 }] }] }),
  ],
  [
    "texts for numbers",
    JSON.stringify({ pods: [{ uid: "n1-p0", containers: [{ name: "main", ...usage, workingSetBytes: "many" }] }] }),
  ],
];

for (const [what, answer] of garbage) {
  test(`${what} become no measurement`, async () => {
    const all = pods("n1", 1);
    const { cache } = stage(all, () => answer);
    const found = await cache.ofPods(all, 4000);
    assert.deepEqual([...found.values()].flat(), []);
  });
}
