/** The aggregator and webhooks behind Services, with a server of the test's own in the cluster's network. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestCluster } from "../cluster/harness.ts";
import { eventually } from "../eventually.ts";

type Json = Record<string, unknown>;

const port = 17_443;

function apply(cluster: TestCluster, ...objects: Json[]): void {
  const list = { apiVersion: "v1", kind: "List", items: objects };
  const { code, stderr } = cluster.tryKubectl(["apply", "-f", "-"], { input: JSON.stringify(list) });
  assert.equal(code, 0, stderr);
}

function get(cluster: TestCluster, path: string): Json {
  return JSON.parse(cluster.kubectl("get", "--raw", path)) as Json;
}

/** A Service whose one endpoint is a program of the test, on the node's own address. */
async function serveBehindService(cluster: TestCluster): Promise<{ readonly caBundle: string; stop(): void }> {
  const base = join(cluster.dataDir, "sample");
  const made = cluster.run("openssl", [
    ...[
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "2",
      "-subj",
      "/CN=sample",
    ],
    ...["-keyout", `${base}.key`, "-out", `${base}.crt`, "-addext", "subjectAltName=DNS:sample-api.wardle.svc"],
  ]);
  assert.equal(made.code, 0, made.stderr);
  const published = get(cluster, "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication");
  const frontProxyCa = String((published.data as Json)["requestheader-client-ca-file"]);
  writeFileSync(`${base}-ca.crt`, frontProxyCa);
  const script = join(import.meta.dirname, "sample-api-server.ts");
  const server = cluster.start(process.execPath, [
    script,
    String(port),
    `${base}.crt`,
    `${base}.key`,
    `${base}-ca.crt`,
  ]);
  await new Promise<void>((resolve, reject) => {
    server.stdout?.once("data", () => resolve());
    server.once("exit", (code) => reject(new Error(`the sample server ended with ${code}`)));
  });
  const addresses = cluster.kubectl("get", "nodes", "-o", "jsonpath={.items[0].status.addresses[0].address}");
  const metadata = { namespace: "wardle", name: "sample-api" };
  apply(
    cluster,
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "wardle" } },
    { apiVersion: "v1", kind: "Service", metadata, spec: { ports: [{ name: "https", port: 7443, targetPort: port }] } },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { ...metadata, labels: { "kubernetes.io/service-name": "sample-api" } },
      addressType: "IPv4",
      ports: [{ name: "https", port }],
      endpoints: [{ addresses: [addresses.trim()] }],
    },
  );
  return { caBundle: readFileSync(`${base}.crt`).toString("base64"), stop: () => void server.kill() };
}

export async function sampleApiServer(cluster: TestCluster): Promise<void> {
  const { caBundle, stop } = await serveBehindService(cluster);
  const name = "v1alpha1.wardle.example.com";
  const service = { namespace: "wardle", name: "sample-api", port: 7443 };
  const spec = { group: "wardle.example.com", version: "v1alpha1", groupPriorityMinimum: 2000, versionPriority: 200 };
  const register = (ca: string): void =>
    apply(cluster, {
      apiVersion: "apiregistration.k8s.io/v1",
      kind: "APIService",
      metadata: { name },
      spec: { ...spec, service, caBundle: ca },
    });
  try {
    register(caBundle);
    cluster.kubectl("wait", `apiservice/${name}`, "--for=condition=Available", "--timeout=150s");
    assert.match(
      cluster.kubectl("api-resources", "--api-group=wardle.example.com"),
      /flunders\s+wardle\.example\.com\/v1alpha1\s+true\s+Flunder/,
    );
    const flunder = { apiVersion: "wardle.example.com/v1alpha1", kind: "Flunder", metadata: { name: "first" } };
    const made = cluster.tryKubectl(["create", "-n", "wardle", "-f", "-"], { input: JSON.stringify(flunder) });
    assert.equal(made.code, 0, made.stderr);
    const read = JSON.parse(cluster.kubectl("get", "-n", "wardle", "flunder", "first", "-o", "json")) as Json;
    assert.deepEqual(read.status, { by: "kubernetes-admin" });
    cluster.kubectl("patch", "-n", "wardle", "flunder", "first", "--type=merge", "-p", '{"spec":{"a":"b"}}');
    assert.match(cluster.kubectl("get", "-n", "wardle", "flunders", "-o", "yaml"), /a: b/);
    cluster.kubectl("delete", "-n", "wardle", "flunder", "first");
    assert.deepEqual(
      (get(cluster, "/apis/wardle.example.com/v1alpha1/namespaces/wardle/flunders").items as Json[]).length,
      0,
    );
    cluster.kubectl("patch", "apiservice", name, "--type=merge", "-p", '{"spec":{"versionPriority":150}}');
    await webhooksBehindService(cluster, caBundle);
    stop();
    cluster.kubectl("label", "-n", "wardle", "service", "sample-api", "look=again");
    cluster.kubectl("wait", `apiservice/${name}`, "--for=condition=Available=False", "--timeout=150s");
    cluster.kubectl("delete", "apiservice", name);
    await eventually("the group is gone", () => !cluster.kubectl("api-versions").includes("wardle.example.com"));
  } finally {
    stop();
  }
}

