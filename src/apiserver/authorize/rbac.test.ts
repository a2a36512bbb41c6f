import assert from "node:assert/strict";
import { test } from "node:test";
import type { PolicyRule, Subject } from "#api/generated/rbac-v1.ts";
import { clusterrolebindings, clusterroles, rolebindings, roles } from "#api/generated/resources.ts";
import type { Attributes } from "../authorizer.ts";
import type { User } from "../user.ts";
import { uncoveredRules } from "./cover.ts";
import { createRbac } from "./rbac.ts";
import { StoredInTests } from "./stored-in-tests.ts";
import { unionAuthorizer } from "./union.ts";

const group = "rbac.authorization.k8s.io";
const jane: User = { name: "jane", uid: "", groups: ["dev"], extra: {} };

function cluster(
  rules: PolicyRule[],
  subject: Subject = { kind: "User", apiGroup: group, name: "jane" },
): { objects: StoredInTests; rbac: ReturnType<typeof createRbac> } {
  const objects = new StoredInTests();
  objects.put(clusterroles, { metadata: { name: "r" }, rules });
  objects.put(clusterrolebindings, {
    metadata: { name: "b" },
    subjects: [subject],
    roleRef: { apiGroup: group, kind: "ClusterRole", name: "r" },
  });
  return { objects, rbac: createRbac({ objects }) };
}

function wants(changes: Partial<Attributes>): Attributes {
  const nothing = { group: "", version: "v1", resource: "", subresource: "", namespace: "", name: "", path: "" };
  return { user: jane, verb: "get", isResource: changes.path === undefined, ...nothing, ...changes };
}

