import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import { createMetrics } from "#telemetry/metrics.ts";
import { ProxyMeasures } from "./measures.ts";

const startMs = 1_780_000_000_000;

function sliceOf(triggerMs: number): EndpointSlice {
  const at = new Date(triggerMs).toISOString();
  const slice: object = { metadata: { annotations: { "endpoints.kubernetes.io/last-change-trigger-time": at } } };
  return slice as EndpointSlice;
}

test("changes are pending until the kernel has them, and the time since they happened is told", async () => {
  const clock = { now: () => startMs + passedMs, monotonic: () => passedMs };
  let passedMs = 0;
  const metrics = createMetrics();
  const measures = new ProxyMeasures(metrics, clock);
  const told = async (...lines: readonly string[]): Promise<void> => {
    const page = (await metrics.expose()).split("\n");
    for (const line of lines) assert.ok(page.includes(`kubeproxy_${line}`), `${line} is not in ${page.join("\n")}`);
  };
  // What happened before the proxy was there says nothing about it.
  measures.endpointsChanged(sliceOf(startMs - 3_600_000));
  measures.endpointsChanged(sliceOf(startMs));
  measures.serviceChanged();
  const prefix = "sync_proxy_rules_";
  await told(`${prefix}service_changes_pending 1`, `${prefix}endpoint_changes_pending 2`);
  passedMs = 300;
  const failing = measures.began();
  measures.endpointsChanged(undefined);
  failing(false);
  await told(`${prefix}nftables_sync_failures_total 1`, `${prefix}endpoint_changes_pending 3`);
  await told("network_programming_duration_seconds_count 0");
  passedMs = 700;
  const working = measures.began();
  measures.serviceChanged();
  passedMs = 800;
  working(true);
  await told(
    `${prefix}duration_seconds_count 2`,
    `${prefix}service_changes_total 2`,
    `${prefix}service_changes_pending 1`,
    `${prefix}endpoint_changes_total 3`,
    `${prefix}endpoint_changes_pending 0`,
    `${prefix}last_timestamp_seconds ${(startMs + 800) / 1000}`,
    'network_programming_duration_seconds_bucket{le="0.5"} 0',
    'network_programming_duration_seconds_bucket{le="1"} 1',
    "network_programming_duration_seconds_count 1",
  );
});
