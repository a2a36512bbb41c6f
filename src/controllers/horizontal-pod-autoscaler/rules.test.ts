/** What people read of each rule: the conditions in their words; and what no rule may be led astray by. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HorizontalPodAutoscalerSpec, MetricSpec } from "#api/generated/autoscaling-v2.ts";
import type { PodView } from "../views/pod.ts";
import { noHistory, remember, rememberChange, type History } from "./behavior.ts";
import { planAutoscaler } from "./plan.ts";
import type { Reading } from "./reading.ts";
import { conditionsIn, cpuAt, noon, observedOf, pod, podReading, resultOf, type StageDraft } from "./testing/stage.ts";

const calm: HorizontalPodAutoscalerSpec["behavior"] = { scaleDown: { stabilizationWindowSeconds: 0 } };
const average = (averageValue: string) => ({ type: "AverageValue", averageValue });
const queue: MetricSpec = { type: "External", external: { metric: { name: "queue" }, target: average("10") } };
const waiting = (...values: number[]): Reading => ({ kind: "values", values: values.map((value) => value * 1000) });
const unknown: Reading = { kind: "failed", message: "nobody tells" };

/** One look, with the conditions' messages by type. */
function look(draft: StageDraft, now: number = noon) {
  const result = resultOf(planAutoscaler(observedOf(draft), now));
  const told = Object.fromEntries(
    (result.status?.conditions ?? []).map(({ type, status, reason, message }) => [
      type,
      `${status} ${reason}: ${message}`,
    ]),
  );
  return { ...result, told, size: result.to ?? draft.replicas };
}

interface PodRule {
  readonly rule: string;
  readonly metric: MetricSpec;
  readonly values: readonly (number | undefined)[];
  readonly pods?: readonly PodView[];
  readonly want: number;
}

const memory: MetricSpec = { type: "Resource", resource: { name: "memory", target: average("1") } };
const [cpu] = cpuAt(50) as [MetricSpec];
const [cpuOf200] = cpuAt(200) as [MetricSpec];
const podRules: readonly PodRule[] = [
  {
    rule: "where more than all of the request is wanted, a missing pod counts as using that when shrinking",
    metric: cpuOf200,
    values: [500, 500, undefined],
    want: 2,
  },
  {
    rule: "a missing pod counts as the wanted average when shrinking",
    metric: memory,
    values: [250, 250, undefined],
    want: 2,
  },
  {
    rule: "a missing pod counts as nothing when growing by an average",
    metric: memory,
    values: [3000, 3000, undefined],
    want: 6,
  },
  {
    rule: "readiness matters for CPU alone: memory of a pod that warms up counts",
    metric: memory,
    values: [1000, 3000],
    pods: [pod(0), pod(1, { ready: false, startedAgo: 60, readyChangedAgo: 60 })],
    want: 4,
  },
  {
    rule: "a pod that is ready counts within its first five minutes too, one window later",
    metric: cpu,
    values: [1000, 1000],
    pods: [pod(0), pod(1, { startedAgo: 60, readyChangedAgo: 5 })],
    want: 4,
  },
  {
    rule: "a pod that never became ready within thirty seconds does not count after the five minutes either",
    metric: cpu,
    values: [500, 4000],
    pods: [pod(0), pod(1, { ready: false, startedAgo: 3600, readyChangedAgo: 3590 })],
    want: 2,
  },
  {
    rule: "finished pods do not count",
    metric: cpu,
    values: [1000, 4000],
    pods: [pod(0), pod(1, { phase: "Succeeded" })],
    want: 2,
  },
];

for (const { rule, metric, values, pods, want } of podRules) {
  test(rule, () => {
    const given = pods === undefined ? {} : { pods };
    const spec = { metrics: [metric], behavior: calm };
    assert.equal(look({ replicas: values.length, readings: [podReading(values)], spec, ...given }).size, want);
  });
}

const ingress = { apiVersion: "networking.k8s.io/v1", kind: "Ingress", name: "main" };
const ofIngress = (target: { type: string; value?: string; averageValue?: string }): MetricSpec => ({
  type: "Object",
  object: { metric: { name: "rate" }, describedObject: ingress, target },
});