const pods = { verbs: ["get"], apiGroups: [""], resources: ["pods"] };
const cases: readonly [string, PolicyRule, Partial<Attributes>, boolean][] = [
  ["the resource that the rule names", pods, { resource: "pods", namespace: "a", name: "x" }, true],
  ["another verb", pods, { resource: "pods", verb: "list" }, false],
  ["another resource", pods, { resource: "secrets" }, false],
  ["another group", pods, { resource: "pods", group: "apps" }, false],
  ["a subresource of the resource", pods, { resource: "pods", subresource: "exec" }, false],
  [
    "the subresource that the rule names",
    { ...pods, resources: ["pods/log"] },
    { resource: "pods", subresource: "log" },
    true,
  ],
  ["that subresource's resource", { ...pods, resources: ["pods/log"] }, { resource: "pods" }, false],
  [
    "a subresource of any resource",
    { ...pods, resources: ["*/scale"] },
    { resource: "anything", subresource: "scale" },
    true,
  ],
  ["any resource by a subresource rule", { ...pods, resources: ["*/scale"] }, { resource: "scale" }, false],
  ["all resources", { ...pods, resources: ["*"] }, { resource: "pods", subresource: "exec" }, true],
  ["all verbs", { ...pods, verbs: ["*"] }, { resource: "pods", verb: "impersonate" }, true],
  ["all groups", { ...pods, apiGroups: ["*"] }, { resource: "pods", group: "x.y" }, true],
  ["the name of the rule", { ...pods, resourceNames: ["x"] }, { resource: "pods", name: "x" }, true],
  ["another name", { ...pods, resourceNames: ["x"] }, { resource: "pods", name: "y" }, false],
  ["no name, by a rule with names", { ...pods, resourceNames: ["x"] }, { resource: "pods" }, false],
  [
    "a create, by a rule with names",
    { ...pods, verbs: ["create"], resourceNames: ["x"] },
    { resource: "pods", verb: "create" },
    false,
  ],
  [
    "deleting all, by a rule with names",
    { ...pods, verbs: ["deletecollection"], resourceNames: ["x"] },
    { resource: "pods", verb: "deletecollection" },
    false,
  ],
  ["a star that is a name", { ...pods, resourceNames: ["*"] }, { resource: "pods", name: "x" }, false],
  ["the path of the rule", { verbs: ["get"], nonResourceURLs: ["/metrics"] }, { path: "/metrics" }, true],
  ["a path below it", { verbs: ["get"], nonResourceURLs: ["/metrics"] }, { path: "/metrics/x" }, false],
  ["a path below a prefix", { verbs: ["get"], nonResourceURLs: ["/api/*"] }, { path: "/api/v1" }, true],
  ["the prefix itself", { verbs: ["get"], nonResourceURLs: ["/api/*"] }, { path: "/api" }, false],
  [
    "a path, by a rule about resources",
    { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
    { path: "/metrics" },
    false,
  ],
  ["a resource, by a rule about paths", { verbs: ["*"], nonResourceURLs: ["*"] }, { resource: "pods" }, false],
];
for (const [name, rule, wanted, allowed] of cases) {
  test(`${allowed ? "allows" : "does not allow"} ${name}`, () => {
    assert.equal(cluster([rule]).rbac.authorize(wants(wanted)).allowed, allowed);
  });
}

const subjects: readonly [string, Subject, User, boolean][] = [
  ["a user", { kind: "User", name: "jane" }, jane, true],
  ["another user", { kind: "User", name: "joe" }, jane, false],
  ["a group", { kind: "Group", name: "dev" }, jane, true],
  ["a group named like the user", { kind: "Group", name: "jane" }, jane, false],
  [
    "a service account",
    { kind: "ServiceAccount", name: "s", namespace: "n" },
    { ...jane, name: "system:serviceaccount:n:s" },
    true,
  ],
  [
    "a service account of another namespace",
    { kind: "ServiceAccount", name: "s", namespace: "m" },
    { ...jane, name: "system:serviceaccount:n:s" },
    false,
  ],
  [
    "a service account without namespace",
    { kind: "ServiceAccount", name: "s" },
    { ...jane, name: "system:serviceaccount::s" },
    false,
  ],
];
for (const [name, subject, user, allowed] of subjects) {
  test(`a binding ${allowed ? "reaches" : "does not reach"} ${name}`, () => {
    assert.equal(cluster([pods], subject).rbac.authorize(wants({ user, resource: "pods" })).allowed, allowed);
  });
}

test("a role binding gives its role in its namespace only, and says so", () => {
  const { objects, rbac } = cluster([]);
  objects.put(roles, {
    metadata: { name: "local", namespace: "a" },
    rules: [pods, { verbs: ["get"], nonResourceURLs: ["/x"] }],
  });
  objects.put(rolebindings, {
    metadata: { name: "lb", namespace: "a" },
    subjects: [{ kind: "User", name: "jane" }],
    roleRef: { apiGroup: group, kind: "Role", name: "local" },
  });
  const decision = rbac.authorize(wants({ resource: "pods", namespace: "a" }));
  assert.deepEqual(decision, {
    allowed: true,
    reason: 'RBAC: allowed by RoleBinding "lb/a" of Role "local" to User "jane"',
  });
  assert.ok(!rbac.authorize(wants({ resource: "pods", namespace: "b" })).allowed);
  assert.ok(!rbac.authorize(wants({ resource: "pods" })).allowed);
  assert.ok(!rbac.authorize(wants({ path: "/x" })).allowed);
});

test("what was found for a resource holds for all its objects and for no other question", () => {
  const { rbac } = cluster([{ verbs: ["get"], apiGroups: ["a b"], resources: ["c"] }]);
  for (const name of ["x", "y", "x"]) {
    assert.equal(rbac.authorize(wants({ group: "a b", resource: "c", name })).allowed, true, name);
  }
  // A review may ask with any text: these differ although they read the same.
  assert.equal(rbac.authorize(wants({ group: "a", resource: "b c", name: "x" })).allowed, false);
  assert.equal(rbac.authorize(wants({ group: "a b", resource: "c", name: "x" })).allowed, true);
});

test("where rules name objects, each is asked for by itself", () => {
  const { rbac } = cluster([{ ...pods, resourceNames: ["x"] }]);
  const answers = ["x", "y", "x"].map((name) => rbac.authorize(wants({ resource: "pods", name })).allowed);
  assert.deepEqual(answers, [true, false, true]);
});

test("what changes counts with the next request", () => {
  const { objects, rbac } = cluster([]);
  const wanted = wants({ resource: "pods" });
  assert.ok(!rbac.authorize(wanted).allowed);
  objects.put(clusterroles, { metadata: { name: "r" }, rules: [pods] });
  assert.ok(rbac.authorize(wanted).allowed);
  objects.remove(clusterrolebindings, undefined, "b");
  assert.ok(!rbac.authorize(wanted).allowed);
});

test("a binding of a role that does not exist gives nothing and breaks nothing", () => {
  const { objects, rbac } = cluster([pods]);
  objects.put(clusterrolebindings, {
    metadata: { name: "gone" },
    subjects: [{ kind: "User", name: "jane" }],
    roleRef: { apiGroup: group, kind: "ClusterRole", name: "none" },
  });
  assert.ok(rbac.authorize(wants({ resource: "pods" })).allowed);
});

test("superusers may do everything, whatever the roles say", () => {
  const authorizer = unionAuthorizer([createRbac({ objects: new StoredInTests() })]);
  assert.ok(
    authorizer.authorize(wants({ user: { ...jane, groups: ["system:masters"] }, resource: "secrets", verb: "delete" }))
      .allowed,
  );
  assert.ok(!authorizer.authorize(wants({ resource: "secrets" })).allowed);
});

test("a denial ends the question", () => {
  const rulesFor = (): never => assert.fail();
  const deny = { authorize: () => ({ allowed: false, denied: true, reason: "no" }) as const, rulesFor };
  const yes = { authorize: () => ({ allowed: true, reason: "" }) as const, rulesFor };
  assert.deepEqual(unionAuthorizer([deny, yes]).authorize(wants({ resource: "pods" })), {
    allowed: false,
    denied: true,
    reason: "no",
  });
  assert.ok(unionAuthorizer([yes, deny]).authorize(wants({ resource: "pods" })).allowed);
});

const all = { verbs: ["*"], apiGroups: ["*"], resources: ["*"] };
const covers: readonly [string, PolicyRule[], PolicyRule, number][] = [
  ["the same rule", [pods], pods, 0],
  ["everything", [all], pods, 0],
  [
    "a star, by every verb there is",
    [{ ...pods, verbs: ["get", "list", "watch", "create", "update", "patch", "delete"] }],
    { ...pods, verbs: ["*"] },
    1,
  ],
  ["two rules together", [pods, { ...pods, verbs: ["list"] }], { ...pods, verbs: ["get", "list"] }, 0],
  ["one verb of two", [pods], { ...pods, verbs: ["get", "list"] }, 1],
  ["all names, by one name", [{ ...pods, resourceNames: ["x"] }], pods, 1],
  ["one name, by all names", [pods], { ...pods, resourceNames: ["x"] }, 0],
  [
    "two names, by two rules",
    [
      { ...pods, resourceNames: ["x"] },
      { ...pods, resourceNames: ["y"] },
    ],
    { ...pods, resourceNames: ["x", "y"] },
    0,
  ],
  ["a subresource, by its resource", [pods], { ...pods, resources: ["pods/exec"] }, 1],
  [
    "a subresource, by that of all",
    [{ ...pods, resources: ["*/scale"] }],
    { ...pods, resources: ["deployments/scale"] },
    0,
  ],
  [
    "a path, by its prefix",
    [{ verbs: ["get"], nonResourceURLs: ["/api/*"] }],
    { verbs: ["get"], nonResourceURLs: ["/api/v1"] },
    0,
  ],
  [
    "a prefix, by a path",
    [{ verbs: ["get"], nonResourceURLs: ["/api/v1"] }],
    { verbs: ["get"], nonResourceURLs: ["/api/*"] },
    1,
  ],
  ["paths, by all resources", [all], { verbs: ["get"], nonResourceURLs: ["/x"] }, 1],
  ["resources, by all paths", [{ verbs: ["*"], nonResourceURLs: ["*"] }], pods, 1],
];
for (const [name, owned, wanted, missing] of covers) {
  test(`${missing === 0 ? "covers" : "does not cover"} ${name}`, () =>
    assert.equal(uncoveredRules(owned, [wanted]).length, missing));
}

test("a rule of absurd size is not covered, and judged quickly", () => {
  const many = Array.from({ length: 1000 }, (_, index) => `r${index}`);
  // Processor time of this thread: how busy the machine is does not matter.
  const before = process.threadCpuUsage();
  assert.notEqual(uncoveredRules([pods], [{ verbs: many, apiGroups: many, resources: many }]).length, 0);
  assert.ok(process.threadCpuUsage(before).user < 2_000_000);
});
