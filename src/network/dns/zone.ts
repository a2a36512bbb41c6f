import type { Service } from "#api/generated/core-v1.ts";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import { isForwardable } from "../addresses.ts";

/** What names say, as looked up at the moment of a question. */
export interface Zone {
  /** `cluster.local`. */
  readonly domain: string;
  service(namespace: string, name: string): DnsService | undefined;
  /** All addresses behind a Service, those that are not ready left out. */
  endpoints(namespace: string, name: string): readonly DnsEndpoint[];
  hasNamespace(name: string): boolean;
  /** Services that have this cluster address. */
  servicesAt(address: string): readonly DnsService[];
  /** Endpoints of headless Services that have this address. */
  endpointsAt(address: string): readonly DnsEndpoint[];
  /** Whether the cluster gives out this address: nobody else is asked about it. */
  owns(address: string): boolean;
}

export interface DnsService {
  readonly namespace: string;
  readonly name: string;
  readonly kind: "address" | "headless" | "external";
  /** Of kind `address`. */
  readonly addresses: readonly string[];
  /** Of kind `external`: lower case, without the dot at the end. */
  readonly externalName: string;
  readonly ports: readonly DnsPort[];
}

export interface DnsPort {
  readonly name: string;
  /** `tcp`, `udp`, `sctp`. */
  readonly protocol: string;
  readonly port: number;
}

export interface DnsEndpoint {
  readonly namespace: string;
  readonly service: string;
  /** The endpoint's hostname, or its address with dashes. */
  readonly label: string;
  readonly address: string;
  readonly ports: readonly DnsPort[];
}

/** What DNS needs of a Service. */
export function dnsService({ metadata, spec }: Service): DnsService {
  const addresses = (spec.clusterIPs ?? [spec.clusterIP ?? ""]).filter(isForwardable);
  const kind = spec.type === "ExternalName" ? "external" : spec.clusterIP === "None" ? "headless" : "address";
  return {
    namespace: metadata.namespace ?? "",
    name: metadata.name ?? "",
    kind,
    addresses,
    externalName: (spec.externalName ?? "").toLowerCase().replace(/\.$/, ""),
    ports: (spec.ports ?? []).map(({ name, protocol, port }) => ({
      name: name ?? "",
      protocol: (protocol ?? "TCP").toLowerCase(),
      port,
    })),
  };
}

/** What DNS needs of an EndpointSlice. */
export function dnsEndpoints(slice: EndpointSlice): DnsEndpoint[] {
  const service = slice.metadata.labels?.["kubernetes.io/service-name"];
  if (service === undefined || slice.addressType !== "IPv4") return [];
  const ports = (slice.ports ?? []).flatMap(({ name, protocol, port }) =>
    port === undefined ? [] : [{ name: name ?? "", protocol: (protocol ?? "TCP").toLowerCase(), port }],
  );
  return (slice.endpoints ?? []).flatMap(({ addresses, conditions, hostname }) => {
    const address = addresses[0];
    if (address === undefined || !isForwardable(address) || conditions?.ready === false) return [];
    const label = hostname === undefined || hostname === "" ? address.replaceAll(".", "-") : hostname.toLowerCase();
    return [{ namespace: slice.metadata.namespace ?? "", service, label, address, ports }];
  });
}
