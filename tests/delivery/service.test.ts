/**
 * A Canary for a Service instead of an Ingress, as its owner sees it; who may write what nodes count; and what hostile texts in
 * Canaries and Ingresses come to.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { startSimulatedCluster } from "../cluster/harness.ts";
import { eventually } from "../eventually.ts";

const cluster = startSimulatedCluster(2);
after(() => cluster.remove());

function tryApply(manifest: object, ...args: string[]): { code: number; stderr: string } {
  return cluster.tryKubectl(["apply", ...args, "-f", "-"], { input: JSON.stringify(manifest) });
}

function apply(manifest: object): void {
  const { code, stderr } = tryApply(manifest);
  assert.equal(code, 0, stderr);
}

function condition(object: string, type: string, field = "reason"): string {
  return cluster.kubectl("get", object, "-o", `jsonpath={.status.conditions[?(@.type=="${type}")].${field}}`);
}

const labels = { app: "web" };
const deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web" },
  spec: {
    replicas: 2,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: "web", image: "localhost/web:1" }] } },
  },
};
const service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web" },
  spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
};
const canary = {
  apiVersion: "delivery.steersman.dev/v1",
  kind: "Canary",
  metadata: { name: "web" },
  spec: { deployment: "web", service: "web", users: { header: "X-User" }, steps: [{ share: "2%" }] },
};

test("a Canary of a Service sends pods' requests through their proxies, and says so on both", async () => {
  for (const object of [deployment, service, canary]) apply(object);
  await eventually("the Service says so", () => condition("service/web", "ThroughProxy") === "Proxied");
  await eventually("the Canary says so", () => condition("canary/web", "ThroughProxy", "status") === "True");
  assert.equal(condition("canary/web", "Ready"), "Acting");
});

test("a policy that shields its pods, or a Service without an address, says why not", async () => {
  const policy = {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "friends" },
    spec: { podSelector: { matchLabels: labels }, ingress: [] },
  };
  await eventually(
    "the pods run",
    () => cluster.kubectl("get", "deployment/web", "-o", "jsonpath={.status.readyReplicas}") === "2",
  );
  apply(policy);
  await eventually("it is refused", () => condition("service/web", "ThroughProxy") === "NetworkPolicy");
  await eventually("the Canary tells", () => condition("canary/web", "ThroughProxy") === "NetworkPolicy");
  cluster.kubectl("delete", "networkpolicy", "friends");
  await eventually("it is proxied again", () => condition("service/web", "ThroughProxy") === "Proxied");
  cluster.kubectl("annotate", "service", "web", "steersman.dev/through-proxy=false");
  await eventually("its owner has the last word", () => condition("service/web", "ThroughProxy") === "");
  await eventually("the Canary tells nothing", () => condition("canary/web", "ThroughProxy") === "");
  const headless = { ...service, metadata: { name: "alone", annotations: { "steersman.dev/through-proxy": "true" } } };
  apply({ ...headless, spec: { ...service.spec, clusterIP: "None" } });
  await eventually("headless ones are refused", () => condition("service/alone", "ThroughProxy") === "Headless");
});

test("kubectl rollout pause, resume, status and undo keep their meaning while a Canary steers", async () => {
  const of = (path: string): string => cluster.kubectl("get", "canary", "web", "-o", `jsonpath={${path}}`);
  const inPhase = (phase: string): Promise<unknown> =>
    eventually(`the Canary is ${phase}`, () => of(".status.phase") === phase);
  const steps = [{ share: "0%", approval: true }, { share: "100%" }];
  cluster.kubectl("patch", "canary", "web", "--type=merge", `-p=${JSON.stringify({ spec: { steps } })}`);
  await inPhase("Stable");
  cluster.kubectl("set", "image", "deployment/web", "web=localhost/web:2");
  await inPhase("Paused");
  const rollout = ["rollout", "status", "deployment/web", "--timeout=1s"];
  assert.notEqual(cluster.tryKubectl(rollout).code, 0, "the rollout is under way");
  cluster.kubectl("rollout", "pause", "deployment/web");
  cluster.kubectl("annotate", "canary", "web", `delivery.steersman.dev/approved=${of(".status.candidate")}.1`);
  // What would bring it forward has had its turn when a later write is obeyed.
  cluster.kubectl("annotate", "service", "web", "steersman.dev/through-proxy=true", "--overwrite");
  await eventually("a later write is obeyed", () => condition("canary/web", "ThroughProxy", "status") === "True");
  assert.equal(of(".status.phase"), "Paused");
  cluster.kubectl("rollout", "resume", "deployment/web");
  await inPhase("Stable");
  cluster.kubectl("rollout", "status", "deployment/web", "--timeout=150s");
  cluster.kubectl("set", "image", "deployment/web", "web=localhost/web:3");
  await inPhase("Paused");
  cluster.kubectl("rollout", "undo", "deployment/web");
  await inPhase("Stable");
  cluster.kubectl("rollout", "status", "deployment/web", "--timeout=150s");
  assert.match(cluster.kubectl("get", "deployment", "web", "-o", "yaml"), /image: localhost\/web:2/);
});

test("overlapping Canaries, and ones that cannot act, say so and block nothing", async () => {
  const others: readonly [string, object, string][] = [
    ["second", { ...canary.spec }, "Overlapping"],
    ["nobody", { ...canary.spec, deployment: "none" }, "DeploymentMissing"],
    ["nowhere", { ...canary.spec, deployment: "web", service: "none" }, "TargetMissing"],
    ["both", { ...canary.spec, ingress: "web" }, "NoTarget"],
    ["keyless", { ...canary.spec, users: {} }, "NoUserKey"],
    ["twokeys", { ...canary.spec, users: { header: "a", cookie: "b" } }, "NoUserKey"],
    ["backwards", { ...canary.spec, steps: [{ share: "5%" }, { share: "2%" }] }, "InvalidSpec"],
  ];
  for (const [name, spec] of others) apply({ ...canary, metadata: { name }, spec });
  for (const [name, , reason] of others) {
    await eventually(`${name} says ${reason}`, () => condition(`canary/${name}`, "Ready") === reason);
    assert.equal(condition(`canary/${name}`, "Ready", "status"), "False");
  }
  assert.equal(condition("canary/web", "Ready"), "Acting");
  cluster.kubectl("delete", "canary", ...others.map(([name]) => name));
});

test("a node writes what it has counted itself, and nothing of another node's", async () => {
  const names = cluster.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split(" ");
  const [own = "", other = ""] = names;
  const as = (node: string): string[] => [
    `--as=system:node:${node}`,
    "--as-group=system:nodes",
    "--as-group=system:authenticated",
  ];
  const count = (name: string, node: string, split = "web"): object => ({
    apiVersion: "delivery.steersman.dev/v1",
    kind: "TrafficCount",
    metadata: { name, namespace: "default" },
    spec: {
      split,
      node,
      run: "r-1",
      threshold: 0,
      chosen: { users: 1_000, inErrors: 0 },
      others: { users: 0, inErrors: 0 },
      at: new Date().toISOString(),
    },
  });
  const create = (object: object, node: string): { code: number; stderr: string } =>
    cluster.tryKubectl(["create", ...as(node), "-f", "-"], { input: JSON.stringify(object) });
  assert.equal(create(count(`shop.${own}`, own, "shop"), own).code, 0);
  assert.equal(create(count(`shop.${other}`, other, "shop"), other).code, 0);
  for (const [name, node, split] of [
    [`web.${other}`, other, "web"],
    [`web.${other}`, own, "web"],
    [`web.${own}`, other, "web"],
    [`twice.${own}`, own, "web"],
    ["anything", own, "web"],
  ] as const) {
    const { code, stderr } = create(count(name, node, split), own);
    assert.notEqual(code, 0, `${own} wrote ${name} of ${node}`);
    assert.match(stderr, /can only write TrafficCounts of its own/);
  }
  const patch = (name: string, text: object): { code: number; stderr: string } =>
    cluster.tryKubectl(["patch", "trafficcount", name, ...as(own), "--type=merge", `-p=${JSON.stringify(text)}`]);
  assert.equal(patch(`shop.${own}`, { spec: { chosen: { users: 2_000 } } }).code, 0);
  for (const [name, text] of [
    [`shop.${other}`, { spec: { chosen: { inErrors: 1_000 } } }],
    [`shop.${other}`, { spec: { node: own } }],
    [`shop.${own}`, { spec: { node: other } }],
    [`shop.${own}`, { spec: { split: "web" } }],
    [`shop.${own}`, { metadata: { finalizers: ["a.b/c"] } }],
  ] as const) {
    const { code, stderr } = patch(name, text);
    assert.notEqual(code, 0, `${name} ${JSON.stringify(text)}`);
    assert.match(stderr, /forbidden/i);
  }
  const split = cluster.tryKubectl([
    "patch",
    "trafficsplit",
    "web",
    ...as(own),
    "--type=merge",
    '-p={"spec":{"threshold":9999}}',
  ]);
  assert.match(split.stderr, /forbidden/i);
  assert.match(cluster.tryKubectl(["delete", "trafficcount", `shop.${other}`, ...as(own)]).stderr, /forbidden/i);
});

test("hostile texts in Canaries are refused or only data", () => {
  const hostile = ['a"b', "a\nb", "a'b", "a{b}", "a;b", "a b", "a\\b", "%[env(PATH)]", "a\u0000b", "é"];
  const specs = hostile.flatMap((text) => [
    { users: { header: text } },
    { users: { cookie: text } },
    { users: { jwtClaim: text } },
    { testers: { header: text, value: "x" } },
    { testers: { header: "x", value: text } },
    { errors: { statuses: [text] } },
    { errors: { slowerThan: text } },
    { steps: [{ share: text }] },
  ]);
  const items = specs.map((spec, index) => ({
    ...canary,
    metadata: { name: `hostile-${index}` },
    spec: { ...canary.spec, ...spec },
  }));
  assert.notEqual(tryApply({ apiVersion: "v1", kind: "List", items }).code, 0);
  const made = cluster.kubectl("get", "canaries", "-o", "jsonpath={.items[*].metadata.name}").split(" ");
  assert.deepEqual(
    made.filter((name) => name.startsWith("hostile-")).map((name) => specs[Number(name.slice(8))]),
    [],
  );
});
