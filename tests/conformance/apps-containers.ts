/** Tests of workloads that need real containers: programs that fail, tell their names, and answer requests. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { makeImages } from "#tools/make-images.ts";
import { type TestCluster } from "../cluster/harness.ts";
import { condition } from "./apps-objects.ts";
import { arrayAt, nameOf, pick, type Json } from "./cluster.ts";
import { eventually } from "../eventually.ts";

export async function loadImages(cluster: TestCluster): Promise<void> {
  const { code, stderr } = cluster.steer("image", "load", ...(await makeImages()));
  assert.equal(code, 0, stderr);
}

function shell(script: string, more: Json = {}): Json {
  return {
    name: "main",
    image: "localhost/steersman-busybox:1",
    command: ["/bin/busybox", "sh", "-c", script],
    ...more,
  };
}

function job(name: string, spec: Json, container: Json, pod: Json = {}): Json {
  const template = {
    metadata: { labels: { app: name } },
    spec: { restartPolicy: "Never", terminationGracePeriodSeconds: 0, containers: [container], ...pod },
  };
  return { apiVersion: "batch/v1", kind: "Job", metadata: { name }, spec: { template, ...spec } };
}

function apply(cluster: TestCluster, object: Json): void {
  const { code, stderr } = cluster.tryKubectl(["apply", "-f", "-"], { input: JSON.stringify(object) });
  assert.equal(code, 0, stderr);
}

const read = (cluster: TestCluster, ...args: string[]): Json =>
  JSON.parse(cluster.kubectl("get", "-o", "json", ...args)) as Json;

function completes(cluster: TestCluster, name: string): Promise<Json> {
  return eventually(`Job ${name} completes`, () => {
    const found = read(cluster, "job", name);
    assert.notEqual(condition(found, "Failed")?.status, "True", JSON.stringify(found.status));
    return condition(found, "Complete")?.status === "True" && found;
  });
}

async function indexed(cluster: TestCluster): Promise<void> {
  const script = 'echo "$JOB_COMPLETION_INDEX $(/bin/busybox hostname)"';
  apply(cluster, job("indexed", { completionMode: "Indexed", completions: 4, parallelism: 2 }, shell(script)));
  const complete = await completes(cluster, "indexed");
  assert.equal(pick(complete, "status.completedIndexes"), "0-3");
  const told = arrayAt(read(cluster, "pods", "-l", "app=indexed")).map((pod) => {
    const { annotations, labels } = pod.metadata as { annotations: Json; labels: Json };
    const index = String(annotations["batch.kubernetes.io/job-completion-index"]);
    assert.equal(labels["batch.kubernetes.io/job-completion-index"], index);
    assert.equal(cluster.kubectl("logs", nameOf(pod)).trim(), `${index} indexed-${index}`);
    return index;
  });
  assert.deepEqual(told.sort(), ["0", "1", "2", "3"]);
}

/** Each program fails at its first start and leaves a mark, so that it succeeds at the second. */
async function restartedLocally(cluster: TestCluster): Promise<void> {
  const container = shell("if [ -e /data/tried ]; then exit 0; fi; : > /data/tried; exit 1", {
    volumeMounts: [{ name: "data", mountPath: "/data" }],
  });
  const pod = { restartPolicy: "OnFailure", volumes: [{ name: "data", emptyDir: {} }] };
  apply(cluster, job("restarted", { completions: 4, parallelism: 2 }, container, pod));
  const complete = await completes(cluster, "restarted");
  assert.equal(pick(complete, "status.succeeded"), 4);
  const restarts = arrayAt(read(cluster, "pods", "-l", "app=restarted")).map((item) =>
    pick(item, "status.containerStatuses.0.restartCount"),
  );
  assert.deepEqual(restarts, [1, 1, 1, 1]);
}

