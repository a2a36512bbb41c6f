/** Whatever a client names: only its own namespace is asked about, in one query of bounded length, and nonsense is no number. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { builtInResources } from "#api/generated/resources.ts";
import { parseLabelSelector } from "#api/selectors.ts";
import type { VirtualAnswer } from "#api/virtual-group.ts";
import type { Point } from "../history/history.ts";
import { createCustomMetrics } from "./groups.ts";

interface Asked {
  readonly answer: VirtualAnswer;
  /** What the history was asked. */
  readonly queries: readonly string[];
}

interface Question {
  readonly group: "custom" | "external";
  readonly resource: string;
  readonly name?: string;
  readonly metric?: string;
  readonly labels?: string;
  readonly metricLabels?: string;
  readonly points?: readonly Point[];
}

async function ask(question: Question): Promise<Asked> {
  const { group, resource, name = "", metric = "", labels, metricLabels, points = [] } = question;
  const queries: string[] = [];
  const groups = createCustomMetrics({
    history: {
      query: (expression) => {
        queries.push(expression);
        return Promise.resolve(points);
      },
      queryRange: () => Promise.reject(new Error("not asked")),
      send: () => Promise.reject(new Error("not asked")),
    },
    pods: () => Array.from({ length: 500 }, (_, index) => ({ name: `web-${index}`, labels: { app: "web" } })),
    resources: () => builtInResources,
  });
  const found = groups.find((each) => each.group === `${group}.metrics.k8s.io`);
  assert.ok(found !== undefined);
  const parsed = labels === undefined ? undefined : parseLabelSelector(labels);
  const answer = await found.answer({
    verb: "get",
    namespace: "shop",
    resource,
    subresource: metric,
    name,
    labels: parsed?.ok === true ? parsed.selector : undefined,
    query: new URLSearchParams(metricLabels === undefined ? {} : { metricLabelSelector: metricLabels }),
    rest: "",
    body: new Uint8Array(0),
    contentType: "",
  });
  return { answer, queries };
}

/** The status and message of a refusal; undefined when it was none. */
function refusal({ answer }: Asked): string | undefined {
  return answer.kind === "failure" ? `${answer.code} ${answer.message}` : undefined;
}

const breakOut = 'a"} or up{b="';
const hostile: readonly [what: string, question: Question, queries: readonly string[]][] = [
  [
    "a pod's name that would end its place",
    { group: "custom", resource: "pods", name: breakOut, metric: "hits" },
    ['sum by (pod) (hits{namespace="shop",pod=~"a\\"\\\\} or up\\\\{b=\\""})'],
  ],
  [
    "a pod's name that is a pattern",
    { group: "custom", resource: "pods", name: ".*", metric: "hits" },
    ['sum by (pod) (hits{namespace="shop",pod=~"\\\\.\\\\*"})'],
  ],
  ["a metric's name that is a query", { group: "custom", resource: "pods", name: "*", metric: "up or vector(1)" }, []],
  ["the same from outside", { group: "external", resource: "up{} or vector(1)" }, []],
  ["a kind that nobody knows", { group: "custom", resource: breakOut, name: "x", metric: "hits" }, []],
  [
    "a selector that is none",
    { group: "custom", resource: "pods", name: "*", metric: "hits", metricLabels: breakOut },
    [],
  ],
  [
    "a selector for another namespace",
    { group: "external", resource: "queue", labels: "namespace in (kube-system)" },
    ['queue{namespace=~"shop|",namespace=~"kube-system"}'],
  ],
  [
    "a selector that says everything but",
    { group: "external", resource: "queue", labels: "namespace notin (shop)" },
    ['queue{namespace=~"shop|",namespace!~"shop"}'],
  ],
];

for (const [what, question, queries] of hostile) {
  test(`${what} leads nowhere else`, async () => assert.deepEqual((await ask(question)).queries, queries));
}

test("what is too long or cannot be asked is refused with a sentence, and the history is left alone", async () => {
  const many = `shop in (${Array.from({ length: 3_000 }, (_, index) => `v${index}`).join(",")})`;
  for (const [selector, says] of [
    [many, /^400 the selector of the metric has \d+ characters, 4000 are the most/],
    ["shop>5", /^400 labels of metrics are texts: shop cannot be compared/],
  ] as const) {
    for (const asked of [
      await ask({ group: "custom", resource: "pods", name: "*", metric: "hits", metricLabels: selector }),
      await ask({ group: "external", resource: "queue", labels: selector }),
    ]) {
      assert.match(refusal(asked) ?? "", says);
      assert.deepEqual(asked.queries, []);
    }
  }
});

test("many pods are asked for by their namespace", async () => {
  const { queries } = await ask({ group: "custom", resource: "pods", name: "*", metric: "hits", labels: "app=web" });
  assert.deepEqual(queries, ['sum by (pod) (hits{namespace="shop"})']);
});

test("a metric of very many series is refused, not told in part", async () => {
  const points = Array.from({ length: 5_001 }, (_, index) => ({ labels: { user: `${index}` }, value: 1, atMs: 0 }));
  const asked = await ask({ group: "external", resource: "queue", points });
  assert.match(refusal(asked) ?? "", /^400 queue has 5001 series, 5000 are the most/);
});

test("values of any size are quantities", async () => {
  const values = [0, 0.0004, 1.5, 12e15, 1e300];
  const points = values.map((value) => ({ labels: { pod: "web-1" }, value, atMs: 0 }));
  const { answer } = await ask({ group: "external", resource: "queue", points });
  assert.ok(answer.kind === "list");
  for (const item of answer.items) assert.match(String(item["value"]), /^\d+[a-zA-Z]*\d*$/);
  assert.equal(answer.items[2]?.["value"], "1500m");
});
