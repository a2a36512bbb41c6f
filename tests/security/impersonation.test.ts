/** Who becomes somebody else: each part needs a right, and rights may be limited to names, and to actions. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startSecured, whoIs, type Answered, type SecuredServer } from "./cluster.ts";
import { eventually } from "../eventually.ts";

let secured: SecuredServer;

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

async function admin(method: string, path: string, body?: unknown): Promise<Answered> {
  return await secured.ask({ token: "root", method, path, ...(body !== undefined && { body }) });
}

/** Gives a user of the token file these rules, everywhere or in a namespace. */
async function allow(who: string, rules: readonly Rule[], namespace?: string): Promise<void> {
  const rbac = `/apis/rbac.authorization.k8s.io/v1${namespace === undefined ? "" : `/namespaces/${namespace}`}`;
  const [role, roles] = namespace === undefined ? ["ClusterRole", "clusterroles"] : ["Role", "roles"];
  const name = `test-${who}`;
  assert.equal((await admin("POST", `${rbac}/${roles}`, { metadata: { name }, rules })).status, 201);
  const binding = {
    metadata: { name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: role, name },
    subjects: [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name: who }],
  };
  const bindings = namespace === undefined ? "clusterrolebindings" : "rolebindings";
  assert.equal((await admin("POST", `${rbac}/${bindings}`, binding)).status, 201);
}

const tokens = ["helper", "limited", "controller", "deputy", "plugin", "jane"].map((name) => `${name},${name},,`);

before(async () => {
  secured = await startSecured({ "tokens.csv": ['root,root,,"system:masters"', ...tokens].join("\n") });
  await allow("helper", [
    { apiGroups: [""], resources: ["users", "groups", "serviceaccounts"], verbs: ["impersonate"] },
    { apiGroups: ["authentication.k8s.io"], resources: ["uids", "userextras/scopes"], verbs: ["impersonate"] },
  ]);
  await allow("limited", [
    { apiGroups: [""], resources: ["users"], resourceNames: ["jane"], verbs: ["impersonate"] },
    { apiGroups: [""], resources: ["groups"], resourceNames: ["developers"], verbs: ["impersonate"] },
  ]);
  const identity = "authentication.k8s.io";
  await allow("controller", [
    { apiGroups: [identity], resources: ["users"], resourceNames: ["jane"], verbs: ["impersonate:user-info"] },
  ]);
  const onPods = ["impersonate-on:user-info:list", "impersonate-on:user-info:get"];
  await allow("controller", [{ apiGroups: [""], resources: ["pods"], verbs: onPods }], "default");
  await allow("deputy", [
    {
      apiGroups: [identity],
      resources: ["serviceaccounts"],
      resourceNames: ["default"],
      verbs: ["impersonate:serviceaccount"],
    },
    { apiGroups: [""], resources: ["pods"], verbs: ["impersonate-on:serviceaccount:list"] },
  ]);
  await allow("plugin", [
    { apiGroups: [identity], resources: ["nodes"], resourceNames: ["n1"], verbs: ["impersonate:arbitrary-node"] },
    { apiGroups: [""], resources: ["pods"], verbs: ["impersonate-on:arbitrary-node:list"] },
  ]);
  await allow("jane", [{ apiGroups: [""], resources: ["pods", "configmaps"], verbs: ["list", "get", "delete"] }]);
  await allow("system:serviceaccount:default:default", [{ apiGroups: [""], resources: ["pods"], verbs: ["list"] }]);
  // The last of the roles is in force, and with it all before.
  const path = "/api/v1/namespaces/default/pods";
  const headers = { "impersonate-user": "system:serviceaccount:default:default" };
  await eventually(
    "the roles are in force",
    async () => (await secured.ask({ token: "helper", headers, path })).status === 200,
  );
});

after(() => secured.close());

test("with every right the caller becomes the other, with uid and extras", async () => {
  const headers = {
    "impersonate-user": "jane",
    "impersonate-group": "developers, admins",
    "impersonate-uid": "u-1",
    "impersonate-extra-scopes": "view",
  };
  assert.deepEqual(await whoIs(secured, { token: "helper", headers }), {
    username: "jane",
    uid: "u-1",
    groups: ["developers", "admins", "system:authenticated"],
    extra: { scopes: ["view"] },
  });
  assert.equal(await whoIs(secured, { token: "helper", headers: { ...headers, "impersonate-extra-other": "x" } }), 403);
});

