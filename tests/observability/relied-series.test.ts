/** Series of the server that alerts and dashboards of others rely on: each tells what happened, and nothing else. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { readPolicy } from "../../src/apiserver/audit/policy.ts";
import { createCertificates } from "../../src/world/node/certificates.ts";
import { createCrypto } from "../../src/world/node/crypto.ts";
import { eventually } from "../eventually.ts";
import { wholeBody } from "../api/harness.ts";
import { startSecured, type Question, type SecuredServer } from "../security/cluster.ts";
import { startOutside, type OutsideServer } from "../security/outside.ts";
import { readExposition } from "./exposition.ts";

const token = "t-admin";
const storeBytes = 4_096;
const audited: string[] = [];
let hook: OutsideServer;
let server: SecuredServer;
/** How the webhook answers; undefined: with nonsense. */
let verdict: { readonly allowed: boolean; readonly code?: number } | undefined = { allowed: true };

before(async () => {
  hook = await startOutside(({ body }) => {
    const { request } = JSON.parse(body) as { request: { uid: string } };
    if (verdict === undefined) return { body: "nonsense" };
    const { allowed, code = 200 } = verdict;
    const response = { uid: request.uid, allowed, status: { code, message: "as told" } };
    return { body: { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response } };
  });
  const policy = readPolicy({ kind: "Policy", apiVersion: "audit.k8s.io/v1", rules: [{ level: "Metadata" }] });
  assert.notEqual(typeof policy, "string");
  const write = (line: string): undefined => void audited.push(line);
  server = await startSecured(
    { "tokens.csv": `${token},root,1,"system:masters"\n` },
    {
      storeBytes: () => Promise.resolve(storeBytes),
      ...(typeof policy === "string" ? {} : { audit: { policy, sinks: { note: write, write } } }),
    },
  );
});
after(async () => {
  await server.close();
  await hook.close();
});

async function ask(question: Question, status: number): Promise<Record<string, unknown>> {
  const answer = await server.ask({ token, ...question });
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  return answer.body;
}

async function series(path = "/metrics"): Promise<ReadonlyMap<string, number>> {
  return readExposition(String((await ask({ path }, 200))["text"])).series;
}

/** The labels and values of a family's series, by their text. */
async function family(name: string, path?: string): Promise<Record<string, number>> {
  const all = [...(await series(path))].filter(([key]) => key.startsWith(`${name}{`));
  return Object.fromEntries(all.map(([key, value]) => [key.slice(name.length), value]));
}

const maps = "/api/v1/namespaces/default/configmaps";

async function hooked(
  kind: "validating" | "mutating",
  failurePolicy: string,
  play: () => Promise<void>,
): Promise<void> {
  const path = `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations`;
  const rules = [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }];
  const clientConfig = { url: `${hook.url}/`, caBundle: btoa(hook.ca) };
  const common = { admissionReviewVersions: ["v1"], sideEffects: "None", clientConfig, rules, failurePolicy };
  const matchConditions = [{ name: "ours", expression: "request.userInfo.username == 'root'" }];
  const webhooks = [{ name: `${kind}.example.com`, ...common, matchConditions }];
  await ask({ method: "POST", path, body: { metadata: { name: "w" }, webhooks } }, 201);
  await play();
  await ask({ method: "DELETE", path: `${path}/w` }, 200);
}

const create = (name: string, status: number): Promise<object> =>
  ask({ method: "POST", path: maps, body: { metadata: { name } } }, status);

