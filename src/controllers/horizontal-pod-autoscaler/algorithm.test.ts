/** The published algorithm, rule by rule. https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MetricSpec } from "#api/generated/autoscaling-v2.ts";
import type { PodView } from "../views/pod.ts";
import { planAutoscaler } from "./plan.ts";
import type { Reading } from "./reading.ts";
import { conditionsIn, cpuAt, noon, observedOf, pod, podReading, resultOf, type StageDraft } from "./testing/stage.ts";

/** The replicas after one look, also when nothing changes. */
function after(draft: StageDraft): number {
  const calm = { scaleDown: { stabilizationWindowSeconds: 0 }, ...draft.spec?.behavior };
  const plan = planAutoscaler(observedOf({ ...draft, spec: { behavior: calm, ...draft.spec } }), noon);
  return resultOf(plan).to ?? draft.replicas;
}

interface Rule {
  readonly rule: string;
  readonly values: readonly (number | undefined)[];
  readonly pods?: readonly PodView[];
  readonly target?: number;
  readonly want: number;
}

const many = (count: number, value: number | undefined): (number | undefined)[] =>
  Array.from({ length: count }, () => value);

const cpuRules: readonly Rule[] = [
  { rule: "twice the wanted utilization doubles", values: [1000, 1000], want: 4 },
  { rule: "half of the wanted halves", values: [250, 250, 250, 250], want: 2 },
  { rule: "parts are rounded up", values: [600, 600, 600], want: 4 },
  { rule: "ten percent above is tolerated", values: [550, 550], want: 2 },
  { rule: "twelve percent above is not", values: [560, 565], want: 3 },
  { rule: "ten percent below is tolerated", values: many(10, 450), want: 10 },
  { rule: "the percentage is of the sum of the requests", values: [900, 100], want: 2 },
  { rule: "a missing pod counts as idle when growing", values: [1000, 1000, undefined], want: 4 },
  { rule: "a missing pod that turns the direction stops it", values: [600, undefined], want: 2 },
  { rule: "a missing pod counts as fully used when shrinking", values: [100, 100, 100, undefined], want: 3 },
  { rule: "a missing pod may stop the shrinking", values: [300, 300, undefined], want: 3 },
  {
    rule: "a pending pod counts as idle when growing",
    values: [1000, 1000],
    pods: [pod(0), pod(1), pod(2, { phase: "Pending" })],
    want: 4,
  },
  {
    rule: "a pod that is not ready does not count when shrinking",
    values: [100, 100, 900],
    pods: [pod(0), pod(1), pod(2, { ready: false, startedAgo: 60, readyChangedAgo: 60 })],
    want: 1,
  },
  {
    rule: "a pod that warms up counts as idle when growing",
    values: [1000, 1000, 4000],
    pods: [pod(0), pod(1), pod(2, { ready: false, startedAgo: 60, readyChangedAgo: 60 })],
    want: 4,
  },
  {
    rule: "a measurement from before it was ready is a warm-up too",
    values: [1000, 1000, 4000],
    pods: [pod(0), pod(1), pod(2, { startedAgo: 60, readyChangedAgo: 1 })],
    want: 4,
  },
  {
    rule: "a pod that became unready late counts",
    values: [1000, 1000],
    pods: [pod(0), pod(1, { ready: false, startedAgo: 3600, readyChangedAgo: 60 })],
    want: 4,
  },
  {
    rule: "deleted and failed pods do not count",
    values: [500, 500, 4000, 4000],
    pods: [pod(0), pod(1), pod(2, { deleting: true }), pod(3, { phase: "Failed" })],
    want: 4,
  },
];

for (const { rule, values, pods, target = 50, want } of cpuRules) {
  test(`cpu: ${rule}`, () => {
    const replicas = pods?.length ?? values.length;
    const given = pods === undefined ? {} : { pods };
    assert.equal(after({ replicas, readings: [podReading(values)], spec: { metrics: cpuAt(target) }, ...given }), want);
  });
}

interface OtherRule {
  readonly rule: string;
  readonly metric: MetricSpec;
  readonly reading: Reading;
  readonly replicas: number;
  readonly want: number;
}

