// A user's day with custom resources: the unmodified kubectl against a cluster that was started with ./steer up.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { startSimulatedCluster, type Output } from "../cluster/harness.ts";
import { monitoringDefinitions } from "./prometheus.ts";
import { eventually } from "../eventually.ts";

const cluster = startSimulatedCluster(1);
after(() => cluster.remove());

const manifests = join(import.meta.dirname, "manifests");

function apply(object: unknown, ...more: string[]): Output {
  return cluster.tryKubectl(["apply", "-f", "-", ...more], { input: JSON.stringify(object) });
}

function refused(object: unknown, message: RegExp, ...more: string[]): void {
  const { code, stderr } = apply(object, ...more);
  assert.notEqual(code, 0);
  assert.match(stderr, message);
}

function accepted(object: unknown, ...more: string[]): void {
  const { code, stdout, stderr } = apply(object, ...more);
  assert.equal(code, 0, stdout + stderr);
}

interface Database {
  readonly spec: Record<string, unknown>;
}

function database(spec: Record<string, unknown>, name = "main"): object {
  return {
    apiVersion: "db.example.com/v1",
    kind: "Database",
    metadata: { name },
    spec: { engine: "postgres", version: "16.1.0", storage: "1Gi", users: [{ name: "root", admin: true }], ...spec },
  };
}

function stored(): Database {
  return JSON.parse(cluster.kubectl("get", "database", "main", "-o", "json")) as Database;
}

test("a definition with many mistakes tells them all", () => {
  const { code, stderr } = cluster.tryKubectl(["apply", "-f", join(manifests, "bad.yaml")]);
  assert.notEqual(code, 0);
  for (const wanted of [
    /properties\[untyped\]\.type: Required value: must not be empty for specified object fields/,
    /properties\[list\]\.items: Required value: must be specified/,
    /properties\[pattern\]\.pattern: Invalid value: "\(": must be a valid regular expression/,
    /properties\[default\]\.default: Invalid value/,
    /x-kubernetes-list-map-keys: Required value/,
    /costly\].*estimated rule cost exceeds budget by factor of more than 100x/,
    /compilation failed: ERROR: <input>:1:5: undefined field 'missing'/,
    /cel expression must evaluate to a bool/,
  ]) {
    assert.match(stderr, wanted);
  }
});

test("definitions are established and their kinds served", async () => {
  for (const file of ["database.yaml", "certificates.yaml"]) cluster.kubectl("apply", "-f", join(manifests, file));
  accepted({ apiVersion: "v1", kind: "List", items: monitoringDefinitions }, "--server-side");
  cluster.kubectl("wait", "--for=condition=Established", "--timeout=150s", "crd", "--all");
  await eventually("the kinds are in discovery", () =>
    /databases +dbs +db.example.com\/v1 +true +Database/.test(cluster.kubectl("api-resources")),
  );
});

test("objects are defaulted, columns and short names work", () => {
  accepted(database({ port: "5432", settings: { anything: { goes: [1, "x"] } } }));
  const { spec } = stored();
  assert.equal(spec["replicas"], 1);
  assert.deepEqual(spec["users"], [{ name: "root", admin: true }]);
  assert.deepEqual(spec["settings"], { anything: { goes: [1, "x"] } });
  assert.match(cluster.kubectl("get", "dbs"), /^NAME +ENGINE +REPLICAS +READY +AGE\nmain +postgres +1 /);
  assert.match(cluster.kubectl("get", "all"), /database.db.example.com\/main/);
  assert.match(cluster.kubectl("get", "dbs", "--field-selector", "spec.engine=postgres", "-o", "name"), /main/);
  assert.equal(cluster.kubectl("get", "dbs", "--field-selector", "spec.engine=mysql", "-o", "name"), "");
});

