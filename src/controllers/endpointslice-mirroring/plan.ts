import type { EndpointAddress, EndpointSubset } from "#api/generated/core-v1.ts";
import type { Endpoint, EndpointPort } from "#api/generated/discovery-v1.ts";
import { endpoints as endpointsResource } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Plan } from "#reconcile/controller.ts";
import { groupKey, isIpv6, type PortGroup } from "../endpointslice/endpoints-of.ts";
import { deleteSlice, planGroups, type SliceOwner } from "../endpointslice/slices.ts";
import { limits } from "../limits.ts";
import { aboutOf, controllerReference, referenceOf } from "../ownership.ts";
import {
  managedByLabel,
  serviceNameLabel,
  type EndpointsView,
  type ServiceView,
  type SliceView,
} from "../views/network.ts";

export const mirrorManagedBy = "endpointslicemirroring-controller.k8s.io";
const skipLabel = "endpointslice.kubernetes.io/skip-mirror";
const leaderAnnotation = "control-plane.alpha.kubernetes.io/leader";
const resource = endpointsResource as Resource<unknown>;
const copiedLabelsNot = new Set([serviceNameLabel, managedByLabel, "endpoints.kubernetes.io/managed-by"]);

/**
 * Copies Endpoints that people wrote for a Service without selector into slices, which are what consumers read. Pure.
 * https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors
 */
export function planMirror(
  source: EndpointsView | undefined,
  service: ServiceView | undefined,
  slices: readonly SliceView[],
  ids: { float(): number },
): Plan | undefined {
  // Slices of Endpoints that are gone go by their owner reference.
  if (source === undefined) return undefined;
  const owner = ownerOf(source);
  const because = referenceOf(resource, source);
  const existing = slices.filter((slice) => slice.deletionMs === undefined);
  if (!isMirrored(source, service)) {
    return {
      because,
      actions: existing.map((slice) => deleteSlice(owner, slice, "its Endpoints are not to be copied")),
    };
  }
  return { because, actions: planGroups(owner, groupsOf(source.subsets), existing, ids) };
}

function isMirrored(source: EndpointsView, service: ServiceView | undefined): boolean {
  if (source.deletionMs !== undefined || service === undefined || service.hasSelector) return false;
  return source.labels[skipLabel] !== "true" && source.annotations[leaderAnnotation] === undefined;
}

function groupsOf(subsets: readonly EndpointSubset[]): PortGroup[] {
  const groups = new Map<string, { addressType: string; ports: EndpointPort[]; endpoints: Endpoint[] }>();
  for (const { addresses = [], notReadyAddresses = [], ports = [] } of subsets) {
    const slicePorts = ports.map(({ name, port, protocol, appProtocol }) => ({
      name: name ?? "",
      port,
      protocol: protocol ?? "TCP",
      ...(appProtocol === undefined ? {} : { appProtocol }),
    }));
    const all = [
      ...addresses.map((one) => endpointOf(one, true)),
      ...notReadyAddresses.map((one) => endpointOf(one, false)),
    ];
    for (const endpoint of all.slice(0, limits.endpointsAddressesMax)) {
      const addressType = isIpv6(endpoint.addresses[0] ?? "") ? "IPv6" : "IPv4";
      const key = groupKey(addressType, slicePorts);
      let group = groups.get(key);
      if (group === undefined) groups.set(key, (group = { addressType, ports: slicePorts, endpoints: [] }));
      group.endpoints.push(endpoint);
    }
  }
  return [...groups.values()];
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname === undefined || hostname === "" ? {} : { hostname }),
    ...(targetRef === undefined ? {} : { targetRef }),
    ...(nodeName === undefined ? {} : { nodeName }),
  };
}

function ownerOf(source: EndpointsView): SliceOwner {
  const labels = Object.fromEntries(Object.entries(source.labels).filter(([key]) => !copiedLabelsNot.has(key)));
  return {
    namespace: source.namespace,
    name: source.name,
    what: `Endpoints ${source.key}`,
    labels: { ...labels, [serviceNameLabel]: source.name, [managedByLabel]: mirrorManagedBy },
    reference: controllerReference(resource, source),
    about: aboutOf(resource, source),
    triggerOf: () => undefined,
    versionOf: () => "",
  };
}
