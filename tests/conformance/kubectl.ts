import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { clientBinary } from "#main/client-binaries.ts";
import { arrayAt, pick, unique, type Conformance, type Json, type Scene } from "./cluster.ts";
import { deployment, image, pod, replicationController } from "./workloads.ts";
import { eventually } from "../eventually.ts";

/** kubectl in the scene's namespace; fails with what it printed. */
function run({ cluster, namespace }: Scene, args: readonly string[], input?: string): string {
  const { code, stdout, stderr } = cluster.tryKubectl(["-n", namespace, ...args], input === undefined ? {} : { input });
  assert.equal(code, 0, `kubectl ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

async function runningPods({ api, core }: Scene, selector: string, count: number): Promise<Json[]> {
  return await eventually(`${count} running pods of ${selector}`, async () => {
    const pods = arrayAt(await api.get(`${core("pods")}?labelSelector=${encodeURIComponent(selector)}`));
    return pods.length === count && pods.every((each) => pick(each, "status.phase") === "Running") && pods;
  });
}

async function accountExists({ api, core }: Scene): Promise<void> {
  await eventually(
    "the default service account",
    async () => (await api.request("GET", core("serviceaccounts", "default"))).status === 200,
  );
}

async function apiVersions(scene: Scene): Promise<void> {
  assert.ok(run(scene, ["api-versions"]).split("\n").includes("v1"));
}

async function clusterInfo(scene: Scene): Promise<void> {
  const plain = run(scene, ["cluster-info"]).replace(/\u001b\[[0-9;]*m/g, "");
  assert.ok(plain.includes(`Kubernetes control plane is running at ${scene.api.url}`));
}

async function describe(scene: Scene): Promise<void> {
  const { namespace } = scene;
  await accountExists(scene);
  run(scene, ["create", "-f", "-"], JSON.stringify(replicationController("described")));
  run(scene, ["create", "service", "clusterip", "described", "--tcp=6379"]);
  const [first] = await runningPods(scene, "app=described", 1);
  const name = String(pick(first, "metadata.name"));
  const all = (text: string, ...parts: RegExp[]): void => {
    for (const part of parts) assert.match(text, part);
  };
  all(
    run(scene, ["describe", "pod", name]),
    /^Name:\s+described-/m,
    /^Node:\s/m,
    /^Status:\s+Running/m,
    /^IP:\s/m,
    /Controlled By:\s+ReplicationController\/described/,
    /Image:/,
    /State:/,
  );
  all(
    run(scene, ["describe", "rc", "described"]),
    /^Name:\s+described/m,
    /^Selector:\s+app=described/m,
    /^Replicas:\s+1 current \/ 1 desired/m,
    /^Pods Status:\s+1 Running/m,
    /^Events:/m,
  );
  all(
    run(scene, ["describe", "service", "described"]),
    /^Type:\s+ClusterIP/m,
    /^IP:\s/m,
    /^Port:\s/m,
    /^Endpoints:/m,
    /^Session Affinity:/m,
  );
  const node = String(pick(first, "spec.nodeName"));
  all(
    run(scene, ["describe", "node", node]),
    /^Conditions:/m,
    /^Addresses:/m,
    /^Capacity:/m,
    /Kubelet Version:/,
    /Pods/,
  );
  all(run(scene, ["describe", "namespace", namespace]), /^Name:\s/m, /^Status:\s+Active/m);
  const cron = {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name: "described" },
    spec: {
      schedule: "0 0 1 1 *",
      jobTemplate: { spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "main", image }] } } } },
    },
  };
  run(scene, ["create", "-f", "-"], JSON.stringify(cron));
  all(
    run(scene, ["describe", "cronjob", "described"]),
    /^Schedule:\s+0 0 1 1 \*/m,
    /^Concurrency Policy:\s+Allow/m,
    /^Suspend:\s+False/m,
    /^Active Jobs:/m,
  );
}

async function diff(scene: Scene): Promise<void> {
  const { cluster, namespace } = scene;
  run(scene, ["apply", "-f", "-"], JSON.stringify(deployment("differs")));
  const changed = JSON.stringify(deployment("differs")).replaceAll(image, "busybox:1.36");
  const { code, stdout } = cluster.tryKubectl(["-n", namespace, "diff", "-f", "-"], { input: changed });
  assert.equal(code, 1);
  const changedLines = stdout.split("\n").filter((line) => /^[-+] .*image: /.test(line));
  assert.deepEqual(
    changedLines.map((line) => line.replaceAll(/[ -]*(image: )/g, "$1").replace(/^\+.*image: /, "+image: ")),
    [`image: ${image}`, "+image: busybox:1.36"],
    stdout,
  );
  const stored = await scene.api.get(scene.at("apps/v1", "deployments", "differs"));
  assert.equal(arrayAt(stored, "spec.template.spec.containers")[0]?.image, image, "a question changes nothing");
}

async function label(scene: Scene): Promise<void> {
  await accountExists(scene);
  run(scene, ["create", "-f", "-"], JSON.stringify(pod("labelled")));
  run(scene, ["label", "pod", "labelled", "testing-label=testing-label-value"]);
  assert.match(run(scene, ["get", "pod", "labelled", "-L", "testing-label"]), /testing-label-value/);
  assert.match(run(scene, ["get", "pods", "-l", "testing-label"]), /labelled/);
  run(scene, ["label", "pod", "labelled", "testing-label-"]);
  assert.doesNotMatch(run(scene, ["get", "pod", "labelled", "-L", "testing-label"]), /testing-label-value/);
}

async function patchPods(scene: Scene): Promise<void> {
  await accountExists(scene);
  run(scene, ["create", "-f", "-"], JSON.stringify(replicationController("patched", 2)));
  for (const each of await runningPods(scene, "app=patched", 2))
    run(scene, ["patch", "pod", String(pick(each, "metadata.name")), "-p", `{"metadata":{"annotations":{"x":"y"}}}`]);
  for (const each of await runningPods(scene, "app=patched", 2))
    assert.equal(pick(each, "metadata.annotations.x"), "y");
}

async function replace(scene: Scene): Promise<void> {
  await accountExists(scene);
  run(scene, ["run", "replaced", `--image=${image}`, "--labels=run=replaced"]);
  await runningPods(scene, "run=replaced", 1);
  const json = run(scene, ["get", "pod", "replaced", "-o", "json"]).replaceAll(image, "busybox:1.36");
  run(scene, ["replace", "-f", "-"], json);
  assert.equal(run(scene, ["get", "pod", "replaced", "-o", "jsonpath={.spec.containers[0].image}"]), "busybox:1.36");
}

async function runPod(scene: Scene): Promise<void> {
  await accountExists(scene);
  run(scene, ["run", "single", "--restart=Never", "--pod-running-timeout=2m0s", `--image=${image}`]);
  const made = await scene.api.get(scene.core("pods", "single"));
  assert.equal(pick(made, "spec.containers.0.image"), image);
  assert.equal(pick(made, "spec.restartPolicy"), "Never");
}

async function dryRun(scene: Scene): Promise<void> {
  await accountExists(scene);
  run(scene, ["run", "dry", `--image=${image}`]);
  const patch = `{"spec":{"containers":[{"name":"dry","image":"busybox:1.36"}]}}`;
  assert.match(
    run(scene, ["patch", "pod", "dry", "-p", patch, "--dry-run=server", "-o", "jsonpath={.spec.containers[0].image}"]),
    /busybox:1.36/,
  );
  assert.equal(run(scene, ["get", "pod", "dry", "-o", "jsonpath={.spec.containers[0].image}"]), image);
}

async function version(scene: Scene): Promise<void> {
  const printed = run(scene, ["version"]);
  for (const part of [/Client Version: v1\./, /Server Version: v1\.36\.[0-9]+/]) assert.match(printed, part);
}

/** `kubectl proxy` until the answer of /api has been read. */
async function throughProxy(
  { cluster, cleanUp }: Scene,
  args: readonly string[],
  options: (printed: string) => http.RequestOptions | undefined,
): Promise<void> {
  const proxy = cluster.start(clientBinary("kubectl"), ["proxy", ...args]);
  cleanUp(() => proxy.kill());
  let printed = "";
  proxy.stdout?.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  const to = await eventually("the proxy to listen", async () => options(printed));
  const text = await new Promise<string>((resolve, reject) => {
    const outgoing = http.get({ ...to, path: "/api/" }, (incoming) => {
      let body = "";
      incoming.on("data", (chunk: Buffer) => (body += chunk.toString()));
      incoming.on("end", () => resolve(body));
    });
    outgoing.on("error", reject);
  });
  assert.equal((JSON.parse(text) as Json).kind, "APIVersions");
}

async function unixSocket(scene: Scene): Promise<void> {
  const socketPath = join(scene.cluster.dataDir, `proxy-${unique()}.sock`);
  await throughProxy(scene, [`--unix-socket=${socketPath}`], () =>
    existsSync(socketPath) ? { socketPath } : undefined,
  );
}

async function freePort(scene: Scene): Promise<void> {
  await throughProxy(scene, ["--port=0"], (printed) => {
    const port = /127\.0\.0\.1:([0-9]+)/.exec(printed)?.[1];
    return port === undefined ? undefined : { host: "127.0.0.1", port };
  });
}

async function createAndStop(scene: Scene): Promise<void> {
  await accountExists(scene);
  const manifest = JSON.stringify(replicationController("update-demo", 2));
  run(scene, ["create", "-f", "-"], manifest);
  await runningPods(scene, "app=update-demo", 2);
  run(scene, ["delete", "--grace-period=0", "--force", "-f", "-"], manifest);
  await runningPods(scene, "app=update-demo", 0);
}

async function scale(scene: Scene): Promise<void> {
  await accountExists(scene);
  run(scene, ["create", "-f", "-"], JSON.stringify(replicationController("scaled", 2)));
  await runningPods(scene, "app=scaled", 2);
  run(scene, ["scale", "rc", "scaled", "--replicas=1", "--timeout=1m"]);
  await runningPods(scene, "app=scaled", 1);
  run(scene, ["scale", "rc", "scaled", "--replicas=2", "--timeout=1m"]);
  await runningPods(scene, "app=scaled", 2);
}

export const kubectl: Readonly<Record<string, Conformance>> = {
  "Kubectl client Kubectl api-versions should check if v1 is in available api versions": apiVersions,
  "Kubectl client Kubectl cluster-info should check if Kubernetes control plane services is included in cluster-info":
    clusterInfo,
  "Kubectl client Kubectl describe should check if kubectl describe prints relevant information for rc and pods":
    describe,
  "Kubectl client Kubectl diff should check if kubectl diff finds a difference for Deployments": diff,
  "Kubectl client Kubectl label should update the label on a resource": label,
  "Kubectl client Kubectl patch should add annotations for pods in rc": patchPods,
  "Kubectl client Kubectl replace should update a single-container pod's image": replace,
  "Kubectl client Kubectl run pod should create a pod from an image when restart is Never": runPod,
  "Kubectl client Kubectl server-side dry-run should check if kubectl can dry-run update Pods": dryRun,
  "Kubectl client Kubectl version should check is all data is printed": version,
  "Kubectl client Proxy server should support --unix-socket=/path": unixSocket,
  "Kubectl client Proxy server should support proxy with --port 0": freePort,
  "Kubectl client Update Demo should create and stop a replication controller": createAndStop,
  "Kubectl client Update Demo should scale a replication controller": scale,
};
