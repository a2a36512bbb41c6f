import assert from "node:assert/strict";
import { test } from "node:test";
import type { HorizontalPodAutoscalerSpec } from "#api/generated/autoscaling-v2.ts";
import {
  scaleToZeroAnnotation,
  trafficdemands,
  trafficholds,
  type HoldPhase,
  type TrafficHoldSpec,
} from "#api/delivery/traffic-hold.ts";
import { objectView, timeText } from "#reconcile/object-view.ts";
import { planAutoscaler } from "./plan.ts";
import { mayScaleToZero, type ObservedSleep, type Traffic } from "./sleep.ts";
import { conditionsIn, cpuAt, noon, observedOf, podReading, resultOf, type StageDraft } from "./testing/stage.ts";
import type { DemandView, HoldView } from "./view.ts";

const window: HorizontalPodAutoscalerSpec["behavior"] = { scaleDown: { stabilizationWindowSeconds: 60 } };
const zero = { minReplicas: 0, behavior: window, metrics: cpuAt(50) };
const quiet = (seconds: number): Traffic => ({ kind: "quiet", quietMs: seconds * 1000 });

function holdAt(phase: HoldPhase, sleep: number, sinceSecondsAgo: number, services = ["web"]): HoldView {
  const since = timeText(noon - sinceSecondsAgo * 1000);
  const metadata = { namespace: "default", name: "web", uid: "hold-uid", resourceVersion: "9" };
  return { ...objectView(metadata), spec: { services, phase, sleep, since } };
}

function demandFor(sleep: number): DemandView {
  const metadata = { namespace: "default", name: "web.n1", uid: "demand-uid", resourceVersion: "11" };
  const more = { holdKey: "default/web", holdUid: "hold-uid", sleep, node: "n1", service: "web" };
  return { ...objectView(metadata), ...more };
}

interface Scene extends Partial<ObservedSleep> {
  readonly replicas: number;
  readonly percent?: number;
  readonly readings?: StageDraft["readings"];
  readonly spec?: Partial<HorizontalPodAutoscalerSpec>;
}

/** What a look comes to: the new size, what becomes of the hold (`Asleep 2`, `gone`), the condition that tells why. */
function look({ replicas, percent = 30, readings, spec, ...sleep }: Scene) {
  const plan = planAutoscaler(
    observedOf({
      replicas,
      readings: readings ?? [podReading(Array.from({ length: replicas }, () => percent * 10))],
      spec: { ...zero, ...spec },
      more: {
        sleep: {
          wanted: true,
          hold: undefined,
          demand: undefined,
          services: ["web"],
          traffic: { kind: "unasked" },
          release: undefined,
          ...sleep,
        },
      },
    }),
    noon,
  );
  const result = resultOf(plan);
  const told = plan?.actions.flatMap((action) => {
    if (action.verb === "event" || action.resource.resource !== trafficholds.resource) return [];
    if (action.verb === "delete") return ["gone"];
    const given = action.verb === "create" ? action.object : action.verb === "patch" ? action.patch : undefined;
    const { phase, sleep: number } = (given as { spec: TrafficHoldSpec }).spec;
    return [`${action.verb} ${phase} ${number}`];
  });
  return { to: result.to, hold: told?.[0], conditions: conditionsIn(result), plan };
}

const cases: readonly [what: string, scene: Scene, to: number | undefined, hold: string | undefined][] = [
  ["a new one is awake", { replicas: 1 }, undefined, "create Awake 0"],
  ["used a moment ago", { replicas: 1, hold: holdAt("Awake", 3, 100), traffic: quiet(5) }, undefined, undefined],
  [
    "long quiet: it falls asleep",
    { replicas: 1, hold: holdAt("Awake", 3, 100), traffic: quiet(60) },
    undefined,
    "patch FallingAsleep 4",
  ],
  [
    "the ingresses are told first",
    { replicas: 1, hold: holdAt("FallingAsleep", 4, 0), traffic: quiet(61) },
    undefined,
    undefined,
  ],
  ["then the pod goes", { replicas: 1, hold: holdAt("FallingAsleep", 4, 2), traffic: quiet(63) }, 0, undefined],
  [
    "a request while it falls asleep",
    { replicas: 1, hold: holdAt("FallingAsleep", 4, 2), traffic: quiet(63), demand: demandFor(4) },
    undefined,
    "patch Awake 4",
  ],
  [
    "a request that an ingress served meanwhile",
    { replicas: 1, hold: holdAt("FallingAsleep", 4, 2), traffic: quiet(1) },
    undefined,
    "patch Awake 4",
  ],
  [
    "an ingress that falls silent while it falls asleep",
    { replicas: 1, hold: holdAt("FallingAsleep", 4, 2), traffic: { kind: "unknown", message: "n2" } },
    undefined,
    "patch Awake 4",
  ],
  [
    "the clock was set back since the ingresses were told",
    { replicas: 1, hold: holdAt("FallingAsleep", 4, -3600), traffic: quiet(63) },
    0,
    undefined,
  ],
  ["gone to zero", { replicas: 0, hold: holdAt("FallingAsleep", 4, 3) }, undefined, "patch Asleep 4"],
  ["asleep", { replicas: 0, hold: holdAt("Asleep", 4, 900) }, undefined, undefined],
  ["a request", { replicas: 0, hold: holdAt("Asleep", 4, 900), demand: demandFor(4) }, 1, "patch Awake 4"],
  [
    "a request that came while the last pod went",
    { replicas: 0, hold: holdAt("FallingAsleep", 4, 1), demand: demandFor(4) },
    1,
    "patch Awake 4",
  ],
  ["somebody gave it pods", { replicas: 2, hold: holdAt("Asleep", 4, 900) }, undefined, "patch Awake 4"],
  ["somebody took its pods", { replicas: 0, hold: holdAt("Awake", 4, 900) }, undefined, "patch Asleep 5"],
  ["made without pods", { replicas: 0 }, undefined, "create Asleep 1"],
  [
    "more than one is needed",
    { replicas: 1, percent: 140, hold: holdAt("Awake", 4, 900), traffic: quiet(900) },
    3,
    undefined,
  ],
  [
    "more than one is needed while it falls asleep",
    { replicas: 1, percent: 140, hold: holdAt("FallingAsleep", 4, 2), traffic: quiet(900) },
    3,
    "patch Awake 4",
  ],
  [
    "two pods are one too many to sleep",
    { replicas: 2, hold: holdAt("Awake", 4, 900), percent: 5 },
    undefined,
    undefined,
  ],
  [
    "a metric is missing",
    {
      replicas: 1,
      hold: holdAt("Awake", 4, 900),
      traffic: quiet(900),
      readings: [{ kind: "failed", message: "no metrics" }],
    },
    undefined,
    undefined,
  ],
  ["its Services are others", { replicas: 1, hold: holdAt("Awake", 4, 900, ["old"]) }, undefined, "patch Awake 4"],
  [
    "no longer asked for",
    { replicas: 1, wanted: false, hold: holdAt("Awake", 4, 900), spec: { minReplicas: 1 } },
    undefined,
    "gone",
  ],
  [
    "no longer asked for, asleep",
    { replicas: 0, wanted: false, hold: holdAt("Asleep", 4, 900), spec: { minReplicas: 2 } },
    2,
    "gone",
  ],
];

