// What updates may change and what they may not, beyond pods.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cloneValue } from "#codec/record.ts";
import { checkUpdate, contextOf, created, errorsOf, kindOf } from "./created.ts";

type Change = (object: Record<string, any>) => void;

const template = "template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: a}]}}";
const deployment = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {selector: {matchLabels: {a: b}}, ${template}}}`;
const stateful =
  `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: d}, spec: {serviceName: s, selector: ` +
  `{matchLabels: {a: b}}, ${template}}}`;
const job =
  "{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {template: {spec: {restartPolicy: " +
  "Never, containers: [{name: a, image: a}]}}}}";
const service =
  "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9], ports: [{port: 80}]}}";
const claim =
  "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}, spec: {accessModes: " +
  "[ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}";
const claimMessage =
  "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
const frozen = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, immutable: true, data: {a: b}}";
const secret = "{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {a: eA==}}";
const role =
  "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: r}, roleRef: {kind: Role, name: a}}";
const stateMessage =
  "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', " +
  "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

const cases: readonly (readonly [
  title: string,
  manifest: string,
  change: Change,
  errors: readonly string[],
  subresource?: string,
])[] = [
  ["a Deployment scales", deployment, (o) => (o["spec"].replicas = 5), []],
  [
    "a Deployment keeps its selector",
    deployment,
    (o) => {
      o["spec"].selector = { matchLabels: { a: "c" } };
      o["spec"].template.metadata.labels = { a: "c" };
    },
    ['spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable'],
  ],
  [
    "counts of replicas make sense",
    deployment,
    (o) => (o["status"] = { replicas: 1, readyReplicas: 2, availableReplicas: -1 }),
    [
      "status.availableReplicas: Invalid value: -1: must be greater than or equal to 0",
      "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
    ],
    "status",
  ],
  ["a StatefulSet rolls", stateful, (o) => (o["spec"].template.spec.containers[0].image = "b"), []],
  ["a StatefulSet keeps its service", stateful, (o) => (o["spec"].serviceName = "other"), [stateMessage]],
  ["a Job is suspended", job, (o) => (o["spec"].suspend = true), []],
  [
    "a Job keeps its completions",
    job,
    (o) => (o["spec"].completions = 3),
    ["spec.completions: Invalid value: 3: field is immutable"],
  ],
  [
    "a Service keeps its address",
    service,
    (o) => (o["spec"].clusterIP = "10.96.0.10"),
    ['spec.clusterIPs[0]: Invalid value: ["10.96.0.10"]: may not change once set'],
  ],
  [
    "a Service may leave its address out",
    service,
    (o) => {
      delete o["spec"].clusterIP;
      delete o["spec"].clusterIPs;
    },
    [],
  ],
  ["a claim that is not bound stays", claim, (o) => (o["spec"].resources.requests.storage = "2Gi"), [claimMessage]],
  [
    "a frozen ConfigMap stays",
    frozen,
    (o) => (o["data"].a = "c"),
    ["data: Forbidden: field is immutable when `immutable` is set"],
  ],
  [
    "a frozen ConfigMap stays frozen",
    frozen,
    (o) => delete o["immutable"],
    ["immutable: Forbidden: field is immutable when `immutable` is set"],
  ],
  [
    "a Secret keeps its type",
    secret,
    (o) => (o["type"] = "kubernetes.io/basic-auth"),
    [
      "data[username]: Required value",
      "data[password]: Required value",
      'type: Invalid value: "kubernetes.io/basic-auth": field is immutable',
    ],
  ],
  [
    "a binding keeps its role",
    role,
    (o) => (o["roleRef"].name = "b"),
    [
      'roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"b"}: cannot change roleRef',
    ],
  ],
  [
    "a name stays",
    secret,
    (o) => (o["metadata"].name = "t"),
    ['metadata.name: Invalid value: "t": field is immutable'],
  ],
];

for (const [title, manifest, change, errors, subresource] of cases) {
  test(title, () => checkUpdate(manifest, change, errors, subresource));
}

test("status and spec are written apart", () => {
  const old = created(deployment);
  const rules = kindOf(old).rules;
  const asked = cloneValue(old) as Record<string, any>;
  asked["status"] = { replicas: 7 };
  asked["spec"].replicas = 7;
  const main = cloneValue(asked) as typeof old;
  rules.prepareUpdate?.(main, old, contextOf());
  assert.deepEqual(
    [(main["spec"] as { replicas?: number }).replicas, (main["status"] as { replicas?: number }).replicas],
    [7, undefined],
  );
  const status = cloneValue(asked) as typeof old;
  rules.prepareUpdate?.(status, old, contextOf("status"));
  assert.deepEqual(
    [(status["spec"] as { replicas?: number }).replicas, (status["status"] as { replicas?: number }).replicas],
    [1, 7],
  );
});

test("changed annotations of a Deployment count as a generation", () => {
  const old = created(deployment);
  old.metadata.generation = 3;
  const changed = cloneValue(old);
  changed.metadata.annotations = { a: "b" };
  kindOf(old).rules.prepareUpdate?.(changed, old, contextOf());
  assert.equal(changed.metadata.generation, 4);
});

test("a ConfigMap may hold a mebibyte and no more", () => {
  const map = created("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}");
  map["data"] = { big: "x".repeat(1024 * 1024) };
  assert.deepEqual(errorsOf(map), []);
  map["data"] = { big: `${"x".repeat(1024 * 1024 - 1)}é` };
  assert.deepEqual(errorsOf(map), ["Too long: may not be more than 1048576 bytes"]);
});

test("annotations together are bounded", () => {
  const map = created("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}");
  map.metadata.annotations = { big: "x".repeat(256 * 1024) };
  assert.deepEqual(errorsOf(map), ["metadata.annotations: Too long: may not be more than 262144 bytes"]);
});

test("finalizers: qualified, none added while the object goes", () => {
  const map = created("{apiVersion: v1, kind: ConfigMap, metadata: {name: c, finalizers: [mine]}}");
  assert.deepEqual(errorsOf(map), [
    'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
  ]);
  const old = created("{apiVersion: v1, kind: ConfigMap, metadata: {name: c, finalizers: [a.b/c]}}");
  old.metadata.deletionTimestamp = "2026-07-01T11:30:00Z";
  const more = cloneValue(old);
  more.metadata.finalizers = ["a.b/c", "a.b/d"];
  assert.deepEqual(errorsOf(more, old), [
    'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a.b/d"}',
  ]);
});

test("the server says who asks for a certificate", () => {
  const request = created(
    "{apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest, metadata: {name: r}, " +
      "spec: {request: eA==, signerName: a.b/c, username: admin, groups: ['system:masters']}}",
  ) as Record<string, any>;
  assert.deepEqual([request["spec"].username, request["spec"].uid, request["spec"].groups], ["jane", "u1", ["dev"]]);
});

test("a Secret's texts become data", () => {
  const stored = created("{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: 'é'}}") as Record<
    string,
    any
  >;
  assert.deepEqual([stored["data"].a, stored["stringData"], stored["type"]], ["w6k=", undefined, "Opaque"]);
});

test("a Job's pods are found by the labels the server gives", () => {
  const stored = created(job) as Record<string, any>;
  const uid = "11111111-2222-3333-4444-555555555555";
  assert.deepEqual(
    { ...stored["spec"].template.metadata.labels },
    {
      "job-name": "j",
      "batch.kubernetes.io/job-name": "j",
      "controller-uid": uid,
      "batch.kubernetes.io/controller-uid": uid,
    },
  );
  assert.deepEqual({ ...stored["spec"].selector.matchLabels }, { "batch.kubernetes.io/controller-uid": uid });
});