test("rules refuse what is wrong, each in its own words", () => {
  refused(
    database({ replicas: 4 }),
    /spec.replicas: Invalid value: "object": replicas must be odd to find a majority, not 4/,
  );
  refused(database({ engine: "mysql" }), /spec.engine: Invalid value: "string": the engine cannot be changed/);
  refused(database({ version: "15.0.0" }), /spec: Forbidden: a database cannot go back to an older version/);
  refused(database({ version: "sixteen" }), /must be a version like 1.2.3/);
  refused(database({ storage: "500Mi" }), /spec.storage: Invalid value: "string": cannot shrink/);
  refused(database({ storage: "1Mi" }, "small"), /must be more than 100Mi/);
  refused(database({ users: [] }), /exactly one user must be the administrator/);
  refused(
    database({ allowedNetworks: ["10.0.0.0/8", "all"] }),
    /spec.allowedNetworks\[1\]: Invalid value: "string": must be a network/,
  );
  refused(
    database({ allowedNetworks: ["10.0.0.0/8", "10.0.0.0/8"] }),
    /spec.allowedNetworks\[1\]: Duplicate value: "10.0.0.0\/8"/,
  );
  refused(
    database({ engine: "oracle" }, "other"),
    /spec.engine: Unsupported value: "oracle": supported values: "mysql", "postgres"/,
  );
  refused(database({}, "a-name-that-is-much-longer-than-it-may-be"), /names have at most 30 characters/);
  refused(database({ template: { kind: "Pod" } }), /spec.template.apiVersion: Required value: must not be empty/);
  refused(database({ unknown: 1 }), /unknown field "spec.unknown"/);
});

test("patches are judged like everything else", () => {
  const patch = (spec: object): Output =>
    cluster.tryKubectl(["patch", "database", "main", "--type=merge", "-p", JSON.stringify({ spec })]);
  assert.equal(patch({ replicas: 3 }).code, 0);
  assert.match(patch({ replicas: 2 }).stderr, /must be odd/);
  cluster.kubectl("scale", "database", "main", "--replicas=5");
  assert.equal(stored().spec["replicas"], 5);
  cluster.kubectl(
    "patch",
    "database",
    "main",
    "--subresource=status",
    "--type=merge",
    "-p",
    '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}',
  );
  assert.match(cluster.kubectl("get", "dbs"), /main +postgres +5 +True/);
});

test("two appliers own the elements of a list that is a map", () => {
  const user = (name: string): object => ({
    apiVersion: "db.example.com/v1",
    kind: "Database",
    metadata: { name: "main" },
    spec: { users: [{ name, limits: { connections: 5 } }] },
  });
  accepted(user("reader"), "--server-side", "--field-manager=one", "--validate=false");
  accepted(user("writer"), "--server-side", "--field-manager=two", "--validate=false");
  const users = stored().spec["users"] as { name: string }[];
  assert.deepEqual(
    users.map(({ name }) => name),
    ["root", "reader", "writer"],
  );
  const conflict = { ...user("reader"), spec: { users: [{ name: "reader", limits: { connections: 9 } }] } };
  refused(conflict, /conflict with "one"/, "--server-side", "--field-manager=two", "--validate=false");
});

test("explain knows custom kinds", async () => {
  await eventually(
    "the document holds the kind",
    () => cluster.tryKubectl(["explain", "database.spec.users"]).code === 0,
  );
  const text = cluster.kubectl("explain", "database.spec");
  assert.match(text, /What is wanted of the database/);
  assert.match(text, /engine\s+<string> -required-/);
  assert.match(cluster.kubectl("explain", "monitors.spec.remoteWrite.setting7.field3"), /What field 3 means/);
  assert.match(cluster.kubectl("explain", "monitors", "--recursive"), /podAntiAffinity\s+<Object>/);
});

