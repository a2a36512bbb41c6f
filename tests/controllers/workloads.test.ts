import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  configmaps,
  deployments,
  endpoints,
  endpointslices,
  namespaces,
  pods,
  replicasets,
  serviceaccounts,
  services,
} from "#api/generated/resources.ts";
import type { Deployment } from "#api/generated/apps-v1.ts";
import { rootCa, startCluster, type RunningCluster } from "./running-cluster.ts";

let cluster: RunningCluster;
before(async () => {
  cluster = await startCluster();
});
after(() => cluster.stop());

const namespace = "default";
const at = { namespace, name: "web" };

function web(image: string): object {
  return {
    metadata: { name: "web" },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: { containers: [{ name: "web", image, ports: [{ name: "http", containerPort: 8080 }] }] },
      },
    },
  };
}

function isRolledOut(deployment: Deployment): boolean {
  const { status, spec, metadata } = deployment;
  const wanted = spec.replicas ?? 1;
  return (
    (status.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
    status.updatedReplicas === wanted &&
    status.replicas === wanted &&
    status.availableReplicas === wanted
  );
}

async function rolledOut(): Promise<Deployment> {
  return cluster.until("rollout", async () => {
    const deployment = await cluster.client.get(deployments, at);
    return isRolledOut(deployment) && deployment;
  });
}

/** Counts writes by the kind of what was written. */
function writesSince({ store }: RunningCluster): () => Record<string, number> {
  const counts: Record<string, number> = {};
  const following = store.follow(store.visible, {
    events(batch) {
      for (const { key } of batch) {
        const kind = key.split("/")[3] ?? "";
        counts[kind] = (counts[kind] ?? 0) + 1;
      }
    },
    progress() {},
    end() {},
  });
  return () => {
    if (typeof following === "object") following.close();
    return counts;
  };
}

test("each namespace gets its default service account and the root certificate", async () => {
  await cluster.until("service account", () => cluster.client.find(serviceaccounts, { namespace, name: "default" }));
  const map = await cluster.until("config map", () =>
    cluster.client.find(configmaps, { namespace, name: "kube-root-ca.crt" }),
  );
  assert.equal(map.data?.["ca.crt"], rootCa);
});

test("a Deployment with a Service becomes pods and ready endpoints, then nothing is written any more", async () => {
  await cluster.client.create(
    services,
    { namespace },
    { metadata: { name: "web" }, spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: "http" }] } },
  );
  await cluster.client.create(deployments, { namespace }, web("web:1") as never);
  await rolledOut();
  const slice = await cluster.until("three ready endpoints", async () => {
    const { items } = await cluster.client.list(endpointslices, {
      namespace,
      labelSelector: "kubernetes.io/service-name=web",
    });
    return items.find((item) => item.endpoints.filter((endpoint) => endpoint.conditions.ready === true).length === 3);
  });
  assert.deepEqual(slice.ports, [{ name: "", port: 8080, protocol: "TCP" }]);
  const old = await cluster.until("endpoints", async () => {
    const found = await cluster.client.find(endpoints, at);
    return found?.subsets?.[0]?.addresses?.length === 3 && found;
  });
  assert.deepEqual(old.subsets![0]!.ports, [{ port: 8080, protocol: "TCP" }]);
  await cluster.still(500);
  assert.deepEqual(cluster.problems, []);
});

test("a new template replaces all pods, with few writes", async () => {
  await cluster.still(300);
  const written = writesSince(cluster);
  const patch = { spec: { template: { spec: { containers: [{ name: "web", image: "web:2" }] } } } };
  await cluster.client.patch(deployments, at, patch, { type: "strategic" });
  await rolledOut();
  await cluster.until("only pods of the new template are left", async () => {
    const { items } = await cluster.client.list(pods, { namespace });
    return items.map((pod) => pod.spec.containers[0]!.image).join() === "web:2,web:2,web:2";
  });
  await cluster.still(300);
  const { pods: podWrites = 0, ...others } = written();
  // Created, bound, running, terminating and gone: what each pod costs whoever rolls out.
  assert.equal(podWrites, 3 * 5);
  // Each of the three steps costs the sets and the Deployment their sizes and statuses.
  assert.ok((others["deployments"] ?? 0) + (others["replicasets"] ?? 0) <= 3 * 13, JSON.stringify(others));
});

test("deleting a Deployment in the background leaves nothing of it", async () => {
  await cluster.client.delete(deployments, at, { propagation: "Background" });
  await cluster.until("all gone", async () => {
    const sets = await cluster.client.list(replicasets, { namespace });
    const left = await cluster.client.list(pods, { namespace });
    return sets.items.length + left.items.length === 0;
  });
});

test("deleting in the foreground keeps the owner until its dependents are gone; orphaning keeps the dependents", async () => {
  await cluster.client.create(deployments, { namespace }, web("web:3") as never);
  await rolledOut();
  await cluster.client.delete(deployments, at, { propagation: "Foreground" });
  await cluster.until("deployment gone", async () => (await cluster.client.find(deployments, at)) === undefined);
  assert.equal((await cluster.client.list(replicasets, { namespace })).items.length, 0);
  await cluster.client.create(deployments, { namespace }, web("web:4") as never);
  await rolledOut();
  await cluster.client.delete(deployments, at, { propagation: "Orphan" });
  await cluster.until("deployment gone", async () => (await cluster.client.find(deployments, at)) === undefined);
  await cluster.still(300);
  const [set] = (await cluster.client.list(replicasets, { namespace })).items;
  assert.deepEqual(set?.metadata.ownerReferences ?? [], []);
  assert.equal((await cluster.client.list(pods, { namespace })).items.length, 3);
});

test("a namespace goes with all that is in it", async () => {
  await cluster.client.create(namespaces, {}, { metadata: { name: "team" } });
  await cluster.client.create(deployments, { namespace: "team" }, web("web:1") as never);
  await cluster.until("pods", async () => (await cluster.client.list(pods, { namespace: "team" })).items.length === 3);
  await cluster.client.delete(namespaces, { name: "team" });
  await cluster.until(
    "namespace gone",
    async () => (await cluster.client.find(namespaces, { name: "team" })) === undefined,
  );
  assert.deepEqual(cluster.problems, []);
});