test("webhooks: what they were asked, refused, and let pass because they failed", async () => {
  await hooked("validating", "Fail", async () => {
    verdict = { allowed: true };
    await create("allowed", 201);
    verdict = { allowed: false, code: 418 };
    await create("refused", 418);
    verdict = undefined;
    await create("unanswered", 500);
  });
  await hooked("mutating", "Ignore", async () => {
    verdict = undefined;
    await create("let-pass", 201);
    verdict = { allowed: false, code: 9_999 };
    await create("odd", 400);
  });
  const validating = 'name="validating.example.com",operation="CREATE"';
  const mutating = 'name="mutating.example.com",operation="CREATE"';
  assert.deepEqual(await family("apiserver_admission_webhook_request_total"), {
    [`{code="200",${validating},rejected="false",type="validating"}`]: 1,
    [`{code="418",${validating},rejected="true",type="validating"}`]: 1,
    [`{code="503",${validating},rejected="true",type="validating"}`]: 1,
    [`{code="503",${mutating},rejected="false",type="admit"}`]: 1,
    [`{code="400",${mutating},rejected="true",type="admit"}`]: 1,
  });
  assert.deepEqual(await family("apiserver_admission_webhook_rejection_count"), {
    [`{error_type="no_error",${validating},rejection_code="418",type="validating"}`]: 1,
    [`{error_type="calling_webhook_error",${validating},rejection_code="503",type="validating"}`]: 1,
    [`{error_type="no_error",${mutating},rejection_code="400",type="admit"}`]: 1,
  });
  assert.deepEqual(await family("apiserver_admission_webhook_fail_open_count"), {
    '{name="mutating.example.com",type="admit"}': 1,
  });
  assert.deepEqual(await family("apiserver_admission_webhook_admission_duration_seconds_count"), {
    [`{${validating},rejected="false",type="validating"}`]: 1,
    [`{${validating},rejected="true",type="validating"}`]: 2,
    [`{${mutating},rejected="false",type="admit"}`]: 1,
    [`{${mutating},rejected="true",type="admit"}`]: 1,
  });
});

test("whoever asks for what is deprecated is warned, and it is told that somebody did", async () => {
  assert.deepEqual(await family("apiserver_requested_deprecated_apis"), {}, "the server's own loops do not count");
  const answer = await server.ask({ token, path: "/api/v1/namespaces/default/endpoints" });
  assert.match(answer.headers["warning"] ?? "", /v1 Endpoints is deprecated in v1\.33\+/);
  await server.ask({ token, path: "/api/v1/namespaces/default/endpoints/x/invented" });
  assert.deepEqual(await family("apiserver_requested_deprecated_apis"), {
    '{group="",removed_release="",resource="endpoints",subresource="",version="v1"}': 1,
  });
});

test("the store's size, audit entries, and that audit turned nobody away", async () => {
  assert.deepEqual(await family("apiserver_storage_size_bytes"), { '{storage_cluster_id="store"}': storeBytes });
  const written = audited.length;
  assert.ok(written > 0);
  await create("audited", 201);
  assert.ok(((await family("apiserver_audit_event_total"))["{}"] ?? 0) > written);
  assert.deepEqual(await family("apiserver_audit_requests_rejected_total"), { "{}": 0 });
});

test("the lifetime of client certificates", async () => {
  const { publicKey, privateKey } = createCrypto().generateKey();
  const now = Date.now();
  const period = { notBefore: now - 1_000, notAfter: now + 7_000_000 };
  const certificate = await createCertificates().issue(
    { subject: { commonName: "somebody" }, publicKey, usages: ["client"], ...period },
    { selfSignedWith: privateKey },
  );
  const der = Buffer.from(certificate.replace(/-----[^-]+-----|\s/g, ""), "base64");
  const request = { method: "GET", target: "/version", headers: {}, body: new Uint8Array(0) };
  await wholeBody(await server.server.api.handler.handle(request, { address: "192.0.2.9", port: 1, certificate: der }));
  const name = "apiserver_client_certificate_expiration_seconds";
  const buckets = await family(`${name}_bucket`);
  assert.equal(buckets['{le="3600"}'], 0);
  assert.equal(buckets['{le="7200"}'], 1);
});

test("an aggregated server that does not answer is told", async () => {
  const spec = {
    group: "gone.example.com",
    version: "v1",
    groupPriorityMinimum: 100,
    versionPriority: 10,
    service: { namespace: "default", name: "nowhere" },
  };
  const path = "/apis/apiregistration.k8s.io/v1/apiservices";
  await ask({ method: "POST", path, body: { metadata: { name: "v1.gone.example.com" }, spec } }, 201);
  const gauge = "aggregator_unavailable_apiservice";
  await eventually("it is known not to answer", async () => {
    return (await family(`${gauge}_total`))['{name="v1.gone.example.com",reason="ServiceNotFound"}'] === 1;
  });
  assert.deepEqual(await family(gauge), { '{name="v1.gone.example.com"}': 1 });
  await ask({ method: "DELETE", path: `${path}/v1.gone.example.com` }, 200);
  await eventually("it is forgotten", async () => Object.keys(await family(gauge)).length === 0);
});