test("an old version warns and shows the same object", () => {
  const cert = (version: string): object => ({
    apiVersion: `pki.example.com/${version}`,
    kind: "Cert",
    metadata: { name: "web" },
    spec: { secretName: "web-tls", issuerRef: { name: "ours" }, dnsNames: ["a.example.com", "b.example.com"] },
  });
  accepted(cert("v1"));
  const old = cluster.tryKubectl([
    "get",
    "certs.v1alpha1.pki.example.com",
    "web",
    "-o",
    "jsonpath={.apiVersion} {.spec.privateKey.algorithm} {.spec.issuerRef.kind}",
  ]);
  assert.equal(old.stdout, "pki.example.com/v1alpha1 ECDSA Issuer");
  assert.match(old.stderr, /Warning: pki.example.com\/v1alpha1 Cert is old, use v1/);
  assert.match(cluster.kubectl("get", "certs", "-o", "wide"), /web +web-tls +a.example.com *\n/);
  refused(
    {
      apiVersion: "pki.example.com/v1",
      kind: "ClusterIssuer",
      metadata: { name: "both" },
      spec: { selfSigned: {}, ca: { secretName: "x" } },
    },
    /must validate one and only one schema \(oneOf\)/,
  );
});

test("big definitions serve big objects", () => {
  const containers = Array.from({ length: 20 }, (_, i) => ({
    name: `c${i}`,
    image: "x",
    resources: { limits: { cpu: 1, memory: "1Gi" } },
  }));
  const monitor = (replicas: number): object => ({
    apiVersion: "monitoring.example.com/v1",
    kind: "Monitor",
    metadata: { name: "m" },
    spec: { replicas, containers },
  });
  accepted(monitor(2));
  refused(monitor(100), /that many would fall over/);
  assert.equal(cluster.kubectl("get", "monitor", "m", "-o", "jsonpath={.spec.retention}"), "24h");
});

test("a policy judges custom kinds as others, with parameters of a custom kind", () => {
  const group = "admissionregistration.k8s.io/v1";
  const rule = {
    apiGroups: ["monitoring.example.com"],
    apiVersions: ["v1"],
    operations: ["CREATE", "UPDATE"],
    resources: ["alertings"],
  };
  accepted({
    apiVersion: group,
    kind: "ValidatingAdmissionPolicy",
    metadata: { name: "few" },
    spec: {
      matchConstraints: { resourceRules: [rule] },
      paramKind: { apiVersion: "monitoring.example.com/v1", kind: "Monitor" },
      validations: [
        { expression: "object.spec.replicas <= params.spec.replicas", message: "more than the monitor has" },
      ],
    },
  });
  accepted({
    apiVersion: group,
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name: "few" },
    spec: {
      policyName: "few",
      validationActions: ["Deny"],
      paramRef: { name: "m", namespace: "default", parameterNotFoundAction: "Deny" },
    },
  });
  const alerting = (replicas: number): object => ({
    apiVersion: "monitoring.example.com/v1",
    kind: "Alerting",
    metadata: { name: "a" },
    spec: { replicas },
  });
  refused(alerting(3), /ValidatingAdmissionPolicy 'few' with binding 'few' denied request: more than the monitor has/);
  accepted(alerting(2));
  cluster.kubectl("delete", "validatingadmissionpolicybinding", "few");
  accepted(alerting(3));
});

test("dependents go with their owner; namespaces and definitions take their objects along", async () => {
  const uid = cluster.kubectl("get", "database", "main", "-o", "jsonpath={.metadata.uid}");
  const ownerReferences = [{ apiVersion: "db.example.com/v1", kind: "Database", name: "main", uid }];
  accepted({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "owned", ownerReferences } });
  cluster.kubectl("delete", "database", "main");
  await eventually("the dependent is gone", () => cluster.tryKubectl(["get", "configmap", "owned"]).code !== 0);
  cluster.kubectl("create", "namespace", "away");
  accepted({ ...database({}, "inside"), metadata: { name: "inside", namespace: "away" } });
  cluster.kubectl("delete", "namespace", "away", "--timeout=150s");
  cluster.kubectl("delete", "crd", "databases.db.example.com", "--timeout=150s");
  assert.match(
    cluster.tryKubectl(["get", "databases"]).stderr,
    /doesn't have a resource type "databases"|could not find the requested resource/,
  );
});
