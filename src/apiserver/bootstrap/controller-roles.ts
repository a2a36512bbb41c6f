import type { ClusterRole, ClusterRoleBinding, PolicyRule } from "#api/generated/rbac-v1.ts";
import { clusterRole, clusterRoleBinding, eventsRule, read, rule, serviceAccount } from "./rule-notation.ts";

const podsOfController = "create delete list patch watch";
const revisions = rule("create delete get list patch update watch", "apps", "controllerrevisions");

function expandVolumes(): PolicyRule[] {
  return [
    rule("get list patch update watch", "core", "persistentvolumes"),
    rule("patch update", "core", "persistentvolumeclaims/status"),
    rule(read, "core", "persistentvolumeclaims pods"),
    rule(read, "storage.k8s.io", "storageclasses"),
    rule("get", "core", "endpoints services"),
    rule("get", "core", "secrets"),
    eventsRule,
  ];
}

/** What each controller may do, under the service account of its name in kube-system. */
const rulesByController: Readonly<Record<string, PolicyRule[]>> = {
  "attachdetach-controller": [
    rule("list watch", "core", "persistentvolumeclaims persistentvolumes"),
    rule(read, "core", "nodes"),
    rule("patch update", "core", "nodes/status"),
    rule("list watch", "core", "pods"),
    rule("create delete get list patch watch", "storage.k8s.io", "volumeattachments"),
    rule(read, "storage.k8s.io", "csidrivers csinodes"),
    eventsRule,
  ],
  "certificate-controller": [
    rule("delete get list watch", "certificates.k8s.io", "certificatesigningrequests"),
    rule("update", "certificates.k8s.io", "certificatesigningrequests/approval certificatesigningrequests/status"),
    rule(
      "approve",
      "certificates.k8s.io",
      "signers",
      "kubernetes.io/kube-apiserver-client-kubelet kubernetes.io/kubelet-serving",
    ),
    rule(
      "sign",
      "certificates.k8s.io",
      "signers",
      "kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet " +
        "kubernetes.io/kubelet-serving kubernetes.io/legacy-unknown",
    ),
    rule("create", "authorization.k8s.io", "subjectaccessreviews"),
    rule(read, "core", "nodes"),
    eventsRule,
  ],
  "clusterrole-aggregation-controller": [
    rule("escalate get list patch update watch", "rbac.authorization.k8s.io", "clusterroles"),
  ],
  "cronjob-controller": [
    rule("get list update watch", "batch", "cronjobs"),
    rule("create delete get list patch update watch", "batch", "jobs"),
    rule("patch update", "batch", "cronjobs/status"),
    rule("update", "batch", "cronjobs/finalizers"),
    rule("delete list", "core", "pods"),
    eventsRule,
  ],
  "daemon-set-controller": [
    rule(read, "apps", "daemonsets"),
    rule("patch update", "apps", "daemonsets/status"),
    rule("update", "apps", "daemonsets/finalizers"),
    rule("list watch", "core", "nodes"),
    rule(podsOfController, "core", "pods"),
    rule("create", "core", "pods/binding"),
    revisions,
    eventsRule,
  ],
  "deployment-controller": [
    rule("get list update watch", "apps", "deployments"),
    rule("patch update", "apps", "deployments/status"),
    rule("update", "apps", "deployments/finalizers"),
    rule("create delete get list patch update watch", "apps", "replicasets"),
    rule("get list update watch", "core", "pods"),
    eventsRule,
  ],
  "disruption-controller": [
    rule(read, "apps", "deployments replicasets statefulsets"),
    rule(read, "core", "replicationcontrollers"),
    rule(read, "policy", "poddisruptionbudgets"),
    rule("get list watch", "core", "pods"),
    rule("patch update", "core", "pods/status"),
    rule("patch update", "policy", "poddisruptionbudgets/status"),
    rule("get", "*", "*/scale"),
    eventsRule,
  ],
  "endpoint-controller": [
    rule(read, "core", "pods services"),
    rule("create delete get list patch update watch", "core", "endpoints"),
    rule("create", "core", "endpoints/restricted"),
    eventsRule,
  ],
  "endpointslice-controller": [
    rule(read, "core", "nodes pods services"),
    rule("update", "core", "services/finalizers"),
    rule("create delete get list patch update watch", "discovery.k8s.io", "endpointslices"),
    rule("create", "discovery.k8s.io", "endpointslices/restricted"),
    eventsRule,
  ],
  "endpointslicemirroring-controller": [
    rule(read, "core", "endpoints services"),
    rule("update", "core", "endpoints/finalizers services/finalizers"),
    rule("create delete get list patch update watch", "discovery.k8s.io", "endpointslices"),
    rule("create", "discovery.k8s.io", "endpointslices/restricted"),
    eventsRule,
  ],
  "ephemeral-volume-controller": [
    rule("update", "core", "pods/finalizers"),
    rule(read, "core", "pods"),
    rule("create get list watch", "core", "persistentvolumeclaims"),
    eventsRule,
  ],
  "expand-controller": expandVolumes(),
  "generic-garbage-collector": [rule("delete get list patch update watch", "*", "*"), eventsRule],
  "horizontal-pod-autoscaler": [
    rule(read, "autoscaling", "horizontalpodautoscalers"),
    rule("patch update", "autoscaling", "horizontalpodautoscalers/status"),
    rule("get update", "*", "*/scale"),
    rule("list", "core", "pods"),
    rule("list", "metrics.k8s.io", "pods"),
    rule("get list", "custom.metrics.k8s.io external.metrics.k8s.io", "*"),
    eventsRule,
  ],
  "job-controller": [
    rule("get list patch update watch", "batch", "jobs"),
    rule("patch update", "batch", "jobs/status"),
    rule("update", "batch", "jobs/finalizers"),
    rule(podsOfController, "core", "pods"),
    eventsRule,
  ],
  "namespace-controller": [
    rule("delete get list watch", "core", "namespaces"),
    rule("update", "core", "namespaces/finalize namespaces/status"),
    rule("delete deletecollection get list", "*", "*"),
  ],
  "node-controller": [
    rule("delete get list patch update watch", "core", "nodes"),
    rule("patch update", "core", "nodes/status"),
    rule("patch update", "core", "pods/status"),
    rule("delete get list watch", "core", "pods"),
    rule(read, "coordination.k8s.io", "leases"),
    eventsRule,
  ],
  "persistent-volume-binder": [
    rule("create delete get list patch update watch", "core", "persistentvolumes"),
    rule("patch update", "core", "persistentvolumes/status"),
    rule("get list patch update watch", "core", "persistentvolumeclaims"),
    rule("patch update", "core", "persistentvolumeclaims/status"),
    rule("create delete get list watch", "core", "pods"),
    rule(read, "core", "nodes"),
    rule(read, "storage.k8s.io", "storageclasses"),
    rule("create delete get update", "core", "endpoints services"),
    rule("get", "core", "secrets"),
    eventsRule,
  ],
  "pod-garbage-collector": [
    rule("delete list watch", "core", "pods"),
    rule("get list watch", "core", "nodes"),
    rule("patch", "core", "pods/status"),
  ],
  "pv-protection-controller": [rule("get list update watch", "core", "persistentvolumes"), eventsRule],
  "pvc-protection-controller": [
    rule("get list update watch", "core", "persistentvolumeclaims"),
    rule(read, "core", "pods"),
    eventsRule,
  ],
  "replicaset-controller": [
    rule("get list update watch", "apps", "replicasets"),
    rule("patch update", "apps", "replicasets/status"),
    rule("update", "apps", "replicasets/finalizers"),
    rule(podsOfController, "core", "pods"),
    eventsRule,
  ],
  "replication-controller": [
    rule("get list update watch", "core", "replicationcontrollers"),
    rule("patch update", "core", "replicationcontrollers/status"),
    rule("update", "core", "replicationcontrollers/finalizers"),
    rule(podsOfController, "core", "pods"),
    eventsRule,
  ],
  "resource-claim-controller": [
    rule(read, "core", "pods"),
    rule("update", "core", "pods/finalizers"),
    rule("create delete get list watch", "resource.k8s.io", "resourceclaims"),
    rule(read, "resource.k8s.io", "resourceclaimtemplates"),
    rule("patch update", "resource.k8s.io", "resourceclaims resourceclaims/status"),
    rule("patch update", "core", "pods/status"),
    eventsRule,
  ],
  "resourcequota-controller": [
    rule("list watch", "*", "*"),
    rule("update", "core", "resourcequotas/status"),
    eventsRule,
  ],
  "root-ca-cert-publisher": [rule("create update get list watch", "core", "configmaps"), eventsRule],
  "route-controller": [rule("list watch", "core", "nodes"), rule("patch", "core", "nodes/status"), eventsRule],
  "service-account-controller": [rule("create get list watch", "core", "serviceaccounts"), eventsRule],
  "service-cidrs-controller": [
    rule("get list patch update watch", "networking.k8s.io", "servicecidrs"),
    rule("patch update", "networking.k8s.io", "servicecidrs/finalizers servicecidrs/status"),
    rule(read, "networking.k8s.io", "ipaddresses"),
    eventsRule,
  ],
  "service-controller": [
    rule(read, "core", "services"),
    rule("patch update", "core", "services/status"),
    rule("list watch", "core", "nodes"),
    eventsRule,
  ],
  "statefulset-controller": [
    rule("list watch", "core", "pods"),
    rule(read, "apps", "statefulsets"),
    rule("patch update", "apps", "statefulsets/status"),
    rule("update", "apps", "statefulsets/finalizers"),
    rule("create delete get patch update", "core", "pods"),
    revisions,
    rule("create get list watch", "core", "persistentvolumeclaims"),
    rule("delete update", "core", "persistentvolumeclaims"),
    eventsRule,
  ],
  "ttl-after-finished-controller": [rule("delete get list watch", "batch", "jobs"), eventsRule],
  "ttl-controller": [rule("list patch update watch", "core", "nodes"), eventsRule],
  "validatingadmissionpolicy-status-controller": [
    rule(read, "admissionregistration.k8s.io", "validatingadmissionpolicies"),
    rule("get patch update", "admissionregistration.k8s.io", "validatingadmissionpolicies/status"),
    eventsRule,
  ],
  "legacy-service-account-token-cleaner": [
    rule("get", "core", "configmaps", "kube-apiserver-legacy-service-account-token-tracking"),
    rule("delete patch", "core", "secrets"),
  ],
};

const controllerNames: readonly string[] = Object.keys(rulesByController);

export const controllerClusterRoles: readonly ClusterRole[] = Object.entries(rulesByController).map(([name, rules]) =>
  clusterRole(`system:controller:${name}`, rules),
);

export const controllerClusterRoleBindings: readonly ClusterRoleBinding[] = controllerNames.map((name) =>
  clusterRoleBinding(`system:controller:${name}`, `system:controller:${name}`, [serviceAccount("kube-system", name)]),
);