test("zones are told by their nodes", async () => {
  const nodes = "/api/v1/nodes";
  const labels = { "topology.kubernetes.io/region": "r", "topology.kubernetes.io/zone": "z" };
  for (const name of ["one", "two"])
    await ask({ method: "POST", path: nodes, body: { metadata: { name, labels }, spec: {} } }, 201);
  const headers = { "content-type": "application/merge-patch+json" };
  const conditions = [{ type: "Ready", status: "False", reason: "Test" }];
  await ask({ method: "PATCH", path: `${nodes}/two/status`, headers, body: { status: { conditions } } }, 200);
  const zone = '{zone="r/z"}';
  await eventually("one is unhealthy", async () => {
    return (await family("node_collector_unhealthy_nodes_in_zone"))[zone] === 1;
  });
  assert.equal((await family("node_collector_zone_size"))[zone], 2);
  assert.equal((await family("node_collector_zone_health"))[zone], 50);
  await eventually("it is evicted from", async () => (await family("node_collector_evictions_total"))[zone] === 1);
});

test("Jobs and their pods are counted when they end, and pods are told with what they ask for until then", async () => {
  const container = { name: "main", image: "x", resources: { requests: { cpu: "250m", "example.com/invented": "1" } } };
  const limits = { "example.com/invented": "1", memory: "64Mi" };
  const spec = {
    containers: [{ ...container, resources: { ...container.resources, limits } }],
    restartPolicy: "Never",
    automountServiceAccountToken: false,
    nodeName: "one",
  };
  const jobs = "/apis/batch/v1/namespaces/default/jobs";
  await ask({ method: "POST", path: jobs, body: { metadata: { name: "j" }, spec: { template: { spec } } } }, 201);
  const pods = "/api/v1/namespaces/default/pods";
  const pod = await eventually("its pod is there", async () => {
    const { items } = (await ask({ path: `${pods}?labelSelector=job-name%3Dj` }, 200)) as {
      items: { metadata: { name: string } }[];
    };
    return items[0]?.metadata.name;
  });
  const asked = `namespace="default",node="one",pod="${pod}",priority="0"`;
  assert.deepEqual(await family("kube_pod_resource_request", "/metrics/resources"), {
    [`{${asked},resource="cpu",scheduler="default-scheduler",unit="cores"}`]: 0.25,
    [`{${asked},resource="memory",scheduler="default-scheduler",unit="bytes"}`]: 64 * 1024 * 1024,
  });
  assert.deepEqual(Object.values(await family("kube_pod_resource_limit", "/metrics/resources")), [64 * 1024 * 1024]);
  const headers = { "content-type": "application/merge-patch+json" };
  await ask({ method: "PATCH", path: `${pods}/${pod}/status`, headers, body: { status: { phase: "Succeeded" } } }, 200);
  const prefix = "job_controller_";
  await eventually("the Job has ended", async () => {
    const finished = await family(`${prefix}jobs_finished_total`);
    return finished['{completion_mode="NonIndexed",reason="CompletionsReached",result="succeeded"}'] === 1;
  });
  await eventually("its pod is counted", async () => {
    const finished = await family(`${prefix}job_pods_finished_total`);
    return finished['{completion_mode="NonIndexed",result="succeeded"}'] === 1;
  });
  const tracked = await family(`${prefix}terminated_pods_tracking_finalizer_total`);
  assert.deepEqual(tracked, { '{event="add"}': 1, '{event="delete"}': 1 });
  const created = '{action="pods_created",completion_mode="NonIndexed",result="success"}';
  assert.equal((await family(`${prefix}job_syncs_total`))[created], 1);
  assert.equal((await family(`${prefix}job_sync_duration_seconds_count`))[created], 1);
  assert.deepEqual(await family("kube_pod_resource_request", "/metrics/resources"), {});
});