async function enoughIndexes(cluster: TestCluster): Promise<void> {
  const spec = {
    completionMode: "Indexed",
    completions: 5,
    parallelism: 5,
    successPolicy: { rules: [{ succeededCount: 1 }] },
  };
  apply(cluster, job("enough", spec, shell('[ "$JOB_COMPLETION_INDEX" = 0 ] || /bin/busybox sleep 100000')));
  const complete = await completes(cluster, "enough");
  assert.equal(condition(complete, "SuccessCriteriaMet")?.reason, "SuccessPolicy");
  assert.equal(pick(complete, "status.completedIndexes"), "0");
  assert.equal(pick(complete, "status.terminating") ?? 0, 0);
  await eventually("lingering pods are gone", () =>
    arrayAt(read(cluster, "pods", "-l", "app=enough")).every((item) => pick(item, "status.phase") === "Succeeded"),
  );
}

async function everyReplicaAnswers(cluster: TestCluster): Promise<void> {
  const template = {
    metadata: { labels: { app: "web" } },
    spec: { containers: [{ name: "web", image: "localhost/steersman-web:1" }] },
  };
  apply(cluster, {
    apiVersion: "v1",
    kind: "ReplicationController",
    metadata: { name: "web" },
    spec: { replicas: 2, selector: { app: "web" }, template },
  });
  const pods = await eventually("two replicas are ready", () => {
    const found = arrayAt(read(cluster, "pods", "-l", "app=web"));
    return found.length === 2 && found.every((item) => condition(item, "Ready")?.status === "True") && found;
  });
  for (const pod of pods) {
    const address = `http://${String(pick(pod, "status.podIP"))}/`;
    await eventually(`${nameOf(pod)} answers`, () =>
      cluster.run("curl", ["-s", "-m", "5", address]).stdout.includes(nameOf(pod)),
    );
  }
}

/** With the cluster's own class for volumes, as it comes: files outlive the pod, and go with the claim. */
async function filesOutlivePods(cluster: TestCluster): Promise<void> {
  const container = shell("echo started >> /data/starts; exec /bin/busybox sleep 100000", {
    volumeMounts: [{ name: "data", mountPath: "/data" }],
  });
  const claim = {
    metadata: { name: "data" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  };
  const spec = { terminationGracePeriodSeconds: 0, containers: [container] };
  const template = { metadata: { labels: { app: "db" } }, spec };
  const set = { serviceName: "db", selector: { matchLabels: { app: "db" } }, template, volumeClaimTemplates: [claim] };
  apply(cluster, { apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "db" }, spec: set });
  const starts = (count: number): Promise<true> =>
    eventually(`${count} starts are written`, () => {
      const { stdout } = cluster.tryKubectl(["exec", "db-0", "--", "/bin/busybox", "cat", "/data/starts"]);
      return stdout === "started\n".repeat(count) && true;
    });
  await starts(1);
  const volume = String(pick(read(cluster, "pvc", "data-db-0"), "spec.volumeName"));
  const folder = String(pick(read(cluster, "pv", volume), "spec.hostPath.path"));
  assert.ok(folder.startsWith(cluster.dataDir) && existsSync(`${folder}/starts`), "the folder is below the data dir");
  cluster.kubectl("delete", "pod", "db-0");
  await starts(2);
  cluster.kubectl("delete", "statefulset/db", "pvc/data-db-0");
  await eventually(
    "volume and folder are gone",
    () => cluster.tryKubectl(["get", "pv", volume]).code !== 0 && !existsSync(folder),
  );
}

/** What the published lines do not ask and only real containers show. */
export const alsoOnRealNode: Readonly<Record<string, (cluster: TestCluster) => Promise<void>>> = {
  "the files of a StatefulSet's pod outlive the pod and go with its claim": filesOutlivePods,
};

export const onRealNode: Readonly<Record<string, (cluster: TestCluster) => Promise<void>>> = {
  "Job should create pods for an Indexed job with completion indexes and specified hostname": indexed,
  "Job should run a job to completion when tasks sometimes fail and are locally restarted": restartedLocally,
  "Job with successPolicy succeededCount rule should succeeded even when some indexes remain pending": enoughIndexes,
  "ReplicationController should serve a basic image on each replica with a public image": everyReplicaAnswers,
};