test("an object's target may have both amounts: its type says which counts", () => {
  const both = { value: "100", averageValue: "10" };
  const at = (type: string): number =>
    look({
      replicas: 2,
      readings: [{ kind: "value", value: 60_000 }],
      spec: { metrics: [ofIngress({ type, ...both })] },
    }).size;
  assert.deepEqual([at("AverageValue"), at("Value")], [6, 2]);
  const { told } = look({
    replicas: 2,
    readings: [{ kind: "value", value: 60_000 }],
    spec: { metrics: [ofIngress({ type: "Value", averageValue: "10" })] },
  });
  assert.match(told["ScalingActive"] ?? "", /^False FailedGetObjectMetric: .*neither a value nor an average value/);
});

test("an object's value counts the pods that are ready, not those that are asked for", () => {
  const metrics = [ofIngress({ type: "Value", value: "100" })];
  const pods = [pod(0), pod(1), pod(2, { ready: false }), pod(3, { phase: "Pending" })];
  assert.equal(look({ replicas: 4, pods, readings: [{ kind: "value", value: 250_000 }], spec: { metrics } }).size, 5);
});

test("to zero by a metric from outside, where zero is allowed, and back", () => {
  const spec = { metrics: [queue], minReplicas: 0, behavior: calm };
  assert.equal(look({ replicas: 1, readings: [waiting(0)], spec }).to, 0);
  assert.equal(look({ replicas: 1, readings: [waiting(0)], spec: { ...spec, minReplicas: 1 } }).to, undefined);
  assert.equal(look({ replicas: 0, readings: [waiting(1)], spec }).to, 1);
  assert.equal(look({ replicas: 0, readings: [waiting(0)], spec }).to, undefined);
});

test("a policy of percent alone brings the first pod", () => {
  const policies = [{ type: "Percent", value: 100, periodSeconds: 60 }];
  const spec = { metrics: [queue], minReplicas: 0, behavior: { scaleUp: { policies } } };
  assert.equal(look({ replicas: 0, readings: [waiting(50)], spec }).to, 1);
});

test("each metric's status stands at the metric's own place, also when one before it fails", () => {
  const metrics = [cpu, queue, memory];
  const draft = { replicas: 2, readings: [unknown, waiting(20), podReading([1000, 1000])], spec: { metrics } };
  const { status, told, events } = look(draft);
  assert.deepEqual(
    status?.currentMetrics.map(({ type }) => type),
    ["", "External", "Resource"],
  );
  assert.match(told["ScalingActive"] ?? "", /^True ValidMetricFound: /);
  assert.deepEqual(events, ["FailedGetResourceMetric failed to get cpu utilization: nobody tells"]);
  // The same is not told with each look.
  const again = observedOf({ ...draft, status: status ?? {}, more: { told: [events[0]?.replace(/^\S+ /, "") ?? ""] } });
  assert.deepEqual(resultOf(planAutoscaler(again, noon)).events, []);
});

interface Words {
  readonly what: string;
  readonly draft: StageDraft;
  readonly type: string;
  readonly says: string;
}

const ten = Array.from({ length: 10 }, () => 100);
const was = (replicas: number, secondsAgo: number, behavior?: HorizontalPodAutoscalerSpec["behavior"]): History =>
  remember(noHistory, behavior, replicas, noon - secondsAgo * 1000);
