import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#api/generated/core-v1.ts";
import { createMetrics } from "#telemetry/metrics.ts";
import { probedPodsMax } from "../limits.ts";
import { NodeMeasures } from "./measures.ts";

const pod = (uid: string): Pod => {
  const made: object = { metadata: { namespace: "shop", name: `web-${uid}`, uid } };
  return made as Pod;
};

test("probes are told by result and duration, and go with their pod", () => {
  const measures = new NodeMeasures(createMetrics(), { monotonic: () => 0 });
  const [here, gone] = [pod("1"), pod("2")];
  for (const each of [here, gone]) {
    measures.probed({ pod: each, container: "main", type: "Readiness" }, true, 0.02);
    measures.probed({ pod: each, container: "main", type: "Readiness" }, false, 20);
  }
  const page = measures.probesPage([here]);
  const labels = 'container="main",namespace="shop",pod="web-1",probe_type="Readiness"';
  for (const line of [
    `prober_probe_total{${labels},pod_uid="1",result="successful"} 1`,
    `prober_probe_total{${labels},pod_uid="1",result="failed"} 1`,
    `prober_probe_duration_seconds_bucket{${labels},le="0.01"} 0`,
    `prober_probe_duration_seconds_bucket{${labels},le="10"} 1`,
    `prober_probe_duration_seconds_bucket{${labels},le="+Inf"} 2`,
    `prober_probe_duration_seconds_sum{${labels}} 20.02`,
  ])
    assert.ok(page.split("\n").includes(line), `${line} is not in ${page}`);
  assert.doesNotMatch(page, /web-2/);
});

test("pods that come and go between two looks do not pile up", () => {
  const measures = new NodeMeasures(createMetrics(), { monotonic: () => 0 });
  const many = Array.from({ length: probedPodsMax + 10 }, (_, index) => pod(String(index)));
  for (const each of many) measures.probed({ pod: each, container: "main", type: "Liveness" }, true, 0);
  assert.equal(measures.probesPage(many).match(/^prober_probe_total\{/gm)?.length, probedPodsMax);
});

test("how fast a pod starts is told without the time for images and init containers, and only of pods without a past", async () => {
  const metrics = createMetrics();
  let now = 0;
  const measures = new NodeMeasures(metrics, { monotonic: () => now });
  measures.pulling("1");
  now = 20_000;
  measures.pulling("1");
  const start = { uid: "1", seconds: 24, sinceCreation: 25, initializing: 2.5, isStateless: true };
  measures.podStarted(start);
  measures.podStarted({ ...start, uid: "2", isStateless: false });
  const page = (await metrics.expose()).split("\n");
  for (const line of [
    'kubelet_pod_start_sli_duration_seconds_bucket{le="2"} 0',
    'kubelet_pod_start_sli_duration_seconds_bucket{le="3"} 1',
    "kubelet_pod_start_sli_duration_seconds_count 1",
    "kubelet_pod_start_duration_seconds_count 2",
  ])
    assert.ok(page.includes(line), line);
});

test("comparisons with the runtime and work on groups are timed", async () => {
  const metrics = createMetrics();
  let now = 0;
  const measures = new NodeMeasures(metrics, { monotonic: () => now });
  measures.compared(20);
  now = 3_000;
  measures.compared(20);
  const done = (): Promise<void> => Promise.resolve();
  const machine = measures.measuredCgroups({ setCgroup: done, removeCgroup: done });
  await machine.setCgroup("/x", {});
  await machine.removeCgroup("/x");
  const page = (await metrics.expose()).split("\n");
  for (const line of [
    'kubelet_pleg_relist_duration_seconds_bucket{le="0.025"} 2',
    'kubelet_pleg_relist_interval_seconds_bucket{le="2.5"} 0',
    'kubelet_pleg_relist_interval_seconds_bucket{le="5"} 1',
    'kubelet_cgroup_manager_duration_seconds_count{operation_type="update"} 1',
    'kubelet_cgroup_manager_duration_seconds_count{operation_type="destroy"} 1',
  ])
    assert.ok(page.includes(line), line);
});
