/**
 * What others see of a canary: Helm's --wait, a tool that compares the cluster with what was written (as GitOps tools do), an
 * autoscaler, a budget and the Deployment's own progress deadline.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { after, test } from "node:test";
import { clientBinary } from "#main/client-binaries.ts";
import { projectRoot, startSimulatedCluster } from "../cluster/harness.ts";
import { eventually } from "../eventually.ts";

const cluster = startSimulatedCluster(2);
after(() => cluster.remove());
const chart = join(projectRoot, "tests/delivery/chart");

function helm(...args: string[]): string {
  const { code, stdout, stderr } = cluster.run(clientBinary("helm"), args);
  assert.equal(code, 0, `helm ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

function apply(manifest: string): void {
  const { code, stderr } = cluster.tryKubectl(["apply", "-f", "-"], { input: manifest });
  assert.equal(code, 0, stderr);
}

function read(object: string, path: string): string {
  return cluster.kubectl("get", object, "-o", `jsonpath={${path}}`);
}

/** What a GitOps tool would do about the cluster: nothing, when what was written is what is there. */
function differences(): string {
  const { code, stdout, stderr } = cluster.tryKubectl(["diff", "-f", "-"], { input: helm("get", "manifest", "shop") });
  assert.ok(code <= 1, stderr);
  return stdout;
}

async function inPhase(phase: string): Promise<void> {
  await eventually(`the Canary is ${phase}`, () => read("canary/shop", ".status.phase") === phase);
}

test("a chart is installed, then released by a Canary", async () => {
  helm("install", "shop", chart, "--wait", "--timeout=150s");
  apply(`
apiVersion: delivery.steersman.dev/v1
kind: Canary
metadata: {name: shop}
spec:
  deployment: shop
  ingress: shop
  users: {cookie: sid}
  steps: [{share: 0%, approval: true}, {share: 100%}]
  checks:
  - {name: metadata, every: 1s, webhook: {url: "https://169.254.169.254/latest/"}}
  - {name: itself, every: 1s, webhook: {url: "https://127.0.0.1:10250/"}}
  - {name: others, every: 1s, promQL: {query: up, min: 0}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: shop}
spec: {minAvailable: 100%, selector: {matchLabels: {app: shop}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}
  minReplicas: 2
  maxReplicas: 9
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
`);
  await inPhase("Stable");
});

test("checks ask nobody whom the Canary's author may not ask, and what they do not know keeps the step from passing", async () => {
  helm("upgrade", "shop", chart, "--set-string=version=checked");
  const said = (check: string): string => read("canary/shop", `.status.checks[?(@.name=="${check}")].message`);
  await eventually(
    "all have been asked",
    () => said("metadata") + said("itself") !== "" && /may not get/.test(said("others")),
  );
  await eventually("the dial was refused", () =>
    [said("metadata"), said("itself")].every((text) => /address not allowed/.test(text)),
  );
  assert.equal(read("canary/shop", ".status.phase"), "Step");
  assert.equal(read("canary/shop", ".status.checks[*].verdict"), "NotEnoughData NotEnoughData NotEnoughData");
  cluster.kubectl("patch", "canary", "shop", "--type=json", '-p=[{"op":"remove","path":"/spec/checks"}]');
  await inPhase("Paused");
  helm("rollback", "shop", "1");
  await inPhase("Stable");
});

test("while the verdict is pending Helm waits, budgets and autoscalers count the stable pods, nothing differs", async () => {
  const args = ["upgrade", "shop", chart, "--set-string=version=2", "--wait", "--timeout=170s"];
  const upgrade = cluster.start(clientBinary("helm"), args);
  const ended = once(upgrade, "exit") as Promise<[number | null]>;
  await inPhase("Paused");
  const since = Date.parse(read("canary/shop", ".status.phaseSince"));
  await eventually("three pods run", () => read("deployment/shop", ".status.replicas") === "3");
  await eventually("the budget has looked", () => read("pdb/shop", ".status.currentHealthy") === "2");
  assert.equal(read("pdb/shop", ".status.expectedPods"), "2");
  await eventually("the autoscaler has looked", () => read("hpa/shop", ".status.currentReplicas") !== "");
  assert.equal(read("hpa/shop", ".status.desiredReplicas") || "2", "2");
  assert.equal(read("deployment/shop", ".spec.replicas"), "2");
  // Twice the progress deadline of the chart.
  await eventually("time passes", () => Date.now() - since > 20_000);
  const progressing = `.status.conditions[?(@.type=="Progressing")]`;
  assert.equal(read("deployment/shop", `${progressing}.status`), "True", "the deadline stands still");
  assert.equal(upgrade.exitCode, null, "Helm waits");
  assert.equal(differences(), "");
  const addresses = read(
    "endpointslices",
    `.items[?(@.metadata.labels.kubernetes\\.io/service-name=="shop")].endpoints[*].addresses[*]`,
  );
  assert.equal(addresses.split(" ").length, 2, `the Service has ${addresses}`);
  const candidate = read("canary/shop", ".status.candidate");
  cluster.kubectl("annotate", "canary", "shop", `delivery.steersman.dev/approved=${candidate}.1`);
  const [code] = await ended;
  assert.equal(code, 0, "Helm ends well after the promotion");
  await inPhase("Stable");
  assert.equal(read("deployment/shop", ".spec.template.spec.containers[0].image"), "localhost/shop:2");
  assert.equal(differences(), "");
});

test("a rejected release fails Helm's wait; the cluster still is what was written, and helm rollback goes back", async () => {
  const args = [
    "upgrade",
    "shop",
    chart,
    "--set-string=version=3",
    "--set-string=place.disk=none",
    "--wait",
    "--timeout=40s",
  ];
  const { code } = cluster.run(clientBinary("helm"), args);
  assert.notEqual(code, 0);
  await inPhase("RolledBack");
  assert.equal(differences(), "", "nothing to fight about");
  assert.match(read("canary/shop", ".status.message"), /pods of shop-.* were ready within 10 s/);
  helm("rollback", "shop", "4", "--wait", "--timeout=150s");
  await inPhase("Stable");
  assert.equal(read("deployment/shop", ".status.readyReplicas"), "2");
});
