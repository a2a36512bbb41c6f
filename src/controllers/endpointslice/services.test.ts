import assert from "node:assert/strict";
import { test } from "node:test";
import type { ModelObject } from "#client/testing/model-api.ts";
import { createModelCluster, type ModelCluster } from "../testing/model-cluster.ts";

interface PodSketch {
  readonly ip?: string;
  readonly ready?: boolean;
  readonly readyAt?: string;
  readonly terminating?: boolean;
  readonly phase?: string;
  readonly port?: number;
  readonly labels?: Record<string, string>;
  readonly node?: string;
}

function pod(cluster: ModelCluster, name: string, sketch: PodSketch): void {
  const {
    ip,
    ready = true,
    readyAt,
    terminating = false,
    phase = "Running",
    port = 8080,
    labels = { app: "web" },
    node = "n1",
  } = sketch;
  cluster.api.put("pods", {
    metadata: {
      name,
      namespace: "default",
      labels,
      ...(terminating ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
    },
    spec: {
      nodeName: node,
      restartPolicy: "Never",
      containers: [{ name: "main", ports: [{ name: "http", containerPort: port }] }],
    },
    status: {
      phase,
      podIPs: ip === undefined ? [] : [{ ip }],
      conditions: [
        {
          type: "Ready",
          status: ready ? "True" : "False",
          ...(readyAt === undefined ? {} : { lastTransitionTime: readyAt }),
        },
      ],
    },
  });
}

async function start(spec: Record<string, unknown> = {}): Promise<ModelCluster> {
  const cluster = await createModelCluster({ only: ["endpointslice", "endpoints"] });
  cluster.api.put("nodes", { metadata: { name: "n1", labels: { "topology.kubernetes.io/zone": "z1" } } });
  cluster.api.put("services", {
    metadata: { name: "web", namespace: "default", labels: { team: "a" } },
    spec: {
      selector: { app: "web" },
      ports: [{ name: "http", port: 80, targetPort: "http", protocol: "TCP" }],
      ...spec,
    },
  });
  await cluster.quiesce();
  return cluster;
}

type Endpoint = { addresses: string[]; conditions: Record<string, boolean>; zone?: string };

function endpointsOf(slice: ModelObject): Endpoint[] {
  return slice["endpoints"] as Endpoint[];
}

/** `10.0.0.1 ready serving` for every endpoint of every slice. */
function published(cluster: ModelCluster): string[] {
  return cluster.api
    .list("endpointslices")
    .flatMap(endpointsOf)
    .map(({ addresses, conditions }) =>
      [addresses[0], ...Object.keys(conditions).filter((key) => conditions[key])].join(" "),
    )
    .sort();
}

test("a Service without pods has one empty slice with its labels", async () => {
  const cluster = await start();
  const [slice, ...others] = cluster.api.list("endpointslices");
  assert.deepEqual([others.length, slice!["endpoints"]], [0, []]);
  assert.deepEqual(slice!.metadata.labels, {
    team: "a",
    "kubernetes.io/service-name": "web",
    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
  });
});

test("endpoints say ready, serving and terminating; finished and addressless pods are none", async () => {
  const cluster = await start();
  pod(cluster, "a", { ip: "10.0.0.1" });
  pod(cluster, "b", { ip: "10.0.0.2", ready: false });
  pod(cluster, "c", { ip: "10.0.0.3", terminating: true });
  pod(cluster, "d", { ip: "10.0.0.4", phase: "Failed" });
  pod(cluster, "e", {});
  pod(cluster, "f", { ip: "10.0.0.6", labels: { app: "other" } });
  await cluster.quiesce();
  assert.deepEqual(published(cluster), ["10.0.0.1 ready serving", "10.0.0.2", "10.0.0.3 serving terminating"]);
  const [subset] = cluster.api.get("endpoints", "default/web")!["subsets"] as Record<string, { ip: string }[]>[];
  assert.deepEqual(
    subset!["addresses"]!.map(({ ip }) => ip),
    ["10.0.0.1"],
  );
  assert.deepEqual(
    subset!["notReadyAddresses"]!.map(({ ip }) => ip),
    ["10.0.0.2"],
  );
  assert.equal(cluster.api.list("endpointslices").flatMap(endpointsOf)[0]!.zone, "z1");
});

test("publishNotReadyAddresses makes every endpoint ready; headless Services are marked", async () => {
  const cluster = await start({ publishNotReadyAddresses: true, clusterIP: "None" });
  pod(cluster, "b", { ip: "10.0.0.2", ready: false });
  await cluster.quiesce();
  assert.deepEqual(published(cluster), ["10.0.0.2 ready"]);
  assert.equal(cluster.api.list("endpointslices")[0]!.metadata.labels!["service.kubernetes.io/headless"], "");
});

test("pods whose named port has another number stand in a slice of their own", async () => {
  const cluster = await start();
  pod(cluster, "a", { ip: "10.0.0.1", port: 8080 });
  pod(cluster, "b", { ip: "10.0.0.2", port: 9090 });
  await cluster.quiesce();
  const ports = cluster.api.list("endpointslices").map((slice) => (slice["ports"] as { port: number }[])[0]!.port);
  assert.deepEqual(ports.sort(), [8080, 9090]);
});

test("one slice serves a Service from before its first pod, through other ports, until after its last", async () => {
  const cluster = await start();
  const only = (): ModelObject => {
    const [slice, ...others] = cluster.api.list("endpointslices");
    assert.equal(others.length, 0);
    return slice!;
  };
  const { uid } = only().metadata;
  const writesOf = async (change: () => void): Promise<number> => {
    cluster.api.writes.length = 0;
    change();
    await cluster.quiesce();
    return cluster.api.writes.filter(({ path }) => path.includes("/endpointslices")).length;
  };
  assert.equal(await writesOf(() => pod(cluster, "a", { ip: "10.0.0.1" })), 1);
  assert.deepEqual(only()["ports"], [{ name: "http", port: 8080, protocol: "TCP" }]);
  const service = cluster.api.get("services", "default/web")!;
  const ports = [{ name: "http", port: 80, targetPort: 9090, protocol: "TCP" }];
  assert.equal(await writesOf(() => cluster.api.put("services", { ...service, spec: { ...service.spec, ports } })), 1);
  assert.deepEqual(only()["ports"], [{ name: "http", port: 9090, protocol: "TCP" }]);
  assert.equal(await writesOf(() => cluster.api.remove("pods", "default/a")), 1);
  assert.deepEqual([only().metadata.uid, endpointsOf(only())], [uid, []]);
});

test("250 pods fill three slices of at most 100; one change writes one slice", async () => {
  const cluster = await start();
  for (let number = 0; number < 250; number++)
    pod(cluster, `p${number}`, { ip: `10.0.${number >> 7}.${number & 127}` });
  await cluster.quiesce();
  const sizes = cluster.api.list("endpointslices").map((slice) => endpointsOf(slice).length);
  assert.equal(sizes.length, 3);
  assert.ok(Math.max(...sizes) <= 100);
  assert.equal(new Set(published(cluster)).size, 250);
  cluster.api.writes.length = 0;
  pod(cluster, "p7", { ip: "10.0.0.7", ready: false });
  await cluster.quiesce();
  assert.deepEqual(
    cluster.api.writes.map((write) => write.path.split("/")[3] ?? "").length,
    2,
    "one slice and the Endpoints object",
  );
});

test("Endpoints go with their Service, and no Service without selector is touched", async () => {
  const cluster = await start();
  cluster.api.put("services", {
    metadata: { name: "external", namespace: "default" },
    spec: { ports: [{ port: 80 }] },
  });
  cluster.api.put("endpoints", { metadata: { name: "external", namespace: "default" }, subsets: [] });
  cluster.api.remove("services", "default/web");
  await cluster.quiesce();
  assert.equal(cluster.api.get("endpoints", "default/web"), undefined);
  assert.notEqual(cluster.api.get("endpoints", "default/external"), undefined);
});

test("endpoints say whom they are for, and since when", async () => {
  for (const [trafficDistribution, hints] of [
    [undefined, undefined],
    ["PreferSameZone", { forZones: [{ name: "z1" }] }],
    ["PreferSameNode", { forZones: [{ name: "z1" }], forNodes: [{ name: "n1" }] }],
  ] as const) {
    const cluster = await start(trafficDistribution === undefined ? {} : { trafficDistribution });
    pod(cluster, "a", { ip: "10.0.0.1" });
    pod(cluster, "b", { ip: "10.0.0.2", ready: false });
    await cluster.quiesce();
    const [slice] = cluster.api.list("endpointslices") as (ModelObject & {
      endpoints: { hints?: unknown; conditions: { ready: boolean } }[];
    })[];
    const told = Object.fromEntries(slice!.endpoints.map((one) => [one.conditions.ready, one.hints]));
    assert.deepEqual(told, { true: hints, false: undefined });
  }
});

test("a slice tells when what is new in it happened, and nothing of what has been ready for long", async () => {
  const cluster = await start();
  const told = (): unknown => {
    const [slice] = cluster.api.list("endpointslices");
    return slice!.metadata.annotations?.["endpoints.kubernetes.io/last-change-trigger-time"];
  };
  const [early, late] = ["2040-01-01T00:00:00Z", "2040-01-01T00:01:00Z"];
  pod(cluster, "a", { ip: "10.0.0.1", readyAt: early });
  await cluster.quiesce();
  assert.equal(told(), early);
  pod(cluster, "b", { ip: "10.0.0.2", readyAt: late });
  await cluster.quiesce();
  assert.equal(told(), late);
  pod(cluster, "a", { ip: "10.0.0.1", readyAt: early, terminating: true });
  await cluster.quiesce();
  assert.equal(told(), undefined);
});

test("zones that share by their processors follow a node that becomes larger", async () => {
  const cluster = await start();
  const node = (name: string, zone: string, cpu: string): void =>
    void cluster.api.put("nodes", {
      metadata: { name, labels: { "topology.kubernetes.io/zone": zone } },
      status: { allocatable: { cpu }, conditions: [{ type: "Ready", status: "True" }] },
    });
  node("n1", "z1", "2");
  node("n2", "z2", "2");
  const { metadata, spec } = cluster.api.get("services", "default/web")!;
  const annotations = { "service.kubernetes.io/topology-mode": "Auto" };
  cluster.api.put("services", { metadata: { ...metadata, annotations }, spec });
  for (let at = 1; at <= 6; at++) pod(cluster, `p${at}`, { ip: `10.0.0.${at}`, node: at <= 3 ? "n1" : "n2" });
  await cluster.quiesce();
  const perZone = (): unknown => {
    const zones = cluster.api
      .list("endpointslices")
      .flatMap((slice) => slice["endpoints"] as { hints?: { forZones: { name: string }[] } }[])
      .map(({ hints }) => hints?.forZones[0]?.name ?? "");
    return Object.fromEntries([...Map.groupBy(zones, (zone) => zone)].map(([zone, all]) => [zone, all.length]));
  };
  assert.deepEqual(perZone(), { z1: 3, z2: 3 });
  node("n2", "z2", "4");
  await cluster.quiesce();
  assert.deepEqual(perZone(), { z1: 2, z2: 4 });
});
