import { overlaps, parseIpv4, type Cidr } from "#base/cidr.ts";
import type { Service } from "#api/generated/core-v1.ts";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import { dnsEndpoints, dnsService, type DnsEndpoint, type DnsService, type Zone } from "./zone.ts";

/** Where a zone looks: the loop's informers, or plain maps. */
export interface ZoneSource {
  service(key: string): DnsService | undefined;
  servicesAt(address: string): readonly DnsService[];
  endpointsOf(key: string): readonly (readonly DnsEndpoint[])[];
  endpointsAt(address: string): readonly (readonly DnsEndpoint[])[];
  hasNamespace(name: string): boolean;
}

/** A zone over a source. `ranges` are the networks whose addresses the cluster gives out. */
export function createZone(domain: string, ranges: () => readonly Cidr[], source: ZoneSource): Zone {
  return {
    domain,
    service: (namespace, name) => source.service(`${namespace}/${name}`),
    endpoints: (namespace, name) => source.endpointsOf(`${namespace}/${name}`).flat(),
    hasNamespace: (name) => source.hasNamespace(name),
    servicesAt: (address) => source.servicesAt(address),
    endpointsAt: (address) =>
      source
        .endpointsAt(address)
        .flat()
        .filter((endpoint) => endpoint.address === address)
        .filter((endpoint) => source.service(`${endpoint.namespace}/${endpoint.service}`)?.kind === "headless"),
    owns: (address) => parseIpv4(address) !== undefined && ranges().some((range) => overlaps(range, address)),
  };
}

/** A zone of given objects, as a whole. */
export function zoneFromObjects(
  domain: string,
  ranges: readonly Cidr[],
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  namespaces: readonly string[],
): Zone {
  const known = new Map(services.map(dnsService).map((service) => [`${service.namespace}/${service.name}`, service]));
  const endpoints = slices.map(dnsEndpoints);
  return createZone(domain, () => ranges, {
    service: (key) => known.get(key),
    servicesAt: (address) => [...known.values()].filter(({ addresses }) => addresses.includes(address)),
    endpointsOf: (key) =>
      endpoints.map((list) => list.filter(({ namespace, service }) => `${namespace}/${service}` === key)),
    endpointsAt: () => endpoints,
    hasNamespace: (name) => namespaces.includes(name),
  });
}