for (const [what, scene, to, hold] of cases) {
  test(what, () => {
    const found = look(scene);
    assert.deepEqual([found.to, found.hold], [to, hold]);
  });
}

test("why it does not sleep is a condition", () => {
  const hold = holdAt("Awake", 1, 900);
  const because = (scene: Partial<ObservedSleep>): string | undefined =>
    look({ replicas: 1, hold, ...scene }).conditions.find((text) => text.startsWith("ScalingLimited"));
  assert.equal(because({ traffic: quiet(3) }), "ScalingLimited=True RequestsSeen");
  assert.equal(because({ traffic: { kind: "unrouted" } }), "ScalingLimited=True NoIngress");
  assert.equal(because({ traffic: { kind: "unknown", message: "n2" } }), "ScalingLimited=True RequestsUnknown");
  assert.equal(because({ traffic: quiet(900), release: "Canary/web" }), "ScalingLimited=True ReleaseUnderWay");
  const asleep = look({ replicas: 0, hold: holdAt("Asleep", 1, 9) });
  assert.ok(asleep.conditions.includes("ScalingActive=True WaitingForRequests"));
});

test("a wake-up names the request that caused it, and pods come before the hold is told", () => {
  const { plan } = look({ replicas: 0, hold: holdAt("Asleep", 4, 900), demand: demandFor(4) });
  assert.equal(plan?.because, `${trafficdemands.group}/trafficdemands/default/web.n1@11`);
  const [scale, hold] = plan.actions;
  assert.partialDeepStrictEqual(scale, {
    verb: "update",
    subresource: "scale",
    reason: "from 0 to 1 replicas: a request for Service web waits at the ingress of node n1",
    event: { message: "New size: 1; reason: a request for Service web waits at the ingress of node n1" },
  });
  assert.partialDeepStrictEqual(hold, {
    verb: "patch",
    reason: "the target is awake: a request for Service web waits at the ingress of node n1",
    patch: { metadata: { uid: "hold-uid", resourceVersion: "9" }, spec: { phase: "Awake", sleep: 4 } },
  });
});

test("a metric from outside wakes as well, as far as it asks", () => {
  const external = { metric: { name: "queue" }, target: { type: "AverageValue", averageValue: "10" } };
  const spec = { metrics: [...cpuAt(50), { type: "External", external }] };
  const scene = { replicas: 0, hold: holdAt("Asleep", 4, 900), spec };
  assert.equal(look({ ...scene, readings: [{ kind: "values", values: [35_000] }] }).to, 4);
  assert.equal(look({ ...scene, readings: [{ kind: "values", values: [0] }] }).to, undefined);
  assert.equal(look({ ...scene, readings: [{ kind: "failed", message: "no history" }] }).to, undefined);
});

test("both the annotation and minReplicas: 0 ask for it", () => {
  const ask = (annotation: string | undefined, minReplicas: number): boolean =>
    mayScaleToZero({
      annotations: annotation === undefined ? {} : { [scaleToZeroAnnotation]: annotation },
      spec: { scaleTargetRef: { kind: "Deployment", name: "web" }, maxReplicas: 3, minReplicas },
    });
  assert.deepEqual([ask("true", 0), ask("true", 1), ask("false", 0), ask(undefined, 0)], [true, false, false, false]);
});