const limits: readonly { readonly what: string; readonly headers: Record<string, string>; readonly may: boolean }[] = [
  { what: "the named user", headers: { "impersonate-user": "jane" }, may: true },
  {
    what: "the named user in the named group",
    headers: { "impersonate-user": "jane", "impersonate-group": "developers" },
    may: true,
  },
  { what: "another user", headers: { "impersonate-user": "root" }, may: false },
  { what: "another group", headers: { "impersonate-user": "jane", "impersonate-group": "system:masters" }, may: false },
  {
    what: "the named group and another",
    headers: { "impersonate-user": "jane", "impersonate-group": "developers, system:masters" },
    may: false,
  },
  { what: "a uid", headers: { "impersonate-user": "jane", "impersonate-uid": "u" }, may: false },
  { what: "an extra", headers: { "impersonate-user": "jane", "impersonate-extra-scopes": "x" }, may: false },
  { what: "a service account", headers: { "impersonate-user": "system:serviceaccount:default:default" }, may: false },
];
for (const { what, headers, may } of limits) {
  test(`a right that is limited to names ${may ? "covers" : "does not cover"} ${what}`, async () => {
    assert.equal(typeof (await whoIs(secured, { token: "limited", headers })) !== "number", may);
  });
}

const asJane = { "impersonate-user": "jane" };
const inDefault = "/api/v1/namespaces/default";
const constrained: readonly {
  readonly what: string;
  readonly token: string;
  readonly headers: Record<string, string>;
  readonly method?: string;
  readonly path: string;
  readonly status: number;
}[] = [
  { what: "the named action", token: "controller", headers: asJane, path: `${inDefault}/pods`, status: 200 },
  {
    what: "another verb",
    token: "controller",
    headers: asJane,
    method: "DELETE",
    path: `${inDefault}/pods/x`,
    status: 403,
  },
  {
    what: "another namespace",
    token: "controller",
    headers: asJane,
    path: "/api/v1/namespaces/kube-system/pods",
    status: 403,
  },
  { what: "another resource", token: "controller", headers: asJane, path: `${inDefault}/configmaps`, status: 403 },
  {
    what: "another user",
    token: "controller",
    headers: { "impersonate-user": "root" },
    path: `${inDefault}/pods`,
    status: 403,
  },
  {
    what: "a group besides",
    token: "controller",
    headers: { ...asJane, "impersonate-group": "system:masters" },
    path: `${inDefault}/pods`,
    status: 403,
  },
  {
    what: "a service account",
    token: "deputy",
    headers: { "impersonate-user": "system:serviceaccount:default:default" },
    path: `${inDefault}/pods`,
    status: 200,
  },
  {
    what: "another service account",
    token: "deputy",
    headers: { "impersonate-user": "system:serviceaccount:kube-system:default" },
    path: `${inDefault}/configmaps`,
    status: 403,
  },
  {
    what: "a service account with a group",
    token: "deputy",
    headers: { "impersonate-user": "system:serviceaccount:default:default", "impersonate-group": "system:masters" },
    path: `${inDefault}/pods`,
    status: 403,
  },
  {
    what: "a node's own pods",
    token: "plugin",
    headers: { "impersonate-user": "system:node:n1" },
    path: "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1",
    status: 200,
  },
  {
    what: "a node's reach beyond its pods",
    token: "plugin",
    headers: { "impersonate-user": "system:node:n1" },
    path: "/api/v1/pods",
    status: 403,
  },
  {
    what: "another node",
    token: "plugin",
    headers: { "impersonate-user": "system:node:n2" },
    path: "/api/v1/pods?fieldSelector=spec.nodeName%3Dn2",
    status: 403,
  },
  { what: "nothing without the identity", token: "jane", headers: asJane, path: `${inDefault}/pods`, status: 403 },
];
for (const { what, token, headers, method = "GET", path, status } of constrained) {
  test(`constrained impersonation: ${token}, ${what}: ${status}`, async () => {
    assert.equal((await secured.ask({ token, headers, method, path })).status, status);
  });
}

test("what the other may not do stays forbidden", async () => {
  const answer = await secured.ask({ token: "helper", headers: asJane, path: `${inDefault}/secrets` });
  assert.equal(answer.status, 403);
  assert.match(String(answer.body["message"]), /User "jane" cannot list resource "secrets"/);
});
