import { deploymentRules } from "./apps/deployment.ts";
import { replicaSetRules } from "./apps/replica-set.ts";
import { leaseRules } from "./coordination/lease.ts";
import { configMapRules } from "./core/config-map.ts";
import { endpointsRules } from "./core/endpoints.ts";
import { eventRules } from "./core/event.ts";
import { namespaceRules } from "./core/namespace.ts";
import { nodeRules } from "./core/node.ts";
import { podRules } from "./core/pod.ts";
import { secretRules } from "./core/secret.ts";
import { serviceAccountRules } from "./core/service-account.ts";
import { serviceRules } from "./core/service.ts";
import { endpointSliceRules } from "./discovery/endpoint-slice.ts";
import * as resources from "./generated/resources.ts";
import type { ApiObject, Kind, KindRules } from "./kind.ts";
import { ingressRules } from "./networking/ingress.ts";
import type { Resource } from "./resource.ts";

// The compiler's `T` ends here: whoever walks over all kinds sees plain objects.
function kind<T>(resource: Resource<T>, rules: KindRules<T>): Kind;
function kind(resource: Resource<ApiObject>, rules: KindRules): Kind {
  return { versions: [resource], storage: resource, rules };
}

/** Every stable built-in kind, in the order in which discovery lists them. */
export const kinds: readonly Kind[] = [
  kind(resources.configmaps, configMapRules),
  kind(resources.endpoints, endpointsRules),
  kind(resources.events, eventRules),
  kind(resources.namespaces, namespaceRules),
  kind(resources.nodes, nodeRules),
  kind(resources.pods, podRules),
  kind(resources.secrets, secretRules),
  kind(resources.serviceaccounts, serviceAccountRules),
  kind(resources.services, serviceRules),
  kind(resources.deployments, deploymentRules),
  kind(resources.replicasets, replicaSetRules),
  kind(resources.leases, leaseRules),
  kind(resources.endpointslices, endpointSliceRules),
  kind(resources.ingresses, ingressRules),
];
