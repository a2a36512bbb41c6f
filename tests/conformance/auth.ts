import assert from "node:assert/strict";
import { arrayAt, pick, unique, type Conformance, type Json, type Scene } from "./cluster.ts";
import { pod } from "./workloads.ts";
import { eventually } from "../eventually.ts";

/** A signing request for the user `test`, made with OpenSSL: its key is of no use to anybody. */
function signingRequest({ cluster }: Scene): string {
  const { code, stdout, stderr } = cluster.run("openssl", [
    ...["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null"],
    ...["-subj", "/CN=test-user/O=test-group"],
  ]);
  assert.equal(code, 0, stderr);
  return Buffer.from(stdout).toString("base64");
}

async function certificates(scene: Scene): Promise<void> {
  const { api, cleanUp } = scene;
  const collection = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
  const label = `csr-${unique()}`;
  const selected = `${collection}?labelSelector=${label}%3Dtrue`;
  const request = signingRequest(scene);
  const make = (): Json => ({
    metadata: { generateName: "conformance-csr-", labels: { [label]: "true" } },
    spec: { request, signerName: "example.com/e2e", usages: ["digital signature", "key encipherment", "client auth"] },
  });
  const resources = arrayAt(await api.get("/apis/certificates.k8s.io/v1"), "resources").map(({ name }) => name);
  for (const name of [
    "certificatesigningrequests",
    "certificatesigningrequests/approval",
    "certificatesigningrequests/status",
  ])
    assert.ok(resources.includes(name));
  const made = await api.create(collection, make());
  cleanUp(() => api.request("DELETE", selected));
  await api.create(collection, make());
  const path = `${collection}/${String(pick(made, "metadata.name"))}`;
  assert.equal(pick(await api.get(path), "spec.username"), "kubernetes-admin");
  const listed = await api.get(selected);
  assert.equal(arrayAt(listed).length, 2);
  const watch = await api.watch(`${selected}&resourceVersion=${String(pick(listed, "metadata.resourceVersion"))}`);
  cleanUp(() => watch.close());
  await api.patch(path, { metadata: { annotations: { patched: "true" } } });
  await watch.next("the patch", ({ object }) => pick(object, "metadata.annotations.patched") === "true");
  const approval = { type: "ApprovalUpdated", status: "True", reason: "E2E", message: "set by a test" };
  const current = await api.get(`${path}/approval`);
  const approved = await api.expect("PUT", `${path}/approval`, { ...current, status: { conditions: [approval] } });
  assert.equal(pick(approved, "status.conditions.0.type"), "ApprovalUpdated");
  const patchedApproval = await api.patch(`${path}/approval`, {
    metadata: { annotations: { patchedapproval: "true" } },
    status: { conditions: [approval, { ...approval, type: "ApprovalPatched" }] },
  });
  assert.equal(pick(patchedApproval, "metadata.annotations.patchedapproval"), "true");
  const atStatus = await api.get(`${path}/status`);
  const conditions = [...arrayAt(atStatus, "status.conditions"), { ...approval, type: "StatusUpdated" }];
  await api.expect("PUT", `${path}/status`, { ...atStatus, status: { ...(atStatus.status as Json), conditions } });
  const patchedStatus = await api.patch(`${path}/status`, {
    status: { certificate: Buffer.from(certificateOf(scene)).toString("base64") },
  });
  assert.ok(arrayAt(patchedStatus, "status.conditions").some(({ type }) => type === "StatusUpdated"));
  await api.expect("DELETE", path);
  await watch.next("the deletion", ({ type }) => type === "DELETED");
  await api.expect("DELETE", selected);
  assert.equal(arrayAt(await api.get(selected)).length, 0);
}

function certificateOf({ api }: Scene): string {
  return api.ca;
}

async function defaultAccount({ api }: Scene, core: Scene["core"]): Promise<void> {
  await eventually(
    "the default service account",
    async () => (await api.request("GET", core("serviceaccounts", "default"))).status === 200,
  );
}

