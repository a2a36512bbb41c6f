import assert from "node:assert/strict";
import { test } from "node:test";
import type { PolicyRule } from "#api/generated/rbac-v1.ts";
import { clusterrolebindings, clusterroles, rolebindings, roles } from "#api/generated/resources.ts";
import { createRbac } from "../authorize/rbac.ts";
import { StoredInTests } from "../authorize/stored-in-tests.ts";
import { unionAuthorizer } from "../authorize/union.ts";
import type { User } from "../user.ts";
import { rbacEscalation } from "./rbac-escalation.ts";
import { admit, person, requestFor, type Asked } from "./request-in-tests.ts";

const group = "rbac.authorization.k8s.io";
const readPods: PolicyRule = { verbs: ["get"], apiGroups: [""], resources: ["pods"] };
const readSecrets: PolicyRule = { verbs: ["get"], apiGroups: [""], resources: ["secrets"] };
const everything: PolicyRule = { verbs: ["*"], apiGroups: ["*"], resources: ["*"] };
const allPaths: PolicyRule = { verbs: ["*"], nonResourceURLs: ["*"] };

/** A cluster in which jane has these rules everywhere. */
function check(
  owned: PolicyRule[],
  resource: typeof roles | typeof clusterroles | typeof rolebindings | typeof clusterrolebindings,
  asked: Asked,
): Promise<string | undefined> {
  const objects = new StoredInTests();
  objects.put(clusterroles, { metadata: { name: "owned" }, rules: owned });
  objects.put(clusterroles, { metadata: { name: "secrets" }, rules: [readSecrets] });
  objects.put(roles, { metadata: { name: "pods", namespace: "shop" }, rules: [readPods] });
  const roleRef = { apiGroup: group, kind: "ClusterRole", name: "owned" };
  objects.put(clusterrolebindings, {
    metadata: { name: "jane" },
    roleRef,
    subjects: [{ kind: "User", name: "jane" }],
  });
  const rbac = createRbac({ objects });
  const plugin = rbacEscalation({ authorizer: unionAuthorizer([rbac]), rbac });
  return admit(plugin, requestFor(resource, asked));
}

const role = (...rules: PolicyRule[]): object => ({ metadata: { name: "new", namespace: "shop" }, rules });
const clusterRole = (rules: PolicyRule[], labels?: Record<string, string>): object => ({
  metadata: { name: "new", ...(labels && { labels }) },
  rules,
});
const binding = (kind: string, name: string, subject = "joe"): object => ({
  metadata: { name: "new", namespace: "shop" },
  roleRef: { apiGroup: group, kind, name },
  subjects: [{ kind: "User", name: subject }],
});
const clusterBinding = (name: string): object => ({
  metadata: { name: "new" },
  roleRef: { apiGroup: group, kind: "ClusterRole", name },
  subjects: [],
});
const master: User = { ...person, groups: ["system:masters"] };
const verb = (name: string, resource: string, names?: string[]): PolicyRule => ({
  verbs: [name],
  apiGroups: [group],
  resources: [resource],
  ...(names && { resourceNames: names }),
});
const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { a: "b" } }] };

const cases: readonly [string, PolicyRule[], Parameters<typeof check>[1], Asked, boolean][] = [
  ["a role with what one has", [readPods], roles, { object: role(readPods) }, true],
  ["a role with more than one has", [readPods], roles, { object: role(readPods, readSecrets) }, false],
  ["a role with a star", [readPods], roles, { object: role({ ...readPods, verbs: ["*"] }) }, false],
  ["a role by who has `escalate`", [verb("escalate", "roles")], roles, { object: role(readSecrets) }, true],
  [
    "a role by who has `escalate` on another name",
    [verb("escalate", "roles", ["old"])],
    roles,
    { object: role(readSecrets) },
    false,
  ],
  [
    "a cluster role by who has `escalate` on roles",
    [verb("escalate", "roles")],
    clusterroles,
    { object: clusterRole([readSecrets]) },
    false,
  ],
  ["any role by a superuser", [], roles, { object: role(everything), user: master }, true],
  [
    "a cluster role with paths, by who has resources",
    [{ ...everything, verbs: ["get"] }],
    clusterroles,
    { object: clusterRole([allPaths]) },
    false,
  ],
  [
    "an update that adds a rule",
    [readPods],
    roles,
    { object: role(readPods, readSecrets), oldObject: role(readPods) },
    false,
  ],
  [
    "an update that leaves foreign rules as they are",
    [],
    roles,
    { object: role(readSecrets), oldObject: role(readSecrets) },
    true,
  ],
  [
    "an update that takes rules away from what one does not have",
    [],
    roles,
    { object: role(readSecrets), oldObject: role(readSecrets, readPods) },
    false,
  ],
  [
    "a label that makes foreign rules part of another role",
    [readPods],
    clusterroles,
    {
      object: clusterRole([readSecrets], { "rbac.authorization.k8s.io/aggregate-to-view": "true" }),
      oldObject: clusterRole([readSecrets]),
    },
    false,
  ],
  ["a role that collects others", [readPods], clusterroles, { object: { ...clusterRole([]), aggregationRule } }, false],
  [
    "a role that collects others, by who has everything",
    [everything, allPaths],
    clusterroles,
    { object: { ...clusterRole([]), aggregationRule } },
    true,
  ],
  ["a binding of what one has", [readPods], rolebindings, { object: binding("Role", "pods") }, true],
  [
    "a binding of what one does not have",
    [readPods],
    rolebindings,
    { object: binding("ClusterRole", "secrets") },
    false,
  ],
  [
    "a cluster binding of what one does not have",
    [readPods],
    clusterrolebindings,
    { object: clusterBinding("secrets") },
    false,
  ],
  [
    "a binding by who has `bind` on that role",
    [verb("bind", "clusterroles", ["secrets"])],
    rolebindings,
    { object: binding("ClusterRole", "secrets") },
    true,
  ],
  [
    "a binding by who has `bind` on another role",
    [verb("bind", "clusterroles", ["other"])],
    rolebindings,
    { object: binding("ClusterRole", "secrets") },
    false,
  ],
  [
    "a new subject in a foreign binding",
    [readPods],
    rolebindings,
    { object: binding("ClusterRole", "secrets", "jane"), oldObject: binding("ClusterRole", "secrets") },
    false,
  ],
  [
    "an update that leaves a foreign binding as it is",
    [],
    rolebindings,
    { object: binding("ClusterRole", "secrets"), oldObject: binding("ClusterRole", "secrets") },
    true,
  ],
];
for (const [name, owned, resource, asked, allowed] of cases) {
  test(`${allowed ? "lets through" : "refuses"} ${name}`, async () => {
    const message = await check(owned, resource, asked);
    assert.equal(message === undefined, allowed, message ?? "was let through");
  });
}

test("the refusal names what is missing", async () => {
  const message = await check([readPods], roles, { object: role(readPods, readSecrets) });
  const missing = '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}';
  assert.equal(
    message,
    `user "jane" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n${missing}`,
  );
});