const slowly = { scaleUp: { stabilizationWindowSeconds: 60 } };
const words: readonly Words[] = [
  {
    what: "nothing is to change",
    draft: { replicas: 2, readings: [podReading([500, 500])] },
    type: "AbleToScale",
    says: "True ReadyForNewScale: recommended size matches current size",
  },
  {
    what: "it was changed",
    draft: { replicas: 2, readings: [podReading([1000, 1000])] },
    type: "AbleToScale",
    says: "True SucceededRescale: the HPA controller was able to update the target scale to 4",
  },
  {
    what: "it was lower a moment ago",
    draft: { replicas: 2, readings: [podReading([900, 900])], spec: { behavior: slowly }, history: was(2, 30, slowly) },
    type: "AbleToScale",
    says:
      "True ScaleUpStabilized: recent recommendations were lower than current one, " +
      "applying the lowest recent recommendation",
  },
  {
    what: "it was higher a moment ago",
    draft: { replicas: 10, readings: [podReading(ten)], history: was(10, 30) },
    type: "AbleToScale",
    says:
      "True ScaleDownStabilized: recent recommendations were higher than current one, " +
      "applying the highest recent recommendation",
  },
  {
    what: "it may not grow faster",
    draft: { replicas: 1, readings: [podReading([9000])] },
    type: "ScalingLimited",
    says: "True ScaleUpLimit: the desired replica count is increasing faster than the maximum scale rate",
  },
  {
    what: "it may not shrink faster",
    draft: {
      replicas: 10,
      readings: [podReading(ten)],
      spec: {
        behavior: {
          scaleDown: { stabilizationWindowSeconds: 0, policies: [{ type: "Pods", value: 1, periodSeconds: 60 }] },
        },
      },
    },
    type: "ScalingLimited",
    says: "True ScaleDownLimit: the desired replica count is decreasing faster than the maximum scale rate",
  },
  {
    what: "it may not be larger",
    draft: { replicas: 2, readings: [podReading([5000, 5000])], spec: { maxReplicas: 3 } },
    type: "ScalingLimited",
    says: "True TooManyReplicas: the desired replica count is more than the maximum replica count",
  },
  {
    what: "it may not be smaller",
    draft: { replicas: 10, readings: [podReading(ten)], spec: { minReplicas: 5, behavior: calm } },
    type: "ScalingLimited",
    says: "True TooFewReplicas: the desired replica count is less than the minimum replica count",
  },
  {
    what: "it is as wanted",
    draft: { replicas: 2, readings: [podReading([500, 500])] },
    type: "ScalingLimited",
    says: "False DesiredWithinRange: the desired count is within the acceptable range",
  },
  {
    what: "there is a number",
    draft: { replicas: 2, readings: [podReading([500, 500])] },
    type: "ScalingActive",
    says:
      "True ValidMetricFound: the HPA was able to successfully calculate a replica count " +
      "from cpu resource utilization (percentage of request)",
  },
  {
    what: "there is no number",
    draft: { replicas: 2, readings: [unknown], spec: { metrics: [queue] } },
    type: "ScalingActive",
    says: "False FailedGetExternalMetric: the HPA was unable to compute the replica count: nobody tells",
  },
  {
    what: "it has no replicas",
    draft: { replicas: 0, readings: [] },
    type: "ScalingActive",
    says: "False ScalingDisabled: scaling is disabled since the replica count of the target is zero",
  },
  {
    what: "its selector cannot be read",
    draft: { replicas: 2, readings: [], more: { selectorProblem: "found ','" } },
    type: "ScalingActive",
    says: "False InvalidSelector: couldn't convert selector into a corresponding internal selector object: found ','",
  },
];

for (const { what, draft, type, says } of words)
  test(`${what}: the condition says so`, () => assert.equal(look(draft).told[type], says));

test("all metrics that fail are counted, and the first is named", () => {
  const { events, to } = look({ replicas: 4, readings: [unknown, unknown], spec: { metrics: [cpu, queue] } });
  assert.equal(to, undefined);
  assert.equal(
    events.at(-1),
    "FailedComputeMetricsReplicas invalid metrics (2 invalid out of 2), first error is: " +
      "failed to get cpu resource metric value: failed to get cpu utilization: nobody tells",
  );
});

test("a number beyond all bounds comes to the most that is allowed, and the condition says so", () => {
  const behavior = { scaleUp: { policies: [{ type: "Pods", value: 2_000_000_000, periodSeconds: 15 }] } };
  for (const value of [9e18, 1e300]) {
    const { to, told } = look({ replicas: 2, readings: [waiting(value)], spec: { metrics: [queue], behavior } });
    assert.equal(to, 100);
    assert.match(told["ScalingLimited"] ?? "", /^True TooManyReplicas/);
  }
  const endless = look({ replicas: 2, readings: [waiting(Infinity)], spec: { metrics: [queue] } });
  assert.equal(endless.to, undefined);
  assert.match(endless.told["ScalingActive"] ?? "", /^False FailedGetExternalMetric/);
});

