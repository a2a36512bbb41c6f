/** Autoscalers that make no sense, fed to running controllers: each is refused or says why it does nothing, and others go on. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { autoscalingV2Horizontalpodautoscalers as autoscalers, deployments } from "#api/generated/resources.ts";
import { ApiStatusError } from "#client/status-error.ts";
import { startCluster, type RunningCluster } from "./running-cluster.ts";

const namespace = "default";
let cluster: RunningCluster;
before(async () => {
  cluster = await startCluster();
  for (const name of ["web", "other", "steady"]) await deploy(name, { app: name });
});
after(() => cluster.stop());

async function deploy(name: string, labels: Record<string, string>): Promise<void> {
  const template = { metadata: { labels }, spec: { containers: [{ name: "main", image: "web:1" }] } };
  const spec = { replicas: 5, selector: { matchLabels: labels }, template };
  await cluster.client.create(deployments, { namespace }, { metadata: { name }, spec } as never);
}

async function create(name: string, spec: object): Promise<void> {
  await cluster.client.create(autoscalers, { namespace }, { metadata: { name }, spec } as never);
}

const web = { apiVersion: "apps/v1", kind: "Deployment", name: "web" };
const hostile = `x"} or vector(1) or up{a="`;
const average = { type: "AverageValue", averageValue: "1" };
const metric = (type: string, source: object): object => ({
  metrics: [{ type, [`${type[0]?.toLowerCase()}${type.slice(1)}`]: source }],
});

interface Odd {
  readonly name: string;
  readonly spec: object;
  /** `ScalingActive False FailedGetObjectMetric: …` */
  readonly says: RegExp;
}

const odd: readonly Odd[] = [
  {
    name: "a-kind-that-is-not-there",
    spec: { scaleTargetRef: { apiVersion: "nobody.example/v1", kind: "Nothing", name: "web" } },
    says: /AbleToScale False FailedGetScale: .*unable to get the target's current scale/,
  },
  {
    name: "no-such-object",
    spec: { scaleTargetRef: { ...web, name: "absent" } },
    says: /AbleToScale False FailedGetScale: .*deployments\.apps "absent" not found/,
  },
  {
    name: "nothing-to-scale",
    spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "DaemonSet", name: "web" } },
    says: /AbleToScale False FailedGetScale/,
  },
  {
    name: "itself",
    spec: { scaleTargetRef: { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler", name: "itself" } },
    says: /AbleToScale False FailedGetScale/,
  },
  {
    name: "a-version-that-is-none",
    spec: { scaleTargetRef: { ...web, apiVersion: "../../secrets/x" } },
    says: /AbleToScale False FailedGetScale/,
  },
  {
    name: "an-object-of-no-kind",
    spec: {
      scaleTargetRef: { ...web, name: "other" },
      ...metric("Object", {
        metric: { name: "rate" },
        describedObject: { kind: "Nothing", name: "x", apiVersion: "a/b/c" },
        target: average,
      }),
    },
    says: /ScalingActive False FailedGetObjectMetric: .*unable to map the kind Nothing/,
  },
  {
    name: "a-name-that-breaks-out",
    spec: {
      scaleTargetRef: { ...web, name: "other" },
      ...metric("External", { metric: { name: hostile }, target: average }),
    },
    says: /ScalingActive False FailedGetExternalMetric: .*unable to get external metric default\/x"}/,
  },
];

for (const { name, spec, says } of odd) {
  test(`${name}: a condition says why nothing is scaled`, async () => {
    await create(name, { maxReplicas: 10, ...spec });
    await cluster.until(`it says ${says.source}`, async () => {
      const { status } = await cluster.client.get(autoscalers, { namespace, name });
      return (status.conditions ?? []).some((each) =>
        says.test(`${each.type} ${each.status} ${each.reason ?? ""}: ${each.message ?? ""}`),
      );
    });
    await cluster.client.delete(autoscalers, { namespace, name });
  });
}

test("what can never be is refused, with a sentence about each field", async () => {
  const refused = create("zero", {
    scaleTargetRef: { kind: "Deployment", name: "../web" },
    minReplicas: 3,
    maxReplicas: 2,
    ...metric("Resource", { name: "cpu", target: { type: "Utilization", averageUtilization: 0 } }),
    behavior: { scaleUp: { tolerance: "-1" } },
  });
  await assert.rejects(refused, (error: unknown) => {
    assert.ok(error instanceof ApiStatusError);
    for (const field of ["maxReplicas", "scaleTargetRef.name", "averageUtilization", "scaleUp.tolerance"])
      assert.match(error.message, new RegExp(field.replaceAll(".", "\\.")));
    return true;
  });
});

test("two for one target scale nothing and name each other; one beside them goes on", async () => {
  await create("one", { scaleTargetRef: web, maxReplicas: 10 });
  await create("two", { scaleTargetRef: web, maxReplicas: 10 });
  const steady = { ...web, name: "steady" };
  await create("steady", { scaleTargetRef: steady, maxReplicas: 3 });
  await cluster.until("it is brought to its most", async () => {
    const { spec } = await cluster.client.get(deployments, { namespace, name: "steady" });
    return spec.replicas === 3;
  });
  for (const name of ["one", "two"]) {
    await cluster.until(`${name} says so`, async () => {
      const { status } = await cluster.client.get(autoscalers, { namespace, name });
      return (status.conditions ?? []).some(
        ({ reason, message }) =>
          reason === "AmbiguousSelector" && /multiple HPAs: \[default\/one default\/two\]/.test(message ?? ""),
      );
    });
  }
  const { spec } = await cluster.client.get(deployments, { namespace, name: "web" });
  assert.equal(spec.replicas, 5);
  assert.deepEqual(cluster.problems, []);
});
