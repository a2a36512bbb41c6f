/**
 * Every verb on every resource and subresource, asked for twelve identities of a cluster with its default roles, and held
 * against what was once read and found right. `UPDATE_GOLDEN=1` writes the file anew: read the difference like code.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { defaultCluster, identities } from "./default-cluster.ts";
import { mayDo, mayVisit, paths, rights } from "./walk.ts";

const { authorizer } = defaultCluster();
const file = join(import.meta.dirname, "golden.txt");

function golden(): string {
  const sections = identities.flatMap(({ title, user }) => {
    const visited = paths.filter((path) => mayVisit(authorizer, user, path, "get"));
    return [
      `${title}`,
      ` paths: ${visited.join(" ")}`,
      " everywhere",
      ...rights(authorizer, user, ""),
      " in shop",
      ...rights(authorizer, user, "shop"),
      " in another namespace",
      ...rights(authorizer, user, "other"),
    ];
  });
  const node = identities.find(({ title }) => title === "node n1");
  assert.ok(node);
  const owned = ["own", "foreign", "n1", "n2"].flatMap((name) => [
    `node n1, objects named ${name}`,
    " everywhere",
    ...rights(authorizer, node.user, "", name),
    " in shop",
    ...rights(authorizer, node.user, "shop", name),
    " in kube-node-lease",
    ...rights(authorizer, node.user, "kube-node-lease", name).filter((line) => line.includes("lease")),
  ]);
  return `${[...sections, ...owned].join("\n")}\n`;
}

test("what twelve identities may do is what it was", () => {
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(file, golden());
  assert.equal(golden(), readFileSync(file, "utf8"));
});

interface Expectation {
  readonly who: string;
  readonly may: boolean;
  readonly verb: string;
  /** `pods`, `deployments.apps`, `pods/exec`. */
  readonly what: string;
  readonly where?: string;
  readonly name?: string;
}

/** Chosen by hand from the published description of the default roles, independent of the file above. */
const expectations: readonly Expectation[] = [
  { who: "viewer of shop", may: true, verb: "get", what: "pods/log", where: "shop" },
  { who: "viewer of shop", may: false, verb: "get", what: "secrets", where: "shop" },
  { who: "viewer of shop", may: false, verb: "list", what: "roles.rbac.authorization.k8s.io", where: "shop" },
  { who: "viewer of shop", may: false, verb: "create", what: "pods/exec", where: "shop" },
  { who: "viewer of shop", may: false, verb: "get", what: "pods", where: "other" },
  { who: "editor of shop", may: true, verb: "get", what: "secrets", where: "shop" },
  { who: "editor of shop", may: true, verb: "create", what: "pods/exec", where: "shop" },
  { who: "editor of shop", may: true, verb: "patch", what: "deployments.apps/scale", where: "shop" },
  { who: "editor of shop", may: false, verb: "update", what: "endpoints", where: "shop" },
  { who: "editor of shop", may: false, verb: "create", what: "endpointslices.discovery.k8s.io", where: "shop" },
  { who: "editor of shop", may: false, verb: "create", what: "roles.rbac.authorization.k8s.io", where: "shop" },
  { who: "editor of shop", may: false, verb: "update", what: "resourcequotas", where: "shop" },
  { who: "editor of shop", may: false, verb: "update", what: "pods/status", where: "shop" },
  { who: "admin of shop", may: true, verb: "create", what: "rolebindings.rbac.authorization.k8s.io", where: "shop" },
  { who: "admin of shop", may: false, verb: "escalate", what: "roles.rbac.authorization.k8s.io", where: "shop" },
  { who: "admin of shop", may: false, verb: "update", what: "namespaces", where: "shop", name: "shop" },
  { who: "admin of shop", may: false, verb: "update", what: "resourcequotas", where: "shop" },
  { who: "admin of shop", may: false, verb: "get", what: "nodes" },
  { who: "cluster admin", may: true, verb: "escalate", what: "clusterroles.rbac.authorization.k8s.io" },
  { who: "somebody", may: true, verb: "create", what: "selfsubjectaccessreviews.authorization.k8s.io" },
  { who: "somebody", may: false, verb: "create", what: "subjectaccessreviews.authorization.k8s.io" },
  { who: "anonymous", may: false, verb: "create", what: "selfsubjectaccessreviews.authorization.k8s.io" },
  { who: "joining machine", may: true, verb: "create", what: "certificatesigningrequests.certificates.k8s.io" },
  {
    who: "joining machine",
    may: false,
    verb: "update",
    what: "certificatesigningrequests.certificates.k8s.io/approval",
  },
  { who: "joining machine", may: false, verb: "get", what: "secrets", where: "kube-system" },
  { who: "node n1", may: true, verb: "get", what: "secrets", where: "shop", name: "own" },
  { who: "node n1", may: false, verb: "get", what: "secrets", where: "shop", name: "foreign" },
  { who: "node n1", may: false, verb: "list", what: "secrets", where: "shop" },
  { who: "node n1", may: false, verb: "list", what: "secrets" },
  { who: "node n1", may: false, verb: "update", what: "secrets", where: "shop", name: "own" },
  { who: "node n1", may: true, verb: "create", what: "serviceaccounts/token", where: "shop", name: "own" },
  { who: "node n1", may: false, verb: "create", what: "serviceaccounts/token", where: "shop", name: "foreign" },
  {
    who: "node n1",
    may: false,
    verb: "create",
    what: "serviceaccounts/token",
    where: "kube-system",
    name: "deployment-controller",
  },
  { who: "node n1", may: true, verb: "patch", what: "nodes/status", name: "n1" },
  { who: "node n1", may: false, verb: "patch", what: "nodes/status", name: "n2" },
  { who: "node n1", may: false, verb: "delete", what: "nodes", name: "n1" },
  {
    who: "node n1",
    may: true,
    verb: "update",
    what: "leases.coordination.k8s.io",
    where: "kube-node-lease",
    name: "n1",
  },
  {
    who: "node n1",
    may: false,
    verb: "update",
    what: "leases.coordination.k8s.io",
    where: "kube-node-lease",
    name: "n2",
  },
  { who: "node n1", may: false, verb: "update", what: "leases.coordination.k8s.io", where: "kube-system", name: "n1" },
  { who: "node n1", may: false, verb: "create", what: "pods/exec", where: "shop", name: "own" },
  { who: "scheduler", may: true, verb: "create", what: "pods/binding", where: "shop" },
  { who: "scheduler", may: false, verb: "get", what: "secrets", where: "shop" },
  { who: "deployment controller", may: true, verb: "create", what: "replicasets.apps", where: "shop" },
  { who: "deployment controller", may: false, verb: "create", what: "pods", where: "shop" },
  { who: "default account of shop", may: false, verb: "get", what: "pods", where: "shop" },
];
for (const { who, may, verb, what, where = "", name } of expectations) {
  test(`${who} may ${may ? "" : "not "}${verb} ${what}${name === undefined ? "" : ` ${name}`}${where === "" ? "" : ` in ${where}`}`, () => {
    const identity = identities.find(({ title }) => title === who);
    assert.ok(identity);
    const [qualified = "", subresource] = what.split("/");
    const [plural = "", ...groupParts] = qualified.split(".");
    const resource = subresource === undefined ? plural : `${plural}/${subresource}`;
    const asked = {
      group: groupParts.join("."),
      resource,
      verb,
      namespace: where,
      ...(name === undefined ? {} : { name }),
    };
    assert.equal(mayDo(authorizer, identity.user, asked), may);
  });
}
