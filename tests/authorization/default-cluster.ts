import { clusterrolebindings, clusterroles, nodes, pods, rolebindings, roles } from "#api/generated/resources.ts";
import type { RoleBinding } from "#api/generated/rbac-v1.ts";
import type { LocalAuthorizer } from "#apiserver/authorizer.ts";
import { createNodeAuthorizer } from "#apiserver/authorize/node-authorizer.ts";
import { createRbac, type Rbac } from "#apiserver/authorize/rbac.ts";
import { StoredInTests } from "#apiserver/authorize/stored-in-tests.ts";
import { unionAuthorizer } from "#apiserver/authorize/union.ts";
import { nodeRules } from "#apiserver/bootstrap/component-roles.ts";
import {
  defaultClusterRoleBindings,
  defaultClusterRoles,
  defaultRoleBindings,
  defaultRoles,
} from "#apiserver/bootstrap/objects.ts";
import type { User } from "#apiserver/user.ts";
import { aggregate } from "#controllers/clusterrole-aggregation/plan.ts";

export interface DefaultCluster {
  readonly objects: StoredInTests;
  readonly authorizer: LocalAuthorizer;
  readonly rbac: Rbac;
}

/** A cluster with the default roles, as it stands once the aggregation controller has run; three people work in `shop`. */
export function defaultCluster(): DefaultCluster {
  const objects = new StoredInTests();
  let all = [...defaultClusterRoles];
  // Roles are part of roles that are part of roles: three levels, so three rounds.
  for (let round = 0; round < 3; round++)
    all = all.map((role) => ({ ...role, rules: aggregate(role, all) ?? role.rules }));
  for (const role of all) objects.put(clusterroles, role);
  for (const binding of defaultClusterRoleBindings) objects.put(clusterrolebindings, binding);
  for (const role of defaultRoles) objects.put(roles, role);
  for (const binding of defaultRoleBindings) objects.put(rolebindings, binding);
  for (const role of ["admin", "edit", "view"]) objects.put(rolebindings, bindingInShop(role));
  objects.put(nodes, { metadata: { name: "n1", uid: "node-1" } });
  objects.put(pods, podOn("n1", "own"));
  objects.put(pods, podOn("n2", "foreign"));
  const rbac = createRbac({ objects });
  return { objects, rbac, authorizer: unionAuthorizer([createNodeAuthorizer({ objects, nodeRules }), rbac]) };
}

function bindingInShop(role: string): RoleBinding {
  return {
    metadata: { name: role, namespace: "shop" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
    subjects: [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name: role }],
  };
}

/** A pod that needs one of everything, all with the same name. */
function podOn(nodeName: string, name: string): { metadata: { name: string; namespace: string }; spec: object } {
  const volumes = [
    { name: "a", secret: { secretName: name } },
    { name: "b", configMap: { name } },
    { name: "c", persistentVolumeClaim: { claimName: name } },
  ];
  const spec = {
    nodeName,
    serviceAccountName: name,
    volumes,
    containers: [],
    resourceClaims: [{ name: "r", resourceClaimName: name }],
  };
  return { metadata: { name, namespace: "shop" }, spec };
}

function person(name: string, ...groups: string[]): User {
  return { name, uid: "", groups: [...groups, "system:authenticated"], extra: {} };
}

function account(namespace: string, name: string): User {
  return person(
    `system:serviceaccount:${namespace}:${name}`,
    "system:serviceaccounts",
    `system:serviceaccounts:${namespace}`,
  );
}

/** Those who stand for everybody that a cluster knows from its first day. */
export const identities: readonly { readonly title: string; readonly user: User }[] = [
  { title: "anonymous", user: { name: "system:anonymous", uid: "", groups: ["system:unauthenticated"], extra: {} } },
  { title: "somebody", user: person("somebody") },
  { title: "viewer of shop", user: person("view") },
  { title: "editor of shop", user: person("edit") },
  { title: "admin of shop", user: person("admin") },
  { title: "cluster admin", user: person("root", "system:masters") },
  { title: "joining machine", user: person("system:bootstrap:abcdef", "system:bootstrappers") },
  { title: "node n1", user: person("system:node:n1", "system:nodes") },
  { title: "scheduler", user: person("system:kube-scheduler") },
  { title: "controller manager", user: person("system:kube-controller-manager") },
  { title: "deployment controller", user: account("kube-system", "deployment-controller") },
  { title: "default account of shop", user: account("shop", "default") },
];
