/** A chart's life with the unmodified Helm 4: install, upgrade, rollback, test, uninstall; with hooks and a definition. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { clientBinary } from "#main/client-binaries.ts";
import { projectRoot, startSimulatedCluster, type Output } from "./harness.ts";

const cluster = startSimulatedCluster(2);
after(() => cluster.remove());
const chart = join(projectRoot, "tests/helm/chart");

function helm(...args: string[]): string {
  const { code, stdout, stderr }: Output = cluster.run(clientBinary("helm"), args);
  assert.equal(code, 0, `helm ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

function read(resource: string, path: string): string {
  return cluster.kubectl("get", resource, "-o", `jsonpath={${path}}`);
}

test("install makes the definition, then hooks, then the rest, and waits for it", () => {
  assert.match(helm("install", "shop", chart, "--wait", "--timeout=150s"), /STATUS: deployed/);
  assert.equal(read("deployment/shop", ".status.readyReplicas"), "1");
  assert.equal(read("order/shop", ".spec.amount"), "1");
  assert.equal(read("configmap/shop-pre-install", ".data.revision"), "1");
  assert.match(helm("list"), /shop\s+default\s+1\s.*deployed/);
});

test("upgrade changes what differs and runs its hook", () => {
  helm("upgrade", "shop", chart, "--set=replicas=2,greeting=hi", "--wait", "--timeout=150s");
  assert.equal(read("deployment/shop", ".status.readyReplicas"), "2");
  assert.equal(read("configmap/shop", ".data.greeting"), "hi");
  assert.equal(read("order/shop", ".spec.item"), "hi");
  assert.equal(read("configmap/shop-pre-upgrade", ".data.revision"), "2");
});

test("rollback goes back to the first revision", () => {
  helm("rollback", "shop", "1", "--wait", "--timeout=150s");
  assert.equal(read("deployment/shop", ".spec.replicas"), "1");
  assert.equal(read("configmap/shop", ".data.greeting"), "hello");
  assert.match(helm("history", "shop"), /Rollback to 1/);
});

test("helm test runs the test hook", () => {
  assert.match(helm("test", "shop"), /TEST SUITE:\s+shop-test[\s\S]*Succeeded/);
});

test("get, template and status speak about the release", () => {
  assert.match(helm("get", "values", "shop", "--all"), /greeting: hello/);
  assert.match(helm("get", "manifest", "shop"), /kind: Order/);
  assert.match(helm("status", "shop"), /REVISION: 3/);
});

test("uninstall removes what was made, leaves the definition, and runs its hook", () => {
  helm("uninstall", "shop", "--wait", "--timeout=150s");
  assert.equal(
    cluster.kubectl("get", "deployments,services,orders", "-o", "name").replace("service/kubernetes\n", "").trim(),
    "",
  );
  assert.match(cluster.kubectl("get", "crd", "-o", "name"), /orders.shop.example.com/);
  assert.match(cluster.kubectl("get", "configmaps", "-o", "name"), /shop-post-delete/);
});