/** Looks every fifteen seconds; answers the sizes that were asked for. The wall clock may be another than the steady one. */
function sizes(
  count: number,
  scene: (look: number) => { value: number; wallMs?: number; replicas?: number },
  spec: Partial<HorizontalPodAutoscalerSpec> = {},
): number[] {
  let history: History = noHistory;
  let replicas = 10;
  return Array.from({ length: count }, (_, index) => {
    const steadyMs = noon + index * 15_000;
    const { value, wallMs = steadyMs, replicas: given } = scene(index);
    replicas = given ?? replicas;
    const pods = Array.from({ length: replicas }, (_each, number) => pod(number, {}, wallMs));
    const readings = [podReading(Array(replicas).fill(value), wallMs)];
    const plan = planAutoscaler(observedOf({ replicas, pods, readings, history, spec, more: { steadyMs } }), wallMs);
    assert.ok(plan !== undefined);
    history = plan.history;
    if (plan.change !== undefined) {
      history = rememberChange(history, spec.behavior, plan.change.to - plan.change.from, steadyMs);
      replicas = plan.change.to;
    }
    return replicas;
  });
}

test("a clock that is set an hour ahead or back makes no window shorter or longer", () => {
  for (const stepMs of [3_600_000, -3_600_000]) {
    const stepped = sizes(25, (index) => ({
      value: index < 2 ? 500 : 50,
      wallMs: noon + index * 15_000 + (index < 4 ? 0 : stepMs),
    }));
    assert.deepEqual(stepped.slice(0, 21), Array(21).fill(10), "five minutes after the last high recommendation");
    assert.equal(stepped.at(-1), 1);
  }
});

test("a counter that reset, and so shows nothing for a moment, shrinks nothing", () => {
  assert.deepEqual(
    sizes(40, (index) => ({ value: index % 10 === 5 ? 0 : 500 })),
    Array(40).fill(10),
  );
});

test("a target whose size others set again and again is brought to what its load asks for, and little is remembered", () => {
  let history: History = noHistory;
  for (let index = 0; index < 5_000; index++) {
    const steadyMs = noon + index * 2_000;
    const replicas = 1 + (index % 7);
    const readings = [podReading(Array(replicas).fill(Math.round(1500 / replicas)), steadyMs)];
    const draft = { replicas, readings, history, more: { steadyMs } };
    const plan = planAutoscaler(observedOf(draft), noon);
    assert.ok(plan !== undefined && (plan.change?.to ?? replicas) <= 7);
    history = plan.history;
    if (plan.change !== undefined)
      history = rememberChange(history, undefined, plan.change.to - plan.change.from, steadyMs);
  }
  assert.ok(history.recommendations.length <= 200, `${history.recommendations.length} recommendations`);
  assert.ok(history.changes.length <= 20, `${history.changes.length} changes`);
});

test("a program that has just started takes the present size as the last recommendation", () => {
  assert.deepEqual(
    sizes(3, () => ({ value: 50 })),
    [10, 10, 10],
  );
});

/** As a restore, or an older program with other rules, may have left them. */
const malformed: readonly { what: string; spec: object; condition: string }[] = [
  { what: "no metrics", spec: { metrics: [] }, condition: "ScalingActive=False InvalidMetricSourceType" },
  {
    what: "a kind of metric that nobody knows",
    spec: { metrics: [{ type: "Magic" }] },
    condition: "ScalingActive=False InvalidMetricSourceType",
  },
  {
    what: "a metric without its source",
    spec: { metrics: [{ type: "Pods" }] },
    condition: "ScalingActive=False FailedGetPodsMetric",
  },
  ...["Resource", "ContainerResource", "Pods", "Object", "External"].map((type) => {
    const source = { name: "cpu", container: "main", metric: { name: "m" }, describedObject: ingress };
    const field = `${type[0]?.toLowerCase()}${type.slice(1)}`;
    return {
      what: `a ${type} metric without a target`,
      spec: { metrics: [{ type, [field]: source }] },
      condition: `ScalingActive=False FailedGet${type}Metric`,
    };
  }),
  {
    what: "a target of zero",
    spec: { metrics: [{ type: "External", external: { metric: { name: "m" }, target: average("0") } }] },
    condition: "ScalingActive=False FailedGetExternalMetric",
  },
];

for (const { what, spec, condition } of malformed) {
  test(`${what} scales nothing and says why`, () => {
    const type = (spec as { metrics: { type: string }[] }).metrics[0]?.type;
    const reading: Reading =
      type === "Object" ? { kind: "value", value: 1 } : type === "External" ? waiting(1) : podReading([900, 900]);
    const result = look({ replicas: 2, readings: [reading], spec: spec as Partial<HorizontalPodAutoscalerSpec> });
    assert.equal(result.to, undefined);
    assert.ok(conditionsIn(result).includes(condition), conditionsIn(result).join("; "));
  });
}
