/** How fast and how calmly an autoscaler follows its load, played in virtual time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HorizontalPodAutoscalerSpec } from "#api/generated/autoscaling-v2.ts";
import { noHistory, remember } from "./behavior.ts";
import { conditionsIn, noon, observedOf, play, podReading, resultOf, type Play } from "./testing/stage.ts";
import { planAutoscaler } from "./plan.ts";

interface Scenario {
  readonly name: string;
  readonly behavior?: HorizontalPodAutoscalerSpec["behavior"];
  readonly bounds?: Pick<HorizontalPodAutoscalerSpec, "minReplicas" | "maxReplicas">;
  readonly replicas: number;
  readonly load: Play["load"];
  readonly seconds: number;
  readonly everySeconds?: number;
  readonly want: readonly [second: number, replicas: number][];
}

const scenarios: readonly Scenario[] = [
  {
    name: "by default growth is 100 % or 4 pods in 15 seconds, whichever is more, however often it looks",
    replicas: 1,
    load: () => 20,
    seconds: 60,
    everySeconds: 1,
    want: [
      [0, 5],
      [15, 10],
      [30, 20],
      [45, 40],
    ],
  },
  {
    name: "by default shrinking waits until five minutes of recommendations agree",
    replicas: 10,
    load: (second) => (second < 30 ? 5 : 1),
    seconds: 400,
    everySeconds: 10,
    want: [[320, 2]],
  },
  {
    name: "a load that comes back within five minutes shrinks nothing",
    replicas: 10,
    load: (second) => (second % 240 < 120 ? 5 : 1),
    seconds: 900,
    everySeconds: 15,
    want: [],
  },
  {
    name: "a window for growth takes the lowest recommendation",
    behavior: {
      scaleUp: { stabilizationWindowSeconds: 60, policies: [{ type: "Pods", value: 100, periodSeconds: 15 }] },
    },
    replicas: 2,
    load: (second) => (second < 20 ? 1 : 4),
    seconds: 120,
    everySeconds: 10,
    want: [[70, 8]],
  },
  {
    name: "a policy of pods bounds growth in its period",
    behavior: { scaleUp: { policies: [{ type: "Pods", value: 2, periodSeconds: 60 }] } },
    replicas: 2,
    load: () => 4,
    seconds: 180,
    everySeconds: 15,
    want: [
      [0, 4],
      [60, 6],
      [120, 8],
    ],
  },
  {
    name: "a policy of percent bounds shrinking in its period",
    behavior: {
      scaleDown: { stabilizationWindowSeconds: 0, policies: [{ type: "Percent", value: 50, periodSeconds: 60 }] },
    },
    replicas: 16,
    load: () => 1,
    seconds: 180,
    everySeconds: 15,
    want: [
      [0, 8],
      [60, 4],
      [120, 2],
    ],
  },
  {
    name: "Min selects the policy that changes least",
    behavior: {
      scaleUp: {
        selectPolicy: "Min",
        policies: [
          { type: "Pods", value: 1, periodSeconds: 30 },
          { type: "Percent", value: 100, periodSeconds: 30 },
        ],
      },
    },
    replicas: 2,
    load: () => 10,
    seconds: 60,
    everySeconds: 15,
    want: [
      [0, 3],
      [30, 4],
      [60, 5],
    ],
  },
  {
    name: "Max selects the policy that changes most, also when it shrinks",
    behavior: {
      scaleDown: {
        selectPolicy: "Max",
        stabilizationWindowSeconds: 0,
        policies: [
          { type: "Pods", value: 1, periodSeconds: 60 },
          { type: "Percent", value: 50, periodSeconds: 60 },
        ],
      },
    },
    replicas: 8,
    load: () => 0.1,
    seconds: 180,
    everySeconds: 15,
    want: [
      [0, 4],
      [60, 2],
      [120, 1],
    ],
  },
  {
    name: "Disabled forbids growth too",
    behavior: { scaleUp: { selectPolicy: "Disabled" } },
    replicas: 2,
    load: () => 50,
    seconds: 60,
    everySeconds: 15,
    want: [],
  },
  {
    name: "Disabled forbids a direction",
    behavior: { scaleDown: { selectPolicy: "Disabled", stabilizationWindowSeconds: 0 } },
    replicas: 10,
    load: () => 1,
    seconds: 120,
    everySeconds: 15,
    want: [],
  },
  {
    name: "the most and the least hold",
    bounds: { minReplicas: 2, maxReplicas: 6 },
    behavior: { scaleDown: { stabilizationWindowSeconds: 0 } },
    replicas: 3,
    load: (second) => (second < 60 ? 50 : 0.1),
    seconds: 120,
    everySeconds: 15,
    want: [
      [0, 6],
      [60, 2],
    ],
  },
];

for (const { name, behavior, bounds, replicas, load, seconds, everySeconds = 15, want } of scenarios) {
  test(name, () => {
    const spec = { ...bounds, ...(behavior === undefined ? {} : { behavior }) };
    assert.deepEqual(play({ spec, replicas, load, seconds, everySeconds }), want);
  });
}

const limits = [
  { name: "faster than allowed", replicas: 1, value: 10_000, condition: "ScalingLimited=True ScaleUpLimit" },
  { name: "more than the most", replicas: 99, value: 1000, condition: "ScalingLimited=True TooManyReplicas" },
  { name: "as wanted", replicas: 2, value: 500, condition: "ScalingLimited=False DesiredWithinRange" },
];

for (const { name, replicas, value, condition } of limits) {
  test(`the condition tells the limit: ${name}`, () => {
    const readings = [podReading(Array.from({ length: replicas }, () => value))];
    const result = resultOf(planAutoscaler(observedOf({ replicas, readings }), noon));
    assert.ok(conditionsIn(result).includes(condition), conditionsIn(result).join("; "));
  });
}

test("the condition tells that recent recommendations hold it", () => {
  const history = remember(noHistory, undefined, 10, noon - 60_000);
  const readings = [podReading(Array.from({ length: 10 }, () => 100))];
  const result = resultOf(planAutoscaler(observedOf({ replicas: 10, readings, history }), noon));
  assert.equal(result.to, undefined);
  assert.ok(conditionsIn(result).includes("AbleToScale=True ScaleDownStabilized"));
});

test("a day of looking every two seconds remembers little", () => {
  let history = noHistory;
  for (let second = 0; second < 86_400; second += 2) history = remember(history, undefined, 3, noon + second * 1000);
  assert.ok(history.recommendations.length < 10, `${history.recommendations.length} recommendations`);
});

test("a clock that went back does not hold the future against the present", () => {
  const ahead = remember(noHistory, undefined, 50, noon + 3_600_000);
  assert.equal(remember(ahead, undefined, 2, noon).recommendations.length, 1);
});
