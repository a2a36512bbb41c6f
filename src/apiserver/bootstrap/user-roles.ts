import type { ClusterRole, ClusterRoleBinding } from "#api/generated/rbac-v1.ts";
import {
  aggregatedRole,
  clusterRole,
  clusterRoleBinding,
  eventsRule,
  group,
  read,
  readWrite,
  rule,
  urlRule,
  write,
} from "./rule-notation.ts";

const aggregateTo = "rbac.authorization.k8s.io/aggregate-to-";
const toAdmin = { [`${aggregateTo}admin`]: "true" };
const toEdit = { [`${aggregateTo}edit`]: "true" };
const toView = { [`${aggregateTo}view`]: "true" };

const appsScaled =
  "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale";
const appsStatus = "daemonsets/status deployments/status replicasets/status statefulsets/status controllerrevisions";
const appsSeen = `${appsScaled.replace("deployments/rollback ", "")} ${appsStatus}`;

const viewRules = [
  rule(
    read,
    "core",
    "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers " +
      "replicationcontrollers/scale serviceaccounts services services/status",
  ),
  rule(
    read,
    "core",
    "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status " +
      "resourcequotas resourcequotas/status",
  ),
  rule(read, "core", "namespaces"),
  rule(read, "discovery.k8s.io", "endpointslices"),
  rule(read, "apps", appsSeen),
  rule(read, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
  rule(read, "batch", "cronjobs cronjobs/status jobs jobs/status"),
  rule(read, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
  rule(read, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
  rule(read, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
];

/** Endpoints and EndpointSlices are left out on purpose: whoever writes them sends traffic elsewhere (CVE-2021-25740). */
const editRules = [
  rule(read, "core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
  rule("impersonate", "core", "serviceaccounts"),
  rule(write, "core", "pods pods/attach pods/exec pods/portforward pods/proxy"),
  rule("create", "core", "pods/eviction"),
  rule(
    write,
    "core",
    "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets " +
      "serviceaccounts services services/proxy",
  ),
  rule("create", "core", "serviceaccounts/token"),
  rule(write, "apps", appsScaled),
  rule(write, "autoscaling", "horizontalpodautoscalers"),
  rule(write, "batch", "cronjobs jobs"),
  rule(write, "policy", "poddisruptionbudgets"),
  rule(write, "networking.k8s.io", "ingresses networkpolicies"),
  rule(readWrite, "coordination.k8s.io", "leases"),
  rule(write, "resource.k8s.io", "resourceclaims resourceclaimtemplates"),
];

const adminRules = [
  rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
  rule(readWrite, "rbac.authorization.k8s.io", "rolebindings roles"),
];

const health = "/healthz /livez /readyz";
const version = "/version /version/";
const openid = "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/";

/** The roles that people get, and those that everybody has (Kubernetes: "Using RBAC Authorization", default roles). */
export const userClusterRoles: readonly ClusterRole[] = [
  clusterRole("cluster-admin", [rule("*", "*", "*"), urlRule("*", "*")]),
  aggregatedRole("admin", `${aggregateTo}admin`),
  aggregatedRole("edit", `${aggregateTo}edit`, toAdmin),
  aggregatedRole("view", `${aggregateTo}view`, toEdit),
  clusterRole("system:aggregate-to-admin", adminRules, toAdmin),
  clusterRole("system:aggregate-to-edit", editRules, toEdit),
  clusterRole("system:aggregate-to-view", viewRules, toView),
  clusterRole("system:discovery", [
    urlRule("get", `/api /api/* /apis /apis/* ${health} /openapi /openapi/* ${version}`),
  ]),
  clusterRole("system:public-info-viewer", [urlRule("get", `${health} ${version}`)]),
  clusterRole("system:monitoring", [urlRule("get", `${health} /healthz/* /livez/* /readyz/* /metrics /metrics/slis`)]),
  clusterRole("system:basic-user", [
    rule("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
    rule("create", "authentication.k8s.io", "selfsubjectreviews"),
  ]),
  clusterRole("system:service-account-issuer-discovery", [urlRule("get", openid)]),
  clusterRole("system:auth-delegator", [
    rule("create", "authentication.k8s.io", "tokenreviews"),
    rule("create", "authorization.k8s.io", "subjectaccessreviews"),
  ]),
  clusterRole("system:heapster", [
    rule(read, "core", "events namespaces nodes pods"),
    rule(read, "apps", "deployments"),
  ]),
  clusterRole("system:persistent-volume-provisioner", [
    rule("get list watch create delete", "core", "persistentvolumes"),
    rule("get list watch update", "core", "persistentvolumeclaims"),
    rule(read, "storage.k8s.io", "storageclasses"),
    rule("watch", "core", "events"),
    eventsRule,
  ]),
  ...["kube-apiserver-client", "kubelet-serving", "kube-apiserver-client-kubelet", "legacy-unknown"].map((signer) =>
    clusterRole(`system:certificates.k8s.io:${signer}-approver`, [
      rule("approve", "certificates.k8s.io", "signers", `kubernetes.io/${signer}`),
    ]),
  ),
];

export const userClusterRoleBindings: readonly ClusterRoleBinding[] = [
  clusterRoleBinding("cluster-admin", "cluster-admin", [group("system:masters")]),
  clusterRoleBinding("system:monitoring", "system:monitoring", [group("system:monitoring")]),
  clusterRoleBinding("system:discovery", "system:discovery", [group("system:authenticated")]),
  clusterRoleBinding("system:basic-user", "system:basic-user", [group("system:authenticated")]),
  clusterRoleBinding("system:public-info-viewer", "system:public-info-viewer", [
    group("system:authenticated"),
    group("system:unauthenticated"),
  ]),
  clusterRoleBinding("system:service-account-issuer-discovery", "system:service-account-issuer-discovery", [
    group("system:serviceaccounts"),
  ]),
];
