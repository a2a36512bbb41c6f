import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from "#api/generated/rbac-v1.ts";
import {
  clusterRole,
  clusterRoleBinding,
  eventsRule,
  group,
  read,
  role,
  roleBinding,
  rule,
  serviceAccount,
  user,
} from "./rule-notation.ts";

const reviews = [
  rule("create", "authentication.k8s.io", "tokenreviews"),
  rule("create", "authorization.k8s.io", "subjectaccessreviews"),
];

/** What every node may ask for; the node authorizer narrows most of it to what the node's own pods need. */
export const nodeRules = [
  rule("create", "authentication.k8s.io", "tokenreviews"),
  rule("create", "authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews"),
  rule(read, "core", "services"),
  rule("create get list watch", "core", "nodes"),
  rule("patch update", "core", "nodes nodes/status"),
  eventsRule,
  rule("create delete get list watch", "core", "pods"),
  rule("patch update", "core", "pods/status"),
  rule("create", "core", "pods/eviction"),
  rule(read, "core", "configmaps secrets"),
  rule("get", "core", "persistentvolumeclaims persistentvolumes"),
  rule("get", "core", "endpoints"),
  rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
  rule("create delete get patch update", "coordination.k8s.io", "leases"),
  rule("get", "storage.k8s.io", "volumeattachments"),
  rule("create", "core", "serviceaccounts/token"),
  rule("get patch update", "core", "persistentvolumeclaims/status"),
  rule(read, "storage.k8s.io", "csidrivers"),
  rule("create delete get patch update", "storage.k8s.io", "csinodes"),
  rule(read, "node.k8s.io", "runtimeclasses"),
  rule("get", "resource.k8s.io", "resourceclaims"),
  rule("create delete deletecollection get list patch update watch", "resource.k8s.io", "resourceslices"),
];

/**
 * A node also serves Services, names, routes to other nodes, Ingresses and network policies itself: its agent reads what
 * they are made of.
 */
const nodeNetworkRules = [
  rule(read, "core", "namespaces nodes services"),
  rule(read, "discovery.k8s.io", "endpointslices"),
  rule(read, "networking.k8s.io", "ingressclasses ingresses networkpolicies servicecidrs"),
];

const schedulerRules = [
  eventsRule,
  rule("create", "coordination.k8s.io", "leases"),
  rule("get list update watch", "coordination.k8s.io", "leases", "kube-scheduler"),
  rule("list watch", "coordination.k8s.io", "leasecandidates"),
  rule(read, "core", "namespaces nodes"),
  rule("delete get list watch", "core", "pods"),
  rule("create", "core", "bindings pods/binding"),
  rule("patch update", "core", "pods/status"),
  rule(read, "core", "replicationcontrollers services"),
  rule(read, "apps", "replicasets statefulsets"),
  rule(read, "policy", "poddisruptionbudgets"),
  rule("get list patch update watch", "core", "persistentvolumeclaims persistentvolumes"),
  ...reviews,
  rule(read, "storage.k8s.io", "csidrivers csinodes csistoragecapacities storageclasses volumeattachments"),
  rule("get list patch update watch", "resource.k8s.io", "resourceclaims"),
  rule("patch update", "resource.k8s.io", "resourceclaims/status"),
  rule(read, "resource.k8s.io", "deviceclasses resourceslices"),
];

const controllerManagerRules = [
  eventsRule,
  rule("create", "coordination.k8s.io", "leases"),
  rule("get update", "coordination.k8s.io", "leases", "kube-controller-manager"),
  rule("create", "core", "secrets serviceaccounts"),
  rule("delete", "core", "secrets"),
  rule("get", "core", "configmaps namespaces secrets serviceaccounts"),
  rule("update", "core", "secrets serviceaccounts"),
  ...reviews,
  rule("list watch", "*", "*"),
  rule("create", "core", "serviceaccounts/token"),
];

const csr = "certificatesigningrequests";
const csrGroup = "certificates.k8s.io";

