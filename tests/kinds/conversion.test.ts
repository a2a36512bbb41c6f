// Objects that two versions serve: nothing is lost between them.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiObject } from "#api/kind.ts";
import { cloneValue } from "#codec/record.ts";
import { apiVersionOf } from "#api/resource.ts";
import { created, kindOf } from "./created.ts";

/** A stored object as another version says it, and back. */
function both(
  manifest: string,
  apiVersion: string,
): { stored: ApiObject; other: Record<string, any>; back: ApiObject } {
  const stored = created(manifest);
  const kind = kindOf(stored);
  const version = kind.versions.find((candidate) => apiVersionOf(candidate) === apiVersion);
  assert.ok(version !== undefined && kind.convert !== undefined);
  const before = cloneValue(stored);
  const other = kind.convert(stored, kind.storage, version);
  assert.deepEqual(cloneValue(stored), before, "what is converted stays as it is");
  return { stored, other, back: kind.convert(other, version, kind.storage) };
}

function plain(object: unknown): unknown {
  return JSON.parse(JSON.stringify(object));
}

const autoscaler = (metrics: string): string =>
  `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h, annotations: ` +
  `{mine: kept}}, spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}, ` +
  `maxReplicas: 3, metrics: [${metrics}], behavior: {scaleDown: {stabilizationWindowSeconds: 5}}}}`;

test("the CPU's utilization is a field of version 1", () => {
  const { stored, other, back } = both(
    autoscaler("{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}"),
    "autoscaling/v1",
  );
  assert.equal(other["spec"].targetCPUUtilizationPercentage, 60);
  assert.deepEqual(Object.keys(other["metadata"].annotations).toSorted(), [
    "autoscaling.alpha.kubernetes.io/behavior",
    "mine",
  ]);
  assert.deepEqual(plain(back["spec"]), plain(stored["spec"]));
  assert.deepEqual(plain(back.metadata), plain(stored.metadata));
});

for (const metric of [
  "{type: Pods, pods: {metric: {name: rps}, target: {type: AverageValue, averageValue: '100'}}}",
  "{type: Object, object: {metric: {name: queue}, describedObject: {kind: Service, name: s, " +
    "apiVersion: v1}, target: {type: Value, value: 2k}}}",
  "{type: External, external: {metric: {name: q, selector: {matchLabels: {a: b}}}, target: {type: AverageValue, averageValue: '3'}}}",
  "{type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 1Gi}}}",
  "{type: ContainerResource, containerResource: {name: cpu, container: c, target: {type: Utilization, averageUtilization: 5}}}",
]) {
  test(`version 1 carries ${metric.slice(0, 24)} in an annotation`, () => {
    const { stored, other, back } = both(autoscaler(metric), "autoscaling/v1");
    assert.ok(other["metadata"].annotations["autoscaling.alpha.kubernetes.io/metrics"].includes('"type"'));
    assert.deepEqual(plain(back["spec"]), plain(stored["spec"]));
  });
}

test("an event has other names in events.k8s.io", () => {
  const { stored, other, back } = both(
    "{apiVersion: v1, kind: Event, metadata: {name: e}, involvedObject: {kind: Pod, name: p, " +
      "namespace: default}, message: hello, reason: R, count: 2, source: {component: c}}",
    "events.k8s.io/v1",
  );
  assert.deepEqual(
    [
      other["apiVersion"],
      other["regarding"].name,
      other["note"],
      other["deprecatedCount"],
      other["deprecatedSource"].component,
      other["message"],
    ],
    ["events.k8s.io/v1", "p", "hello", 2, "c", undefined],
  );
  assert.deepEqual(plain(back), plain(stored));
});
