import assert from "node:assert/strict";
import { condition, isReady, isTerminating, objectAt, podsOf, workload } from "./apps-objects.ts";
import { arrayAt, nameOf, pick, unique, type Conformance, type Json, type Scene } from "./cluster.ts";
import { pod } from "./workloads.ts";
import { eventually } from "../eventually.ts";

const resource = "example.com/fakecpu";

async function someNode({ api }: Scene): Promise<string> {
  return nameOf(arrayAt(await api.get("/api/v1/nodes"))[0]);
}

function using(amount: number, more: Json = {}): Json {
  const resources = { requests: { [resource]: String(amount) }, limits: { [resource]: String(amount) } };
  return {
    containers: [{ name: "main", image: "example/busy:1", resources }],
    terminationGracePeriodSeconds: 0,
    ...more,
  };
}

/** A node that offers an amount of something that no other has, until the test ends. */
async function offer(scene: Scene, amount: number): Promise<string> {
  const { api, cleanUp } = scene;
  const node = await someNode(scene);
  const path = `/api/v1/nodes/${node}/status`;
  const key = resource.replace("/", "~1");
  const offered = ["capacity", "allocatable"].map((list) => ({
    op: "add",
    path: `/status/${list}/${key}`,
    value: String(amount),
  }));
  await api.patch(path, offered, "json");
  cleanUp(async () => {
    for (const list of ["capacity", "allocatable"])
      await api.request(
        "PATCH",
        path,
        { status: { [list]: { [resource]: null } } },
        { headers: { "content-type": "application/merge-patch+json" } },
      );
  });
  return node;
}

async function priorityClass({ api, cleanUp }: Scene, value: number): Promise<string> {
  const name = `priority-${value}-${unique()}`;
  await api.create("/apis/scheduling.k8s.io/v1/priorityclasses", { metadata: { name }, value });
  cleanUp(() => api.request("DELETE", `/apis/scheduling.k8s.io/v1/priorityclasses/${name}`));
  return name;
}

const running = (scene: Scene, name: string): Promise<Json> =>
  objectAt(scene, `${name} runs`, scene.core("pods", name), (object) => pick(object, "status.phase") === "Running");

const unschedulable = (scene: Scene, name: string): Promise<Json> =>
  objectAt(scene, `${name} cannot be placed`, scene.core("pods", name), (object) => {
    const scheduled = condition(object, "PodScheduled");
    return scheduled?.status === "False" && scheduled.reason === "Unschedulable";
  });

async function selectorMatches(scene: Scene): Promise<void> {
  const { api, core, cleanUp } = scene;
  const node = await someNode(scene);
  const label = `conformance.example/${unique()}`;
  await api.patch(`/api/v1/nodes/${node}`, { metadata: { labels: { [label]: "42" } } });
  cleanUp(() => api.patch(`/api/v1/nodes/${node}`, { metadata: { labels: { [label]: null } } }));
  await api.create(core("pods"), pod("placed", { nodeSelector: { [label]: "42" } }));
  assert.equal(pick(await running(scene, "placed"), "spec.nodeName"), node);
}

async function selectorMatchesNothing(scene: Scene): Promise<void> {
  const { api, core } = scene;
  await api.create(core("pods"), pod("homeless", { nodeSelector: { "conformance.example/label": "nonempty" } }));
  const found = await unschedulable(scene, "homeless");
  assert.match(
    String(condition(found, "PodScheduled")?.message),
    /^0\/3 nodes are available: 3 node\(s\) didn't match Pod's node affinity\/selector/,
  );
  assert.equal(pick(found, "spec.nodeName"), undefined);
}

async function hostPortConflict(scene: Scene): Promise<void> {
  const { api, core } = scene;
  const node = await someNode(scene);
  const onPort = (name: string, hostIP: string, protocol = "TCP"): Json =>
    pod(name, {
      nodeSelector: { "kubernetes.io/hostname": node },
      containers: [
        { name: "main", image: "example/web:1", ports: [{ containerPort: 8080, hostPort: 54322, hostIP, protocol }] },
      ],
    });
  await api.create(core("pods"), onPort("any", "0.0.0.0"));
  await running(scene, "any");
  await api.create(core("pods"), onPort("one", "127.0.0.1"));
  await unschedulable(scene, "one");
  await api.create(core("pods"), onPort("other-protocol", "127.0.0.1", "UDP"));
  await running(scene, "other-protocol");
}

