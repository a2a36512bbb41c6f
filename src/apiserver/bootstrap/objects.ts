import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from "#api/generated/rbac-v1.ts";
import {
  clusterrolebindings,
  clusterroles,
  configmaps,
  endpoints,
  endpointslices,
  flowschemas,
  namespaces,
  priorityclasses,
  prioritylevelconfigurations,
  rolebindings,
  roles,
  servicecidrs,
  services,
  storageclasses,
} from "#api/generated/resources.ts";
import type { ApiObject } from "#api/kind.ts";
import type { Draft, Resource } from "#api/resource.ts";
import {
  componentClusterRoleBindings,
  componentClusterRoles,
  namespacedRoleBindings,
  namespacedRoles,
} from "./component-roles.ts";
import { controllerClusterRoleBindings, controllerClusterRoles } from "./controller-roles.ts";
import { defaultFlowSchemas, defaultPriorityLevels } from "../fairness/defaults.ts";
import { metricsClusterRoles } from "./metrics-roles.ts";
import {
  apiEndpoints,
  apiEndpointSlice,
  apiService,
  dnsEndpointSlice,
  dnsService,
  localStorageClass,
  serviceCidr,
  systemNamespaces,
  systemPriorityClasses,
  type ClusterFacts,
} from "./system-objects.ts";
import { userClusterRoleBindings, userClusterRoles } from "./user-roles.ts";

/** How a stored object is brought to what is wanted: not at all, in its own fields, or by what it lacks. */
export type Upkeep = "create" | "replace" | "rules" | "subjects";

export interface BootstrapObject {
  readonly resource: Resource<unknown>;
  readonly object: ApiObject;
  readonly upkeep: Upkeep;
}

export const defaultClusterRoles: readonly ClusterRole[] = [
  ...userClusterRoles,
  ...componentClusterRoles,
  ...controllerClusterRoles,
  ...metricsClusterRoles,
];
export const defaultClusterRoleBindings: readonly ClusterRoleBinding[] = [
  ...userClusterRoleBindings,
  ...componentClusterRoleBindings,
  ...controllerClusterRoleBindings,
];
export const defaultRoles: readonly Role[] = namespacedRoles;
export const defaultRoleBindings: readonly RoleBinding[] = namespacedRoleBindings;

/** Everything that a cluster has from its first moment, in two steps: what the rest lives in comes first. */
export function bootstrapObjects(facts: ClusterFacts): readonly (readonly BootstrapObject[])[] {
  return [
    all(namespaces, systemNamespaces, "create"),
    [
      ...all(priorityclasses, systemPriorityClasses, "create"),
      ...all(storageclasses, [localStorageClass], "create"),
      ...all(prioritylevelconfigurations, defaultPriorityLevels, "create"),
      ...all(flowschemas, defaultFlowSchemas, "create"),
      ...all(servicecidrs, [serviceCidr(facts.serviceRange)], "create"),
      ...all(services, [apiService(facts), dnsService(facts)], "create"),
      ...all(endpoints, [apiEndpoints(facts)], "replace"),
      ...all(endpointslices, [apiEndpointSlice(facts)], "replace"),
      ...all(endpointslices, facts.dnsEndpoints.length === 0 ? [] : [dnsEndpointSlice(facts)], "replace"),
      ...all(configmaps, [clientCa(facts)], "replace"),
      ...all(clusterroles, defaultClusterRoles, "rules"),
      ...all(clusterrolebindings, defaultClusterRoleBindings, "subjects"),
      ...all(roles, defaultRoles, "rules"),
      ...all(rolebindings, defaultRoleBindings, "subjects"),
    ],
  ];
}

/** What API servers that extend this one need to trust the same clients. */
function clientCa(facts: ClusterFacts): Draft<{ metadata: object; data: Record<string, string> }> {
  return {
    metadata: { name: "extension-apiserver-authentication", namespace: "kube-system" },
    data: {
      "client-ca-file": facts.clientCa,
      ...(facts.frontProxyCa !== undefined && {
        "requestheader-client-ca-file": facts.frontProxyCa,
        "requestheader-allowed-names": '["front-proxy-client"]',
        "requestheader-username-headers": '["X-Remote-User"]',
        "requestheader-uid-headers": '["X-Remote-Uid"]',
        "requestheader-group-headers": '["X-Remote-Group"]',
        "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
      }),
    },
  };
}

function all<T>(resource: Resource<T>, objects: readonly Draft<T>[], upkeep: Upkeep): BootstrapObject[] {
  const apiVersion = resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
  return objects.map((object) => {
    const empty: ApiObject = { apiVersion, kind: resource.kind, metadata: {} };
    return { resource, object: Object.assign(empty, object), upkeep };
  });
}