async function optOutOfTokens(scene: Scene): Promise<void> {
  const { api, core } = scene;
  await defaultAccount(scene, core);
  await api.create(core("serviceaccounts"), { metadata: { name: "mount" }, automountServiceAccountToken: true });
  await api.create(core("serviceaccounts"), { metadata: { name: "nomount" }, automountServiceAccountToken: false });
  for (const account of ["default", "mount", "nomount"]) {
    for (const wish of [undefined, true, false]) {
      const spec = { serviceAccountName: account, ...(wish !== undefined && { automountServiceAccountToken: wish }) };
      const made = await api.create(core("pods"), pod(`${account}-${String(wish ?? "unset")}`, spec));
      const mounts = arrayAt(arrayAt(made, "spec.containers")[0], "volumeMounts");
      const hasToken = mounts.some(({ mountPath }) => mountPath === "/var/run/secrets/kubernetes.io/serviceaccount");
      assert.equal(hasToken, wish ?? account !== "nomount", `${account}, the pod says ${String(wish)}`);
    }
  }
}

async function tokenReview(scene: Scene): Promise<void> {
  const { api, core, namespace } = scene;
  const account = await api.create(core("serviceaccounts"), { metadata: { name: "reviewed" } });
  const request = await api.create(`${core("serviceaccounts", "reviewed")}/token`, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: {},
  });
  const token = pick(request, "status.token");
  const review = await api.create("/apis/authentication.k8s.io/v1/tokenreviews", {
    kind: "TokenReview",
    apiVersion: "authentication.k8s.io/v1",
    spec: { token },
  });
  assert.equal(pick(review, "status.authenticated"), true);
  assert.equal(pick(review, "status.error"), undefined);
  assert.equal(pick(review, "status.user.username"), `system:serviceaccount:${namespace}:reviewed`);
  assert.equal(pick(review, "status.user.uid"), pick(account, "metadata.uid"));
  assert.deepEqual(pick(review, "status.user.groups"), [
    "system:serviceaccounts",
    `system:serviceaccounts:${namespace}`,
    "system:authenticated",
  ]);
}

async function rootCertificate({ api, core }: Scene): Promise<void> {
  const path = core("configmaps", "kube-root-ca.crt");
  const first = await eventually("kube-root-ca.crt", async () => {
    const answer = await api.request("GET", path);
    return answer.status === 200 && answer.body;
  });
  await api.expect("DELETE", path);
  const again = await eventually("it to be made again", async () => {
    const answer = await api.request("GET", path);
    return answer.status === 200 && pick(answer.body, "metadata.uid") !== pick(first, "metadata.uid") && answer.body;
  });
  assert.deepEqual(again.data, first.data);
  await api.expect("PUT", path, { ...again, data: { "ca.crt": "" } });
  await eventually(
    "it to be put right",
    async () => JSON.stringify((await api.get(path)).data) === JSON.stringify(first.data),
  );
}

async function projectedToken(scene: Scene): Promise<void> {
  const { api, core, namespace } = scene;
  await defaultAccount(scene, core);
  const sources = [{ serviceAccountToken: { path: "token", audience: "somewhere", expirationSeconds: 3600 } }];
  const made = await api.create(
    core("pods"),
    pod("projected", { volumes: [{ name: "token", projected: { sources } }], securityContext: { fsGroup: 10_001 } }),
  );
  const volume = arrayAt(made, "spec.volumes").find(({ name }) => name === "token");
  assert.equal(pick(volume, "projected.defaultMode"), 0o644);
  const bound = { kind: "Pod", apiVersion: "v1", name: "projected", uid: pick(made, "metadata.uid") };
  const request = await api.create(`${core("serviceaccounts", "default")}/token`, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { audiences: ["somewhere"], expirationSeconds: 3600, boundObjectRef: bound },
  });
  const reviews = "/apis/authentication.k8s.io/v1/tokenreviews";
  const ask = async (): Promise<Json> =>
    await api.create(reviews, { spec: { token: pick(request, "status.token"), audiences: ["somewhere"] } });
  const good = await ask();
  assert.equal(pick(good, "status.authenticated"), true);
  assert.deepEqual(pick(good, "status.audiences"), ["somewhere"]);
  assert.equal(pick(good, "status.user.username"), `system:serviceaccount:${namespace}:default`);
  await api.expect("DELETE", core("pods", "projected"), { gracePeriodSeconds: 0 });
  await eventually("the token to die with its pod", async () => pick(await ask(), "status.authenticated") !== true);
}