/** Webhooks of every sort are reached by their Service; those at addresses that tenants must not reach are not. */
async function webhooksBehindService(cluster: TestCluster, caBundle: string): Promise<void> {
  const at = (path: string): Json => ({
    caBundle,
    service: { namespace: "wardle", name: "sample-api", port: 7443, path },
  });
  const hook = (name: string, clientConfig: Json, rule: Json): Json => ({
    name: `${name}.example.com`,
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    failurePolicy: "Fail",
    timeoutSeconds: 30,
    clientConfig,
    namespaceSelector: { matchLabels: { hooked: "yes" } },
    rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"], ...rule }],
  });
  const group = "admissionregistration.k8s.io/v1";
  apply(
    cluster,
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "hooked", labels: { hooked: "yes" } } },
    {
      apiVersion: group,
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: "by-service" },
      webhooks: [
        hook("validate", at("/validate"), {}),
        hook("connect", at("/validate"), { operations: ["CONNECT"], resources: ["pods/exec"] }),
      ],
    },
    {
      apiVersion: group,
      kind: "MutatingWebhookConfiguration",
      metadata: { name: "by-service" },
      webhooks: [hook("mutate", at("/mutate"), {})],
    },
  );
  const create = (name: string): string => {
    const { stdout, stderr } = cluster.tryKubectl(["create", "-n", "hooked", "configmap", name]);
    return stdout + stderr;
  };
  await eventually("the webhook denies what is bad", () => /denies CREATE/.test(create("bad")));
  assert.match(create("good"), /created/);
  assert.match(cluster.kubectl("get", "-n", "hooked", "configmap", "good", "-o", "json"), /"mutated": "yes"/);
  cluster.kubectl("run", "-n", "hooked", "held", "--image=localhost/steersman-busybox:1", "--", "sleep", "3600");
  cluster.kubectl("wait", "-n", "hooked", "pod/held", "--for=condition=Ready", "--timeout=150s");
  const exec = cluster.tryKubectl(["exec", "-n", "hooked", "held", "--", "true"]);
  assert.match(exec.stderr, /denies CONNECT/);
  cluster.kubectl("delete", "-n", "hooked", "pod", "held", "--grace-period=1");
  converted(cluster, at("/convert"));

  for (const url of [`https://127.0.0.1:${port}/validate`, "https://169.254.169.254/latest"]) {
    apply(cluster, {
      apiVersion: group,
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: "by-url" },
      webhooks: [hook("forbidden", { url, caBundle }, {})],
    });
    await eventually(`${url} is not dialled`, () =>
      /forbidden\.example\.com.*address not allowed/.test(create("refused")),
    );
  }
  cluster.kubectl("delete", "validatingwebhookconfiguration", "by-service", "by-url");
  cluster.kubectl("delete", "mutatingwebhookconfiguration", "by-service");
  cluster.kubectl("delete", "namespace", "hooked", "--timeout=150s");
}

/** A custom resource that is written at one version reads at the other. */
function converted(cluster: TestCluster, clientConfig: Json): void {
  const version = (name: string, field: string): Json => ({
    name,
    served: true,
    storage: name === "v1",
    schema: {
      openAPIV3Schema: {
        type: "object",
        properties: { spec: { type: "object", properties: { [field]: { type: "integer" } } } },
      },
    },
  });
  apply(cluster, {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "ropes.hooked.example.com" },
    spec: {
      group: "hooked.example.com",
      scope: "Cluster",
      names: { plural: "ropes", kind: "Rope" },
      versions: [version("v1", "length"), version("v2", "size")],
      conversion: { strategy: "Webhook", webhook: { clientConfig, conversionReviewVersions: ["v1"] } },
    },
  });
  cluster.kubectl("wait", "crd/ropes.hooked.example.com", "--for=condition=Established", "--timeout=150s");
  apply(cluster, { apiVersion: "hooked.example.com/v2", kind: "Rope", metadata: { name: "long" }, spec: { size: 7 } });
  assert.deepEqual(get(cluster, "/apis/hooked.example.com/v1/ropes/long").spec, { length: 7 });
  assert.deepEqual(get(cluster, "/apis/hooked.example.com/v2/ropes/long").spec, { size: 7 });
  cluster.kubectl("delete", "crd", "ropes.hooked.example.com");
}
