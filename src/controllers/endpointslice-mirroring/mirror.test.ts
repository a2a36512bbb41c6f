import assert from "node:assert/strict";
import { test } from "node:test";
import type { ModelObject } from "#client/testing/model-api.ts";
import { createModelCluster, type ModelCluster } from "../testing/model-cluster.ts";

const metadata = { name: "db", namespace: "default" };

async function start(spec: Record<string, unknown>, labels: Record<string, string> = {}): Promise<ModelCluster> {
  const cluster = await createModelCluster({ only: ["endpointslice-mirroring"] });
  cluster.api.put("services", { metadata, spec: { ports: [{ port: 5432 }], ...spec } });
  put(cluster, ["192.0.2.1", "192.0.2.2"], labels);
  await cluster.quiesce();
  return cluster;
}

function put(cluster: ModelCluster, ips: readonly string[], labels: Record<string, string> = {}): void {
  const addresses = ips.map((ip) => ({ ip }));
  const subsets =
    ips.length === 0 ? [] : [{ addresses, notReadyAddresses: [{ ip: "2001:db8::1" }], ports: [{ port: 5432 }] }];
  const uid = cluster.api.get("endpoints", "default/db")?.metadata.uid;
  cluster.api.put("endpoints", {
    metadata: { ...metadata, labels, ...(uid === undefined ? {} : { uid }) },
    subsets,
  });
}

interface SliceSketch {
  readonly addressType: string;
  readonly endpoints: readonly {
    readonly addresses: readonly string[];
    readonly conditions: { readonly ready: boolean };
  }[];
}

function slicesOf(cluster: ModelCluster): string[] {
  return (cluster.api.list("endpointslices") as (ModelObject & SliceSketch)[])
    .map(
      ({ addressType, endpoints }) =>
        `${addressType} ${endpoints.map((one) => `${one.addresses[0]}${one.conditions.ready ? "" : "?"}`).join(" ")}`,
    )
    .sort();
}

test("addresses that people wrote for a Service without selector become slices, by family", async () => {
  const cluster = await start({});
  assert.deepEqual(slicesOf(cluster), ["IPv4 192.0.2.1 192.0.2.2", "IPv6 2001:db8::1?"]);
  const [slice] = cluster.api.list("endpointslices");
  assert.equal(slice?.metadata.labels?.["kubernetes.io/service-name"], "db");
  assert.equal(slice?.metadata.ownerReferences?.[0]?.uid, cluster.api.get("endpoints", "default/db")?.metadata.uid);
  put(cluster, ["192.0.2.2", "192.0.2.3"]);
  await cluster.quiesce();
  assert.deepEqual(slicesOf(cluster), ["IPv4 192.0.2.2 192.0.2.3", "IPv6 2001:db8::1?"]);
  put(cluster, []);
  await cluster.quiesce();
  assert.deepEqual(slicesOf(cluster), []);
});

test("a Service with a selector has its own slices", async () => {
  assert.deepEqual(slicesOf(await start({ selector: { app: "db" } })), []);
});

test("who asks to be left out is left out", async () => {
  assert.deepEqual(slicesOf(await start({}, { "endpointslice.kubernetes.io/skip-mirror": "true" })), []);
});