async function accountLife({ api, core }: Scene): Promise<void> {
  const label = `account-${unique()}`;
  const selector = `labelSelector=${label}%3Dtrue`;
  const watch = await api.watch(`/api/v1/serviceaccounts?${selector}`);
  await api.create(core("serviceaccounts"), { metadata: { name: "life", labels: { [label]: "true" } } });
  await watch.next("its creation", ({ type }) => type === "ADDED");
  await api.patch(
    core("serviceaccounts", "life"),
    { automountServiceAccountToken: false, imagePullSecrets: [{ name: "pull" }] },
    "strategic-merge",
  );
  const modified = await watch.next("its patch", ({ type }) => type === "MODIFIED");
  assert.equal(pick(modified.object, "automountServiceAccountToken"), false);
  const listed = arrayAt(await api.get(`/api/v1/serviceaccounts?${selector}`));
  assert.deepEqual(
    listed.map((account) => pick(account, "imagePullSecrets.0.name")),
    ["pull"],
  );
  await api.expect("DELETE", `${core("serviceaccounts")}?${selector}`);
  await watch.next("its deletion", ({ type }) => type === "DELETED");
  watch.close();
}

async function accountUpdate({ api, core }: Scene): Promise<void> {
  const made = await api.create(core("serviceaccounts"), {
    metadata: { name: "updated" },
    automountServiceAccountToken: false,
  });
  await api.expect("PUT", core("serviceaccounts", "updated"), { ...made, automountServiceAccountToken: true });
  assert.equal((await api.get(core("serviceaccounts", "updated"))).automountServiceAccountToken, true);
}

async function subjectReview({ api, core, at, namespace }: Scene): Promise<void> {
  await api.create(core("serviceaccounts"), { metadata: { name: "subject" } });
  const user = `system:serviceaccount:${namespace}:subject`;
  const groups = ["system:authenticated", "system:serviceaccounts", `system:serviceaccounts:${namespace}`];
  const resourceAttributes = { verb: "list", resource: "configmaps", namespace, version: "v1" };
  const rbac = "rbac.authorization.k8s.io/v1";
  const check = async (expected: boolean): Promise<void> => {
    const spec = { user, groups, resourceAttributes };
    const everywhere = await api.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", { spec });
    assert.equal(pick(everywhere, "status.allowed"), expected);
    const local = await api.create(at("authorization.k8s.io/v1", "localsubjectaccessreviews"), {
      metadata: { namespace },
      spec,
    });
    assert.equal(pick(local, "status.allowed"), expected);
    const impersonated = await api.request("GET", core("configmaps"), undefined, {
      headers: { "impersonate-user": user, "impersonate-group": "system:authenticated" },
    });
    assert.equal(impersonated.status, expected ? 200 : 403);
  };
  await check(false);
  await api.create(at(rbac, "roles"), {
    metadata: { name: "lists" },
    rules: [{ apiGroups: [""], resources: ["configmaps"], verbs: ["list"] }],
  });
  await api.create(at(rbac, "rolebindings"), {
    metadata: { name: "lists" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "lists" },
    subjects: [{ kind: "ServiceAccount", name: "subject", namespace }],
  });
  await check(true);
}

export const auth: Readonly<Record<string, Conformance>> = {
  "Certificates API [Privileged:ClusterAdmin] should support CSR API operations": certificates,
  "ServiceAccounts should allow opting out of API token automount": optOutOfTokens,
  "ServiceAccounts should create a serviceAccountToken and ensure a successful TokenReview": tokenReview,
  "ServiceAccounts should guarantee kube-root-ca.crt exist in any namespace": rootCertificate,
  "ServiceAccounts should mount projected service account token": projectedToken,
  "ServiceAccounts should run through the lifecycle of a ServiceAccount": accountLife,
  "ServiceAccounts should update a ServiceAccount": accountUpdate,
  "SubjectReview should support SubjectReview API operations": subjectReview,
};
