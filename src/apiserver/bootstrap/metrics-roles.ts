import type { ClusterRole } from "#api/generated/rbac-v1.ts";
import { clusterRole, read, rule } from "./rule-notation.ts";

const aggregated = {
  "rbac.authorization.k8s.io/aggregate-to-admin": "true",
  "rbac.authorization.k8s.io/aggregate-to-edit": "true",
  "rbac.authorization.k8s.io/aggregate-to-view": "true",
};

/** Whoever may view a namespace may see what its pods use: the role that metrics-server brings, under its name, and ours. */
export const metricsClusterRoles: readonly ClusterRole[] = [
  clusterRole("system:aggregated-metrics-reader", [rule(read, "metrics.k8s.io", "nodes pods")], aggregated),
  clusterRole(
    "system:aggregated-usage-reader",
    [rule(read, "observability.steersman.dev", "serviceactivities serviceusers workloadusages workloadadvices")],
    aggregated,
  ),
];
