import { throughProxyAnnotation } from "#api/delivery/through-proxy.ts";
import type { TrafficSplit } from "#api/delivery/traffic-split.ts";
import type { Service, ServicePort } from "#api/generated/core-v1.ts";
import { isForwardable, isPort } from "../addresses.ts";

/** Whether pods' requests to a Service go through their node's proxy. */
export interface ThroughProxy {
  /** The ports that do; empty: none. */
  readonly ports: readonly ServicePort[];
  /** CamelCase, as a condition says it. */
  readonly reason: string;
  readonly message: string;
}

/** What a Service is judged by, beside itself. */
export interface Surroundings {
  /** The TrafficSplits of its namespace that name it. */
  readonly splits: readonly TrafficSplit[];
  /** The cluster's DNS address, which every node answers itself. */
  readonly dnsAddress: string;
  /** An address of its endpoints, or of those that its splits lead to, that a NetworkPolicy shields; undefined: none. */
  readonly shielded: () => string | undefined;
}

/** Undefined: nobody has asked for it. By the annotation, or by a TrafficSplit of the Service itself and not of one Ingress. */
export function throughProxy(service: Service, around: Surroundings): ThroughProxy | undefined {
  const asked = service.metadata.annotations?.[throughProxyAnnotation];
  const isOfAll = around.splits.some(({ spec }) => spec.ingress === undefined);
  if (asked === "false" || (asked !== "true" && !isOfAll)) return undefined;
  const { spec } = service;
  const no = (reason: string, message: string): ThroughProxy => ({ ports: [], reason, message });
  if (spec.type === "ExternalName")
    return no("ExternalName", "A Service of type ExternalName is a name for something else");
  if (spec.clusterIP === "None" || (spec.clusterIP ?? "") === "")
    return no("Headless", "A headless Service has no address: its clients talk to the pods themselves");
  if (!isForwardable(spec.clusterIP ?? "")) return no("NoAddress", "The Service has no IPv4 address");
  if (service.metadata.labels?.["service.kubernetes.io/service-proxy-name"] !== undefined)
    return no("OtherProxy", "The label service.kubernetes.io/service-proxy-name gives the Service to another proxy");
  if (spec.clusterIP === around.dnsAddress) return no("ClusterDNS", "The cluster's DNS is answered by the nodes");
  const all = spec.ports ?? [];
  const ports = all.filter(mayBeHttp);
  if (ports.length === 0)
    return no(
      "NoHTTPPort",
      "No port of the Service is TCP with an appProtocol that is absent, http or kubernetes.io/ws",
    );
  const shielded = around.shielded();
  if (shielded !== undefined)
    return no(
      "NetworkPolicy",
      `A NetworkPolicy says who may talk to the pod ${shielded}, and behind the proxy it could not tell who does`,
    );
  const rest = all.filter((port) => !ports.includes(port)).map(({ port, protocol }) => `${port}/${protocol ?? "TCP"}`);
  const listed = ports.map(({ port }) => port).join(", ");
  const others = rest.length === 0 ? "" : `; not HTTP, and not through it: ${rest.join(", ")}`;
  return { ports, reason: "Proxied", message: `Pods reach these ports through their node's proxy: ${listed}${others}` };
}

function mayBeHttp({ port, protocol, appProtocol }: ServicePort): boolean {
  if ((protocol ?? "TCP") !== "TCP" || !isPort(port)) return false;
  return appProtocol === undefined || ["", "http", "kubernetes.io/ws"].includes(appProtocol);
}

/** The TrafficSplit that a Service's requests from pods obey: the oldest of those that name it. */
export function splitOfService(splits: readonly TrafficSplit[]): TrafficSplit | undefined {
  const keyOf = ({ metadata }: TrafficSplit): string => `${metadata.creationTimestamp ?? ""} ${metadata.name}`;
  return splits.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))[0];
}

/** `namespace/name` of the Service that the chosen users of a split get. */
export function candidateOf({ metadata, spec }: TrafficSplit): string {
  return `${metadata.namespace}/${spec.to.service}`;
}