const average = (averageValue: string) => ({ type: "AverageValue", averageValue });
const queue = { name: "queue" };
const ingress = { apiVersion: "networking.k8s.io/v1", kind: "Ingress", name: "main" };
const otherRules: readonly OtherRule[] = [
  {
    rule: "resource as an average amount",
    metric: { type: "Resource", resource: { name: "memory", target: average("100") } },
    reading: podReading([200_000, 200_000]),
    replicas: 2,
    want: 4,
  },
  {
    rule: "pods metric by its average",
    metric: { type: "Pods", pods: { metric: queue, target: average("10") } },
    reading: podReading([15_000, 25_000]),
    replicas: 2,
    want: 4,
  },
  {
    rule: "object value by its ratio",
    metric: {
      type: "Object",
      object: { metric: queue, describedObject: ingress, target: { type: "Value", value: "100" } },
    },
    reading: { kind: "value", value: 300_000 },
    replicas: 2,
    want: 6,
  },
  {
    rule: "object average over the replicas",
    metric: { type: "Object", object: { metric: queue, describedObject: ingress, target: average("100") } },
    reading: { kind: "value", value: 250_000 },
    replicas: 2,
    want: 3,
  },
  {
    rule: "external values are added up",
    metric: { type: "External", external: { metric: queue, target: { type: "Value", value: "10" } } },
    reading: { kind: "values", values: [10_000, 10_000] },
    replicas: 3,
    want: 6,
  },
  {
    rule: "external average",
    metric: { type: "External", external: { metric: queue, target: average("10") } },
    reading: { kind: "values", values: [45_000] },
    replicas: 3,
    want: 5,
  },
];

for (const { rule, metric, reading, replicas, want } of otherRules) {
  test(rule, () => assert.equal(after({ replicas, readings: [reading], spec: { metrics: [metric] } }), want));
}

test("of several metrics the largest number wins", () => {
  const metrics = [...cpuAt(50), { type: "External", external: { metric: queue, target: average("1") } }];
  const readings: Reading[] = [podReading([500, 500]), { kind: "values", values: [6000] }];
  assert.equal(after({ replicas: 2, readings, spec: { metrics } }), 6);
});

test("a metric that fails stops shrinking but not growing", () => {
  const metrics = [...cpuAt(50), { type: "External", external: { metric: queue, target: average("1") } }];
  const failed: Reading = { kind: "failed", message: "nobody serves it" };
  assert.equal(after({ replicas: 4, readings: [podReading(many(4, 100)), failed], spec: { metrics } }), 4);
  assert.equal(after({ replicas: 4, readings: [podReading(many(4, 1000)), failed], spec: { metrics } }), 8);
});

test("from zero replicas it wakes by the ratio alone, where zero is allowed", () => {
  const metrics = [{ type: "External", external: { metric: queue, target: average("10") } }];
  assert.equal(
    after({ replicas: 0, readings: [{ kind: "values", values: [25_000] }], spec: { metrics, minReplicas: 0 } }),
    3,
  );
});

test("tolerance can be set for each direction", () => {
  const behavior = { scaleUp: { tolerance: "0.3" }, scaleDown: { tolerance: "0", stabilizationWindowSeconds: 0 } };
  assert.equal(after({ replicas: 2, readings: [podReading([640, 640])], spec: { behavior } }), 2);
  assert.equal(after({ replicas: 10, readings: [podReading(many(10, 440))], spec: { behavior } }), 9);
});

interface Nonsense {
  readonly what: string;
  readonly draft: Partial<StageDraft>;
  readonly condition: string;
  readonly event: RegExp;
}

