import { builtInResources } from "#api/generated/resources.ts";
import type { LocalAuthorizer } from "#apiserver/authorizer.ts";
import type { User } from "#apiserver/user.ts";

/** Verbs that no list of the API names, with the resources that they are checked on. */
const special: readonly {
  readonly group: string;
  readonly resource: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}[] = [
  { group: "", resource: "users", namespaced: false, verbs: ["impersonate"] },
  { group: "", resource: "groups", namespaced: false, verbs: ["impersonate"] },
  { group: "", resource: "serviceaccounts", namespaced: true, verbs: ["impersonate"] },
  { group: "authentication.k8s.io", resource: "uids", namespaced: false, verbs: ["impersonate"] },
  { group: "certificates.k8s.io", resource: "signers", namespaced: false, verbs: ["approve", "sign"] },
  { group: "rbac.authorization.k8s.io", resource: "roles", namespaced: true, verbs: ["bind", "escalate"] },
  { group: "rbac.authorization.k8s.io", resource: "clusterroles", namespaced: false, verbs: ["bind", "escalate"] },
  {
    group: "certificates.k8s.io",
    resource: "certificatesigningrequests/nodeclient",
    namespaced: false,
    verbs: ["create"],
  },
  {
    group: "certificates.k8s.io",
    resource: "certificatesigningrequests/selfnodeclient",
    namespaced: false,
    verbs: ["create"],
  },
  { group: "", resource: "endpoints/restricted", namespaced: true, verbs: ["create"] },
  { group: "example.com", resource: "widgets", namespaced: true, verbs: ["create", "delete", "get", "list"] },
];

export const paths = [
  "/",
  "/api",
  "/apis/apps",
  "/healthz",
  "/livez",
  "/readyz/ping",
  "/metrics",
  "/openapi/v3",
  "/version",
  "/logs/x",
  "/openid/v1/jwks",
];

const withoutName = new Set(["create", "deletecollection", "list", "watch"]);

interface Asked {
  readonly group: string;
  /** `pods`, `pods/exec`. */
  readonly resource: string;
  readonly verb: string;
  readonly namespace: string;
  readonly name?: string;
}

export function mayDo(authorizer: LocalAuthorizer, user: User, asked: Asked): boolean {
  const [resource = "", subresource = ""] = asked.resource.split("/");
  const needsName = subresource !== "" || !withoutName.has(asked.verb);
  const { verb, group, namespace } = asked;
  const name = asked.name ?? (needsName ? "x" : "");
  return authorizer.authorize({
    user,
    verb,
    isResource: true,
    group,
    version: "v1",
    resource,
    subresource,
    namespace,
    name,
    path: "",
  }).allowed;
}

export function mayVisit(authorizer: LocalAuthorizer, user: User, path: string, verb: string): boolean {
  const empty = { group: "", version: "", resource: "", subresource: "", namespace: "", name: "" };
  return authorizer.authorize({ user, verb, isResource: false, path, ...empty }).allowed;
}

/** Every resource and subresource with its verbs, once for each group. */
export function everything(): { group: string; resource: string; namespaced: boolean; verbs: readonly string[] }[] {
  const out = new Map<string, { group: string; resource: string; namespaced: boolean; verbs: readonly string[] }>();
  for (const { group, resource, namespaced, verbs, subresources } of builtInResources) {
    out.set(`${group}/${resource}`, { group, resource, namespaced, verbs });
    for (const sub of subresources) {
      out.set(`${group}/${resource}/${sub.name}`, {
        group,
        resource: `${resource}/${sub.name}`,
        namespaced,
        verbs: sub.verbs,
      });
    }
  }
  return [
    ...[...out.values()].sort((a, b) => compare(`${a.group}/${a.resource}`, `${b.group}/${b.resource}`)),
    ...special,
  ];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What a user may do in a namespace, or at the cluster scope when it is empty: a line for each resource with any right. */
export function rights(authorizer: LocalAuthorizer, user: User, namespace: string, name?: string): string[] {
  return everything().flatMap(({ group, resource, namespaced, verbs }) => {
    if (namespace !== "" && !namespaced) return [];
    const allowed = [...verbs].sort().filter((verb) => {
      const named = name !== undefined && (resource.includes("/") || !withoutName.has(verb)) ? { name } : {};
      return mayDo(authorizer, user, { group, resource, verb, namespace, ...named });
    });
    const shown = allowed.length === verbs.length ? `all ${verbs.length}` : allowed.join(" ");
    return allowed.length === 0 ? [] : [`  ${resource}${group === "" ? "" : `.${group}`}: ${shown}`];
  });
}