export const componentClusterRoles: readonly ClusterRole[] = [
  clusterRole("system:node", nodeRules),
  clusterRole("system:node-network", nodeNetworkRules),
  clusterRole("system:node-problem-detector", [
    rule("get", "core", "nodes"),
    rule("patch", "core", "nodes/status"),
    eventsRule,
  ]),
  clusterRole("system:node-proxier", [
    rule("list watch", "core", "endpoints services"),
    rule(read, "core", "nodes"),
    eventsRule,
    rule("list watch", "discovery.k8s.io", "endpointslices"),
    rule("list watch", "networking.k8s.io", "servicecidrs"),
  ]),
  clusterRole("system:kubelet-api-admin", [
    rule(read, "core", "nodes"),
    rule("proxy", "core", "nodes"),
    rule(
      "*",
      "core",
      "nodes/checkpoint nodes/configz nodes/healthz nodes/log nodes/metrics nodes/pods nodes/proxy nodes/stats",
    ),
  ]),
  clusterRole("system:node-bootstrapper", [rule("create get list watch", csrGroup, csr)]),
  clusterRole("system:kube-aggregator", [rule("list watch", "core", "endpoints services")]),
  clusterRole("system:kube-dns", [rule("list watch", "core", "endpoints services")]),
  clusterRole("system:kube-scheduler", schedulerRules),
  clusterRole("system:volume-scheduler", [
    rule("get list patch update watch", "core", "persistentvolumes"),
    rule("get list patch update watch", "core", "persistentvolumeclaims"),
    rule(read, "storage.k8s.io", "storageclasses"),
  ]),
  clusterRole("system:kube-controller-manager", controllerManagerRules),
  clusterRole("system:certificates.k8s.io:certificatesigningrequests:nodeclient", [
    rule("create", csrGroup, `${csr}/nodeclient`),
  ]),
  clusterRole("system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", [
    rule("create", csrGroup, `${csr}/selfnodeclient`),
  ]),
];

export const componentClusterRoleBindings: readonly ClusterRoleBinding[] = [
  // Nodes are judged by the node authorizer; the binding without subjects keeps the role in its place.
  clusterRoleBinding("system:node", "system:node", []),
  clusterRoleBinding("system:node-network", "system:node-network", [group("system:nodes")]),
  clusterRoleBinding("system:node-proxier", "system:node-proxier", [user("system:kube-proxy")]),
  clusterRoleBinding("system:kube-controller-manager", "system:kube-controller-manager", [
    user("system:kube-controller-manager"),
  ]),
  clusterRoleBinding("system:kube-dns", "system:kube-dns", [serviceAccount("kube-system", "kube-dns")]),
  clusterRoleBinding("system:kube-scheduler", "system:kube-scheduler", [user("system:kube-scheduler")]),
  clusterRoleBinding("system:volume-scheduler", "system:volume-scheduler", [user("system:kube-scheduler")]),
  // The server reads logs, streams and metrics of its nodes under this name.
  clusterRoleBinding("system:kubelet-api-admin", "system:kubelet-api-admin", [user("kube-apiserver-kubelet-client")]),
  // Machines that join with a token ask for a node certificate, and nodes renew their own.
  clusterRoleBinding("system:node-bootstrapper", "system:node-bootstrapper", [group("system:bootstrappers")]),
  clusterRoleBinding(
    "system:node-autoapprove-bootstrap",
    "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
    [group("system:bootstrappers")],
  ),
  clusterRoleBinding(
    "system:node-autoapprove-certificate-rotation",
    "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
    [group("system:nodes")],
  ),
];

const leaderLock = (name: string): Role =>
  role("kube-system", `system::leader-locking-${name}`, [
    rule("watch", "core", "configmaps"),
    rule("get update", "core", "configmaps", name),
  ]);
const lockBinding = (name: string): RoleBinding =>
  roleBinding("kube-system", `system::leader-locking-${name}`, `system::leader-locking-${name}`, [
    user(`system:${name}`),
    serviceAccount("kube-system", name),
  ]);

export const namespacedRoles: readonly Role[] = [
  role("kube-system", "extension-apiserver-authentication-reader", [
    rule(read, "core", "configmaps", "extension-apiserver-authentication"),
  ]),
  role("kube-system", "system:controller:bootstrap-signer", [rule(read, "core", "secrets")]),
  role("kube-system", "system:controller:cloud-provider", [rule("create get list update watch", "core", "configmaps")]),
  role("kube-system", "system:controller:token-cleaner", [
    rule("delete get list watch", "core", "secrets"),
    eventsRule,
  ]),
  role("kube-public", "system:controller:bootstrap-signer", [
    rule(read, "core", "configmaps"),
    rule("update", "core", "configmaps", "cluster-info"),
    eventsRule,
  ]),
  leaderLock("kube-controller-manager"),
  leaderLock("kube-scheduler"),
];

const controllerBinding = (namespace: string, name: string): RoleBinding =>
  roleBinding(namespace, `system:controller:${name}`, `system:controller:${name}`, [
    serviceAccount("kube-system", name),
  ]);

export const namespacedRoleBindings: readonly RoleBinding[] = [
  roleBinding(
    "kube-system",
    "system::extension-apiserver-authentication-reader",
    "extension-apiserver-authentication-reader",
    [user("system:kube-controller-manager"), user("system:kube-scheduler")],
  ),
  controllerBinding("kube-system", "bootstrap-signer"),
  controllerBinding("kube-system", "cloud-provider"),
  controllerBinding("kube-system", "token-cleaner"),
  controllerBinding("kube-public", "bootstrap-signer"),
  lockBinding("kube-controller-manager"),
  lockBinding("kube-scheduler"),
];