const nonsense: readonly Nonsense[] = [
  {
    what: "a container without a request",
    draft: { pods: [pod(0), pod(1, { request: "" })], readings: [podReading([900, 900])] },
    condition: "ScalingActive=False FailedGetResourceMetric",
    event: /missing request for cpu in container main of Pod web-1/,
  },
  {
    what: "requests of zero: a division by nothing",
    draft: { pods: [pod(0, { request: "0" }), pod(1, { request: "0" })], readings: [podReading([900, 900])] },
    condition: "ScalingActive=False FailedGetResourceMetric",
    event: /no metrics returned matched known pods/,
  },
  {
    what: "no pod that is ready",
    draft: { pods: [pod(0, { phase: "Pending" })], readings: [podReading([])] },
    condition: "ScalingActive=False FailedGetResourceMetric",
    event: /did not receive metrics for targeted pods/,
  },
  {
    what: "a source that fails",
    draft: { readings: [{ kind: "failed", message: "garbage" }] },
    condition: "ScalingActive=False FailedGetResourceMetric",
    event: /failed to get cpu utilization: garbage/,
  },
  {
    what: "a number that is none",
    draft: {
      readings: [{ kind: "values", values: [Number.NaN] }],
      spec: { metrics: [{ type: "External", external: { metric: queue, target: average("1") } }] },
    },
    condition: "ScalingActive=False FailedGetExternalMetric",
    event: /give no number of replicas/,
  },
  {
    what: "two autoscalers of the same pods",
    draft: { readings: [podReading([900, 900])], more: { rivals: ["default/other", "default/web"] } },
    condition: "ScalingActive=False AmbiguousSelector",
    event: /controlled by multiple HPAs: \[default\/other default\/web\]/,
  },
  {
    what: "two autoscalers whose bounds exclude one another",
    draft: {
      readings: [podReading([900, 900])],
      spec: { minReplicas: 4, maxReplicas: 5 },
      more: { rivals: ["default/other", "default/web"] },
    },
    condition: "ScalingActive=False AmbiguousSelector",
    event: /controlled by multiple HPAs/,
  },
  {
    what: "a target without a scale",
    draft: { readings: [], more: { scale: { kind: "failed", message: 'deployments.apps "web" not found' } } },
    condition: "AbleToScale=False FailedGetScale",
    event: /FailedGetScale deployments.apps "web" not found/,
  },
];

for (const { what, draft, condition, event } of nonsense) {
  test(`${what} scales nothing and says why`, () => {
    const result = resultOf(planAutoscaler(observedOf({ replicas: 2, readings: [], ...draft }), noon));
    assert.equal(result.to, undefined);
    assert.ok(conditionsIn(result).includes(condition), conditionsIn(result).join("; "));
    assert.match(result.events.join("\n"), event);
  });
}

test("a complaint that stands in the conditions is not told again", () => {
  const draft: StageDraft = { replicas: 2, readings: [{ kind: "failed", message: "garbage" }] };
  const first = resultOf(planAutoscaler(observedOf(draft), noon));
  const again = resultOf(planAutoscaler(observedOf({ ...draft, status: first.status ?? {} }), noon + 2000));
  assert.equal(first.events.length, 2);
  assert.deepEqual(again.events, []);
});

test("a target at zero is left alone unless zero is allowed", () => {
  const result = resultOf(planAutoscaler(observedOf({ replicas: 0, readings: [] }), noon));
  assert.equal(result.to, undefined);
  assert.ok(conditionsIn(result).includes("ScalingActive=False ScalingDisabled"));
});

test("a target outside of its bounds is brought inside without asking metrics", () => {
  const spec = { minReplicas: 2, maxReplicas: 5 };
  assert.equal(resultOf(planAutoscaler(observedOf({ replicas: 9, readings: [], spec }), noon)).to, 5);
  assert.equal(resultOf(planAutoscaler(observedOf({ replicas: 1, readings: [], spec }), noon)).to, 2);
});

test("a refused change is told", () => {
  const draft: StageDraft = {
    replicas: 2,
    readings: [podReading([1000, 1000])],
    more: { refusal: "the quota is used up" },
  };
  const plan = planAutoscaler(observedOf(draft), noon);
  assert.deepEqual(
    plan?.actions.map(({ verb }) => verb),
    ["update", "update"],
  );
  assert.ok(conditionsIn(resultOf(plan)).includes("AbleToScale=False FailedUpdateScale"));
});

test("measured values alone are written every 15 seconds at most", () => {
  const first = resultOf(planAutoscaler(observedOf({ replicas: 2, readings: [podReading([500, 500])] }), noon));
  const look = (ago: number): number => {
    const more = { statusWrittenMs: noon - ago };
    const draft: StageDraft = { replicas: 2, readings: [podReading([505, 505])], status: first.status ?? {}, more };
    return planAutoscaler(observedOf(draft), noon)?.actions.length ?? -1;
  };
  assert.equal(look(2000), 0);
  assert.equal(look(15_000), 1);
});
