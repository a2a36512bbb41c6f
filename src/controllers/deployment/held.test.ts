import assert from "node:assert/strict";
import { test } from "node:test";
import { holdText, type Hold } from "#api/apps/hold.ts";
import { createModelCluster, isReady, runPod, type ModelCluster } from "../testing/model-cluster.ts";

/** A Deployment of three with a Service, running version 1, with a hold on its first ReplicaSet. */
async function held(): Promise<{ cluster: ModelCluster; stable: string }> {
  const cluster = await createModelCluster({ only: ["deployment", "replicaset", "endpointslice", "disruption"] });
  cluster.api.put("services", {
    metadata: { name: "web", namespace: "default" },
    spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: 80, protocol: "TCP" }] },
  });
  cluster.api.put("deployments", {
    metadata: { name: "web", namespace: "default" },
    spec: {
      replicas: 3,
      progressDeadlineSeconds: 600,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      selector: { matchLabels: { app: "web" } },
      template: templateOf("web:1"),
    },
  });
  await settle(cluster);
  const stable = cluster.api.list("replicasets")[0]!.metadata.name;
  hold(cluster, { keep: stable });
  await settle(cluster);
  return { cluster, stable };
}

function templateOf(image: string): Record<string, unknown> {
  return { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image }] } };
}

function hold(cluster: ModelCluster, wanted: Hold | undefined): void {
  const { metadata, spec } = cluster.api.get("deployments", "default/web")!;
  const { ["steersman.dev/hold"]: _old, ...rest } = metadata.annotations ?? {};
  const annotations = wanted === undefined ? rest : { ...rest, "steersman.dev/hold": holdText(wanted) };
  cluster.api.put("deployments", { metadata: { ...metadata, annotations }, spec });
}

function change(cluster: ModelCluster, spec: Record<string, unknown>): void {
  const current = cluster.api.get("deployments", "default/web")!;
  cluster.api.put("deployments", { metadata: current.metadata, spec: { ...current.spec, ...spec } });
}

let address = 0;

async function settle(cluster: ModelCluster): Promise<void> {
  for (let round = 0; round < 12; round++) {
    await cluster.time.advance(500);
    for (const pod of cluster.api.list("pods")) {
      if (pod.metadata.deletionTimestamp !== undefined) cluster.api.remove("pods", `default/${pod.metadata.name}`);
      else if (!isReady(pod)) {
        runPod(cluster, pod, true);
        const running = cluster.api.get("pods", `default/${pod.metadata.name}`)!;
        address += 1;
        cluster.api.put("pods", {
          ...running,
          status: { ...(running.status as object), podIPs: [{ ip: `10.0.0.${address}` }] },
        });
      }
    }
  }
  await cluster.quiesce();
}

/** Pods by image, all and those behind the Service. */
function pods(cluster: ModelCluster): { readonly all: string; readonly serving: string } {
  const images = new Map(
    cluster.api
      .list("pods")
      .map((pod) => [pod.metadata.name, (pod.spec!["containers"] as { image: string }[])[0]!.image]),
  );
  const behind = cluster.api
    .list("endpointslices")
    .flatMap((slice) => slice["endpoints"] as { targetRef: { name: string } }[])
    .map(({ targetRef }) => images.get(targetRef.name) ?? "gone");
  return { all: counted([...images.values()]), serving: counted(behind) };
}

function counted(images: readonly string[]): string {
  return [...Map.groupBy(images, (image) => image)]
    .map(([image, { length }]) => `${length} ${image}`)
    .sort()
    .join(", ");
}

function newest(cluster: ModelCluster): string {
  const byRevision = (set: { metadata: { annotations?: Record<string, string> } }): number =>
    Number(set.metadata.annotations!["deployment.kubernetes.io/revision"]);
  return cluster.api.list("replicasets").sort((a, b) => byRevision(b) - byRevision(a))[0]!.metadata.name;
}

function progressing(cluster: ModelCluster): string {
  const { status } = cluster.api.get("deployments", "default/web")!;
  const { conditions } = status as { conditions: { type: string; status: string; reason: string }[] };
  return conditions
    .filter(({ type }) => type === "Progressing")
    .map(({ status: is, reason }) => `${is} ${reason}`)
    .join();
}

