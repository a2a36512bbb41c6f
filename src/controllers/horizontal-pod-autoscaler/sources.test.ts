/** What the metrics APIs answer, whoever serves them, becomes a reading or a sentence: nothing is scaled on nonsense. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MetricSpec } from "#api/generated/autoscaling-v2.ts";
import { builtInResources } from "#api/generated/resources.ts";
import type { Client } from "#client/client.ts";
import { planAutoscaler } from "./plan.ts";
import type { Reading } from "./reading.ts";
import { readMetric } from "./sources.ts";
import { conditionsIn, noon, observedOf, resultOf } from "./testing/stage.ts";

const question = { namespace: "default", selector: "app=web", maxAgeMs: 2000, resources: () => builtInResources };

/** Reads a metric from an API that gives this answer, or fails; tells what was asked for too. */
async function read(spec: MetricSpec, answer: unknown): Promise<{ reading: Reading; asked: string }> {
  let asked = "";
  const client = {
    request: (_method: string, path: string): Promise<unknown> => {
      asked = decodeURIComponent(path);
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  } satisfies Pick<Client, "request">;
  return { reading: await readMetric(client as Client, spec, question), asked };
}

const cpu: MetricSpec = {
  type: "Resource",
  resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } },
};
const cpuOfMain: MetricSpec = {
  type: "ContainerResource",
  containerResource: { name: "cpu", container: "main", target: { type: "Utilization", averageUtilization: 50 } },
};
const average = { type: "AverageValue", averageValue: "10" };
const pods: MetricSpec = { type: "Pods", pods: { metric: { name: "hits" }, target: average } };
const external: MetricSpec = { type: "External", external: { metric: { name: "queue" }, target: average } };

const usage = (name: string, containers: Record<string, unknown>, timestamp?: string) => ({
  metadata: { name },
  window: "10s",
  timestamp: timestamp ?? "2026-05-28T20:26:40Z",
  containers: Object.entries(containers).map(([container, amount]) => ({ name: container, usage: { cpu: amount } })),
});

test("a container's resource is that container's alone, and only pods that have it count", async () => {
  const items = [usage("web-0", { main: "900m", proxy: "10" }), usage("web-1", { proxy: "10" })];
  const { reading, asked } = await read(cpuOfMain, { items });
  assert.match(
    asked,
    /^\/apis\/metrics\.k8s\.io\/v1beta1\/namespaces\/default\/pods\?labelSelector=app=web&maxAgeMs=2000$/,
  );
  assert.ok(reading.kind === "pods");
  assert.deepEqual(
    [...reading.values].map(([name, { value, windowMs }]) => [name, value, windowMs]),
    [["web-0", 900, 10_000]],
  );
  // Held against the container's own request, one core: 90 % of it, where 50 % is wanted.
  const result = resultOf(
    planAutoscaler(observedOf({ replicas: 1, readings: [reading], spec: { metrics: [cpuOfMain] } }), noon),
  );
  assert.equal(result.to, 2);
});

const bad: readonly { what: string; spec: MetricSpec; answer: unknown; says: RegExp }[] = [
  { what: "no list", spec: cpu, answer: { items: "many" }, says: /the answer is not a list/ },
  { what: "nothing", spec: cpu, answer: undefined, says: /the answer is not a list/ },
  { what: "an empty list", spec: cpu, answer: { items: [] }, says: /no metrics returned from resource metrics API/ },
  {
    what: "garbage",
    spec: cpu,
    answer: { items: [usage("web-0", { main: "lots" })] },
    says: /"lots", which is no amount/,
  },
  {
    what: "no series",
    spec: external,
    answer: { items: [] },
    says: /unable to get external metric default\/queue\/nil: .*no metrics returned from external metrics API/,
  },
  { what: "NaN", spec: external, answer: { items: [{ value: "NaN" }] }, says: /"NaN", which is no amount/ },
  { what: "below zero", spec: external, answer: { items: [{ value: "-5" }] }, says: /"-5", which is below zero/ },
  { what: "no value", spec: external, answer: { items: [{}] }, says: /missing, which is no amount/ },
  {
    what: "a number without end",
    spec: external,
    answer: { items: [{ value: "9".repeat(400) }] },
    says: /amount|number/,
  },
  {
    what: "an object",
    spec: pods,
    answer: { items: [{ describedObject: { name: "web-0" }, value: {} }] },
    says: /no amount/,
  },
  { what: "a refusal", spec: pods, answer: new Error("the server is asleep"), says: /the server is asleep/ },
];

for (const { what, spec, answer, says } of bad) {
  test(`${what} scales nothing, and the condition says why`, async () => {
    const { reading } = await read(spec, answer);
    const result = resultOf(
      planAutoscaler(observedOf({ replicas: 2, readings: [reading], spec: { metrics: [spec] } }), noon),
    );
    assert.equal(result.to, undefined);
    assert.ok(conditionsIn(result).some((one) => one.startsWith("ScalingActive=False FailedGet")));
    assert.match(result.events.join("\n"), says);
  });
}

test("a measurement from another clock's future or past counts like any other once the pods are warm", async () => {
  for (const timestamp of ["2001-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "yesterday"]) {
    const items = ["web-0", "web-1"].map((name) => usage(name, { main: "1" }, timestamp));
    const { reading } = await read(cpu, { items });
    assert.equal(resultOf(planAutoscaler(observedOf({ replicas: 2, readings: [reading] }), noon)).to, 4, timestamp);
  }
});