async function replicaSetsOfFourPriorities(scene: Scene): Promise<void> {
  const { api, at } = scene;
  await offer(scene, 1000);
  const sets = [
    { name: "p1", replicas: 5, each: 40, value: 1 },
    { name: "p2", replicas: 4, each: 50, value: 2 },
    { name: "p3", replicas: 4, each: 95, value: 3 },
    { name: "p4", replicas: 1, each: 400, value: 4 },
  ];
  for (const { name, replicas, each, value } of sets) {
    const priorityClassName = await priorityClass(scene, value);
    await api.create(
      at("apps/v1", "replicasets"),
      workload("ReplicaSet", name, { replicas }, { spec: using(each, { priorityClassName }) }),
    );
    await eventually(`${name} runs`, async () => (await podsOf(scene, name)).filter(isReady).length === replicas);
  }
  const readyCounts = await Promise.all(
    sets.map(
      async ({ name }) => (await podsOf(scene, name)).filter((item) => isReady(item) && !isTerminating(item)).length,
    ),
  );
  assert.deepEqual(readyCounts.slice(1), [4, 4, 1], "only the lowest priority made room");
  await eventually("the lowest has its pods again, waiting", async () => {
    const pods = (await podsOf(scene, "p1")).filter((item) => !isTerminating(item));
    return pods.length === 5 && pods.every((item) => pick(item, "spec.nodeName") === undefined);
  });
}

async function criticalPreempts(scene: Scene): Promise<void> {
  const { api, core, cleanUp } = scene;
  await offer(scene, 10);
  const low = await priorityClass(scene, 1);
  const medium = await priorityClass(scene, 100);
  await api.create(core("pods"), pod("lowest", using(6, { priorityClassName: low })));
  await api.create(core("pods"), pod("higher", using(4, { priorityClassName: medium })));
  await running(scene, "lowest");
  await running(scene, "higher");
  const critical = `critical-${unique()}`;
  const path = `/api/v1/namespaces/kube-system/pods/${critical}`;
  cleanUp(() => api.request("DELETE", path));
  await api.create(
    "/api/v1/namespaces/kube-system/pods",
    pod(critical, using(5, { priorityClassName: "system-cluster-critical" })),
  );
  await objectAt(scene, "the critical pod runs", path, (object) => pick(object, "status.phase") === "Running");
  assert.equal((await api.request("GET", core("pods", "lowest"))).status, 404);
  assert.equal(pick(await api.get(core("pods", "higher")), "status.phase"), "Running");
}

async function victimIsTold(scene: Scene): Promise<void> {
  const { api, core } = scene;
  await offer(scene, 10);
  const low = await priorityClass(scene, 1);
  const high = await priorityClass(scene, 100);
  const finalizers = ["conformance.example/held"];
  await api.create(core("pods"), pod("victim", using(10, { priorityClassName: low }), { finalizers }));
  await running(scene, "victim");
  await api.create(core("pods"), pod("preemptor", using(10, { priorityClassName: high })));
  const victim = await objectAt(scene, "the victim has to go", core("pods", "victim"), isTerminating);
  const target = condition(victim, "DisruptionTarget");
  assert.equal(target?.status, "True");
  assert.equal(target?.reason, "PreemptionByScheduler");
  await api.patch(core("pods", "victim"), { metadata: { finalizers: null } });
  await running(scene, "preemptor");
}

export const scheduling: Readonly<Record<string, Conformance>> = {
  "SchedulerPredicates [Serial] validates that NodeSelector is respected if matching": selectorMatches,
  "SchedulerPredicates [Serial] validates that NodeSelector is respected if not matching": selectorMatchesNothing,
  ["SchedulerPredicates [Serial] validates that there exists conflict between pods with same hostPort and protocol " +
  "but one using 0.0.0.0 hostIP"]: hostPortConflict,
  "SchedulerPreemption [Serial] PreemptionExecutionPath runs ReplicaSets to verify preemption running path":
    replicaSetsOfFourPriorities,
  "SchedulerPreemption [Serial] validates lower priority pod preemption by critical pod": criticalPreempts,
  "SchedulerPreemption [Serial] validates pod disruption condition is added to the preempted pod": victimIsTold,
};
