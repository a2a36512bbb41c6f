import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from "#api/generated/rbac-v1.ts";

/** Everything that reads, and everything that writes. */
export const read = "get list watch";
export const write = "create delete deletecollection patch update";
export const readWrite = `${read} ${write}`;

const rbacGroup = "rbac.authorization.k8s.io";

/** A rule about resources; lists are words with spaces between. The core group is `core`. */
export function rule(verbs: string, groups: string, resources: string, names?: string): PolicyRule {
  const words = (text: string): string[] => text.split(" ");
  return {
    verbs: words(verbs).sort(),
    apiGroups: words(groups).map((group) => (group === "core" ? "" : group)),
    resources: words(resources).sort(),
    ...(names === undefined ? {} : { resourceNames: words(names) }),
  };
}

export function urlRule(verbs: string, urls: string): PolicyRule {
  return { verbs: verbs.split(" "), nonResourceURLs: urls.split(" ") };
}

/** Events are written by almost everybody. */
export const eventsRule = rule("create patch update", "core events.k8s.io", "events");

const labels = { "kubernetes.io/bootstrapping": "rbac-defaults" };
const annotations = { "rbac.authorization.kubernetes.io/autoupdate": "true" };

export function clusterRole(name: string, rules: PolicyRule[], moreLabels: Record<string, string> = {}): ClusterRole {
  return { metadata: { name, labels: { ...labels, ...moreLabels }, annotations: { ...annotations } }, rules };
}

/** A role whose rules the aggregation controller collects from the roles with this label. */
export function aggregatedRole(name: string, label: string, moreLabels: Record<string, string> = {}): ClusterRole {
  const role = clusterRole(name, [], moreLabels);
  return { ...role, aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [label]: "true" } }] } };
}

export function clusterRoleBinding(name: string, role: string, subjects: Subject[]): ClusterRoleBinding {
  return {
    metadata: { name, labels: { ...labels }, annotations: { ...annotations } },
    roleRef: { apiGroup: rbacGroup, kind: "ClusterRole", name: role },
    ...(subjects.length === 0 ? {} : { subjects }),
  };
}

export function role(namespace: string, name: string, rules: PolicyRule[]): Role {
  return { metadata: { namespace, name, labels: { ...labels }, annotations: { ...annotations } }, rules };
}

export function roleBinding(namespace: string, name: string, roleName: string, subjects: Subject[]): RoleBinding {
  return {
    metadata: { namespace, name, labels: { ...labels }, annotations: { ...annotations } },
    roleRef: { apiGroup: rbacGroup, kind: "Role", name: roleName },
    subjects,
  };
}

export function group(name: string): Subject {
  return { kind: "Group", apiGroup: rbacGroup, name };
}

export function user(name: string): Subject {
  return { kind: "User", apiGroup: rbacGroup, name };
}

export function serviceAccount(namespace: string, name: string): Subject {
  return { kind: "ServiceAccount", name, namespace };
}