test("a new template under a hold makes a ReplicaSet without pods; the kept one stays whole", async () => {
  const { cluster } = await held();
  change(cluster, { template: templateOf("web:2") });
  await settle(cluster);
  assert.deepEqual(pods(cluster), { all: "3 web:1", serving: "3 web:1" });
  assert.equal(cluster.api.list("replicasets").length, 2);
  assert.equal(progressing(cluster), "True ReplicaSetOnHold");
});

test("the other set comes on top, outside of the Service; the deadline stands still; the end of the hold moves on", async () => {
  const { cluster, stable } = await held();
  change(cluster, { template: templateOf("web:2") });
  await settle(cluster);
  hold(cluster, { keep: stable, bring: newest(cluster), size: 2 });
  await settle(cluster);
  assert.deepEqual(pods(cluster), { all: "2 web:2, 3 web:1", serving: "3 web:1" });
  await cluster.time.advance(700_000);
  assert.equal(progressing(cluster), "True ReplicaSetOnHold");
  hold(cluster, { keep: newest(cluster) });
  await settle(cluster);
  assert.deepEqual(pods(cluster), { all: "3 web:2", serving: "3 web:2" });
  assert.equal(progressing(cluster), "True NewReplicaSetAvailable");
});

test("scaling the Deployment scales the kept set alone; a pause freezes the other", async () => {
  const { cluster, stable } = await held();
  change(cluster, { template: templateOf("web:2") });
  await settle(cluster);
  hold(cluster, { keep: stable, bring: newest(cluster), size: 1 });
  await settle(cluster);
  change(cluster, { replicas: 5 });
  await settle(cluster);
  assert.equal(pods(cluster).all, "1 web:2, 5 web:1");
  change(cluster, { paused: true });
  hold(cluster, { keep: stable, bring: newest(cluster), size: 4 });
  await settle(cluster);
  assert.equal(pods(cluster).all, "1 web:2, 5 web:1");
});

test("a rejected template ends the rollout as failed, and going back to the kept one is complete at once", async () => {
  const { cluster, stable } = await held();
  change(cluster, { template: templateOf("web:2") });
  await settle(cluster);
  hold(cluster, { keep: stable, rejected: newest(cluster) });
  await settle(cluster);
  assert.deepEqual(pods(cluster), { all: "3 web:1", serving: "3 web:1" });
  assert.equal(progressing(cluster), "False ProgressDeadlineExceeded");
  change(cluster, { template: templateOf("web:1") });
  await settle(cluster);
  assert.equal(progressing(cluster), "True NewReplicaSetAvailable");
});

test("a hold on something that does not exist holds nothing, nor does one that cannot be read", async () => {
  for (const text of ['{"keep":"gone"}', "{", "[]", '{"keep":7}']) {
    const { cluster } = await held();
    const { metadata, spec } = cluster.api.get("deployments", "default/web")!;
    cluster.api.put("deployments", { metadata: { ...metadata, annotations: { "steersman.dev/hold": text } }, spec });
    change(cluster, { template: templateOf("web:2") });
    await settle(cluster);
    await settle(cluster);
    assert.deepEqual(pods(cluster), { all: "3 web:2", serving: "3 web:2" }, text);
  }
});

test("without a hold a set that was on hold serves everybody again", async () => {
  const { cluster, stable } = await held();
  change(cluster, { template: templateOf("web:2") });
  await settle(cluster);
  hold(cluster, { keep: stable, bring: newest(cluster), size: 1 });
  await settle(cluster);
  hold(cluster, undefined);
  await settle(cluster);
  await settle(cluster);
  assert.deepEqual(pods(cluster), { all: "3 web:2", serving: "3 web:2" });
});

test("a budget counts the stable pods alone", async () => {
  const { cluster, stable } = await held();
  cluster.api.put("poddisruptionbudgets", {
    metadata: { name: "web", namespace: "default" },
    spec: { minAvailable: "100%", selector: { matchLabels: { app: "web" } } },
  });
  change(cluster, { template: templateOf("web:2") });
  await settle(cluster);
  hold(cluster, { keep: stable, bring: newest(cluster), size: 2 });
  await settle(cluster);
  const { expectedPods, currentHealthy, disruptionsAllowed } = cluster.api.get("poddisruptionbudgets", "default/web")!
    .status as Record<string, number>;
  assert.deepEqual([expectedPods, currentHealthy, disruptionsAllowed ?? 0], [3, 3, 0]);
});
