import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints } from "#api/generated/core-v1.ts";
import { endpoints as endpointsResource, services } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import { canonicalText, isEqual } from "#reconcile/canonical.ts";
import type { Plan } from "#reconcile/controller.ts";
import { hasEndpoint, isIpv6, portsOn } from "../endpointslice/endpoints-of.ts";
import { limits } from "../limits.ts";
import { referenceOf } from "../ownership.ts";
import type { EndpointsView, ServiceView } from "../views/network.ts";
import type { PodView } from "../views/pod.ts";

export interface ObservedEndpoints {
  readonly service: ServiceView;
  readonly pods: readonly PodView[];
  /** The Endpoints object of the Service's name, if any. */
  readonly current: EndpointsView | undefined;
}

const resource = endpointsResource as Resource<unknown>;
const headlessLabel = "service.kubernetes.io/headless";
const managedByLabel = "endpoints.kubernetes.io/managed-by";
const overCapacity = "endpoints.kubernetes.io/over-capacity";

/** The older form of a Service's endpoints, kept for clients that read it. */
export function planEndpoints({ service, pods, current }: ObservedEndpoints): Plan | undefined {
  if (!service.hasSelector || service.type === "ExternalName" || service.deletionMs !== undefined) return undefined;
  const because = referenceOf(services as Resource<unknown>, service);
  const { subsets, isTruncated } = bounded(subsetsOf(service, pods));
  const labels = labelsOf(service);
  const { [overCapacity]: _over, ...rest } = current?.annotations ?? {};
  const annotations = isTruncated ? { ...rest, [overCapacity]: "truncated" } : rest;
  const { name, namespace } = service;
  const ready = subsets.reduce((sum, subset) => sum + (subset.addresses?.length ?? 0), 0);
  const reason = `${ready} of ${pods.length} selected pods are ready`;
  if (current === undefined) {
    const object: Endpoints = {
      apiVersion: "v1",
      kind: "Endpoints",
      metadata: { name, namespace, labels, annotations },
      subsets,
    };
    return { actions: [{ verb: "create", resource, namespace, object, reason, existingIsFine: true }], because };
  }
  if (
    isEqual(current.subsets, subsets) &&
    isEqual(current.labels, labels) &&
    isEqual(current.annotations, annotations)
  ) {
    return { actions: [], because };
  }
  const { uid, resourceVersion } = current;
  const metadata = { name, namespace, uid, resourceVersion, labels, annotations };
  const update: Action = {
    verb: "update",
    resource,
    namespace,
    name,
    object: { apiVersion: "v1", kind: "Endpoints", metadata, subsets },
    reason,
  };
  return { actions: [update], because };
}

/** Endpoints whose Service is gone go with it: they carry no owner reference. */
export function planGoneService(current: EndpointsView | undefined): Plan | undefined {
  if (current === undefined || current.labels[managedByLabel] === undefined) return undefined;
  const { namespace, name, uid } = current;
  return { actions: [{ verb: "delete", resource, namespace, name, uid, reason: `Service ${name} does not exist` }] };
}

function labelsOf(service: ServiceView): Record<string, string> {
  const { [headlessLabel]: _headless, ...labels } = service.labels;
  return {
    ...labels,
    ...(service.isHeadless ? { [headlessLabel]: "" } : {}),
    [managedByLabel]: "endpoint-controller",
  };
}

/** Addresses grouped by their ports, everything in stable order. */
function subsetsOf(service: ServiceView, pods: readonly PodView[]): EndpointSubset[] {
  const family = service.families[0] ?? "IPv4";
  const groups = new Map<string, { ports: EndpointPort[]; ready: EndpointAddress[]; notReady: EndpointAddress[] }>();
  for (const pod of pods) {
    if (!hasEndpoint(pod) || (pod.deletionMs !== undefined && !service.publishNotReady)) continue;
    const ip = pod.ips.find((candidate) => isIpv6(candidate) === (family === "IPv6"));
    const ports = portsOn(service, pod).map(asEndpointPort);
    if (ip === undefined || (ports.length === 0 && service.ports.length > 0)) continue;
    const key = canonicalText(ports);
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = { ports, ready: [], notReady: [] }));
    (service.publishNotReady || pod.ready ? group.ready : group.notReady).push(addressOf(service, pod, ip));
  }
  return [...groups.keys()].sort().map((key) => {
    const { ports, ready, notReady } = groups.get(key)!;
    return {
      ...(ready.length === 0 ? {} : { addresses: ready.sort(byIp) }),
      ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady.sort(byIp) }),
      ...(ports.length === 0 ? {} : { ports }),
    };
  });
}

function asEndpointPort(port: { name?: string; port?: number; protocol?: string; appProtocol?: string }): EndpointPort {
  const { name, protocol, appProtocol } = port;
  return {
    ...(name === undefined || name === "" ? {} : { name }),
    port: port.port ?? 0,
    ...(protocol === undefined ? {} : { protocol }),
    ...(appProtocol === undefined ? {} : { appProtocol }),
  };
}

function addressOf(service: ServiceView, pod: PodView, ip: string): EndpointAddress {
  return {
    ip,
    ...(pod.hostname !== "" && pod.subdomain === service.name ? { hostname: pod.hostname } : {}),
    ...(pod.node === "" ? {} : { nodeName: pod.node }),
    targetRef: { kind: "Pod", namespace: pod.namespace, name: pod.name, uid: pod.uid },
  };
}

function byIp(a: EndpointAddress, b: EndpointAddress): number {
  return a.ip < b.ip ? -1 : a.ip === b.ip ? 0 : 1;
}

/** At most `endpointsAddressesMax` addresses, ready ones first. */
function bounded(subsets: EndpointSubset[]): { readonly subsets: EndpointSubset[]; readonly isTruncated: boolean } {
  const count = (list: EndpointAddress[] | undefined): number => list?.length ?? 0;
  const all = subsets.reduce((sum, subset) => sum + count(subset.addresses) + count(subset.notReadyAddresses), 0);
  if (all <= limits.endpointsAddressesMax) return { subsets, isTruncated: false };
  let room: number = limits.endpointsAddressesMax;
  const take = (list: EndpointAddress[] | undefined): EndpointAddress[] => {
    const taken = (list ?? []).slice(0, room);
    room -= taken.length;
    return taken;
  };
  const ready = subsets.map((subset) => take(subset.addresses));
  const cut = subsets.map((subset, index): EndpointSubset => {
    const notReady = take(subset.notReadyAddresses);
    return {
      ...(ready[index]!.length === 0 ? {} : { addresses: ready[index]! }),
      ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady }),
      ...(subset.ports === undefined ? {} : { ports: subset.ports }),
    };
  });
  return {
    subsets: cut.filter((subset) => count(subset.addresses) + count(subset.notReadyAddresses) > 0),
    isTruncated: true,
  };
}
