/** Three real nodes on one machine, each with its own network and containerd; and a second cluster beside the first. */
import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeImages } from "#tools/make-images.ts";
import { isRoot, projectRoot, startRealCluster, type TestCluster } from "./harness.ts";
import { eventually } from "../eventually.ts";

const skip = isRoot ? false : "real containers need root";
let cluster: TestCluster;

before(async () => {
  if (!isRoot) return;
  const archives = await makeImages();
  cluster = startRealCluster("--nodes", "3");
  assert.equal(cluster.steer("image", "load", ...archives).code, 0);
});
after(() => cluster?.remove());

test("pods on different nodes reach each other and every Service", { skip }, async () => {
  cluster.kubectl("apply", "-f", join(projectRoot, "examples/web"));
  cluster.kubectl("scale", "deployment/web", "--replicas=6");
  cluster.kubectl("rollout", "status", "deployment/web", "--timeout=150s");
  const placed = cluster.kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.nodeName}").split(" ");
  assert.equal(new Set(placed).size, 3, `pods are on ${placed.join(", ")}`);
  const nodes = cluster.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split(" ");
  const addresses = cluster
    .kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].status.podIP}")
    .split(" ");
  for (const node of nodes) {
    const name = `tool-${node}`;
    const overrides = JSON.stringify({ spec: { nodeName: node } });
    cluster.kubectl(
      "run",
      name,
      "--image=localhost/steersman-busybox:1",
      "--restart=Never",
      `--overrides=${overrides}`,
      "--",
      "sleep",
      "3600",
    );
    cluster.kubectl("wait", `pod/${name}`, "--for=condition=Ready", "--timeout=150s");
    for (const address of addresses) {
      assert.match(
        cluster.kubectl("exec", name, "--", "wget", "-qO-", `http://${address}/`),
        /web version 1/,
        `${name} to ${address}`,
      );
    }
    const seen = new Set<string>();
    await eventually(`${name} is balanced over the replicas of the Service`, () => {
      seen.add(cluster.kubectl("exec", name, "--", "wget", "-qO-", "http://web/"));
      return seen.size > 2;
    });
  }
});

test("a node's port serves a Service on every node", { skip }, async () => {
  cluster.kubectl("patch", "service", "web", "-p", `{"spec":{"type":"NodePort"}}`);
  const port = cluster.kubectl("get", "service", "web", "-o", "jsonpath={.spec.ports[0].nodePort}");
  const addresses = cluster
    .kubectl("get", "nodes", "-o", `jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}`)
    .split(" ");
  for (const address of addresses) {
    await eventually(`${address}:${port} answers`, () =>
      cluster.run("curl", ["-s", "-m", "2", `http://${address}:${port}/`]).stdout.includes("web version 1"),
    );
  }
});

test("a second cluster beside it touches nothing of the first", { skip }, () => {
  const dataDir = `${cluster.dataDir}-second`;
  const second = (...args: string[]) => cluster.run(join(projectRoot, "steer"), [...args, "--data-dir", dataDir]);
  try {
    const refused = second("up");
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /Port 6443 is taken.*--port/s);
    const started = second("up", "--port", "7443", "--http-port", "8080", "--https-port", "8443");
    assert.equal(started.code, 0, started.stderr);
    const settings = (path: string) =>
      JSON.parse(readFileSync(join(path, "cluster.json"), "utf8")) as Record<string, string>;
    const [first, other] = [settings(cluster.dataDir), settings(dataDir)];
    for (const key of ["id", "podRange", "serviceRange", "serverAddress"]) assert.notEqual(first[key], other[key], key);
    assert.match(second("kubectl", "get", "nodes").stdout, / Ready /);
    assert.match(cluster.kubectl("get", "pods", "-l", "app=web"), /1\/1\s+Running\s+0/);
  } finally {
    const removed = second("reset", "--yes");
    rmSync(dataDir, { recursive: true, force: true });
    assert.equal(removed.code, 0, removed.stderr);
  }
  assert.match(
    cluster.kubectl(
      "exec",
      cluster
        .kubectl("get", "pods", "-o", "name")
        .split("\n")
        .find((name) => name.includes("tool"))
        ?.replace("pod/", "") ?? "",
      "--",
      "wget",
      "-qO-",
      "http://web/",
    ),
    /web version 1/,
  );
});
