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
  const measures = new NodeMeasures(createMetrics());
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
  const measures = new NodeMeasures(createMetrics());
  const many = Array.from({ length: probedPodsMax + 10 }, (_, index) => pod(String(index)));
  for (const each of many) measures.probed({ pod: each, container: "main", type: "Liveness" }, true, 0);
  assert.equal(measures.probesPage(many).match(/^prober_probe_total\{/gm)?.length, probedPodsMax);
});
