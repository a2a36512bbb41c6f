/**
 * Three real nodes on one machine, each with its own network and containerd; and a second cluster beside the first. Both go without
 * a trace although their data were removed by hand before.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeImages } from "#tools/make-images.ts";
import { isRoot, projectRoot, startRealCluster, type TestCluster } from "./harness.ts";
import { linksOf, noTraces, standing, tracesOf } from "./traces.ts";
import { eventually } from "../eventually.ts";

const skip = isRoot ? false : "real containers need root";
let cluster: TestCluster;
let archives: string[];

before(async () => {
  if (!isRoot) return;
  archives = await makeImages();
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

test(
  "a second cluster beside it touches nothing of the first, also when its data dir was removed by hand",
  { skip },
  () => {
    const dataDir = `${cluster.dataDir}-second`;
    const second = (command: string, ...args: string[]) =>
      cluster.run(join(projectRoot, "steer"), [command, "--data-dir", dataDir, ...args]);
    const links = linksOf(cluster);
    try {
      const refused = second("up");
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, /Port 6443 is taken.*--port/s);
      const started = second("up", "--port", "7443", "--http-port", "8080", "--https-port", "8443");
      assert.equal(started.code, 0, started.stderr);
      const settings = (path: string) =>
        JSON.parse(readFileSync(join(path, "cluster.json"), "utf8")) as Record<string, string>;
      const [first, other] = [settings(cluster.dataDir), settings(dataDir)];
      for (const key of ["id", "podRange", "serviceRange", "serverAddress"])
        assert.notEqual(first[key], other[key], key);
      assert.equal(second("image", "load", ...archives).code, 0);
      second("kubectl", "run", "left", "--image=localhost/steersman-busybox:1", "--", "sleep", "3600");
      assert.equal(second("kubectl", "wait", "pod/left", "--for=condition=Ready", "--timeout=150s").code, 0);
      const left = standing(dataDir);
      assert.notEqual(left.shimSockets.length, 0);

      rmSync(dataDir, { recursive: true });
      for (const command of ["up", "down", "status", "kubeconfig"]) {
        const { code, stderr } = second(command);
        assert.notEqual(code, 0, stderr);
        assert.match(stderr, /has lost its data, but parts of it are still on this machine\. Remove them with .*reset/);
      }
      const removed = second("reset", "--yes");
      assert.equal(removed.code, 0, removed.stderr);
      assert.deepEqual(tracesOf(cluster, left, links), noTraces);
      assert.match(second("reset", "--yes").stderr, /nothing to remove/);
    } finally {
      second("reset", "--yes");
      rmSync(dataDir, { recursive: true, force: true });
    }
    const [tool = ""] = cluster
      .kubectl("get", "pods", "-o", "name")
      .split("\n")
      .filter((name) => name.includes("tool"));
    assert.match(cluster.kubectl("exec", tool, "--", "wget", "-qO-", "http://web/"), /web version 1/);
  },
);

test(
  "reset finds all of a cluster whose data dir and list were removed by hand, with a node that lost its runtime",
  { skip },
  () => {
    const left = standing(cluster.dataDir);
    assert.ok(left.shimSockets.length >= 9, "pods run on every node");
    const [, , node] = globSync(join(cluster.dataDir, "nodes/*/containerd.pid")).toSorted();
    process.kill(Number(readFileSync(node ?? "", "utf8")), "SIGKILL");
    rmSync(cluster.dataDir, { recursive: true });
    // What others of this machine have in the list stays.
    rmSync(`/var/lib/steersman/clusters/${left.id}.json`);
    const removed = cluster.steer("reset", "--yes");
    assert.equal(removed.code, 0, removed.stderr);
    assert.deepEqual(tracesOf(cluster, left, ["lo"]), noTraces);
  },
);
