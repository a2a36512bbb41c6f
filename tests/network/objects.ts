import type { Service, ServicePort, ServiceSpec } from "#api/generated/core-v1.ts";
import type { Endpoint, EndpointSlice } from "#api/generated/discovery-v1.ts";
import type { NodeFacts } from "#network/service-proxy/facts.ts";

/** What tests of the network say about a node, unless they say otherwise. */
export const facts: NodeFacts = {
  table: "steer_test",
  nodeName: "n1",
  clusterPods: "10.244.0.0/16",
  nodePods: "10.244.1.0/24",
  serviceRanges: ["10.96.0.0/16"],
  dnsAddress: "10.96.0.10",
};

/** A Service in the namespace `default` with one TCP port 80 unless told. */
export function service(name: string, spec: Partial<ServiceSpec>, ports?: Partial<ServicePort>[]): Service {
  return {
    metadata: { name, namespace: "default", uid: `uid-${name}`, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: {
      type: "ClusterIP",
      ...spec,
      ports: (ports ?? [{}]).map((port) => ({ port: 80, protocol: "TCP", ...port })),
    },
    status: {},
  } as Service;
}

/** A slice of a Service; endpoints as `address` or `address@node`, ready unless described. */
export function slice(of: string, port: number, endpoints: (string | Endpoint)[], protocol = "TCP"): EndpointSlice {
  return {
    metadata: { name: `${of}-${port}`, namespace: "default", labels: { "kubernetes.io/service-name": of } },
    addressType: "IPv4",
    endpoints: endpoints.map((endpoint) => (typeof endpoint === "string" ? ready(endpoint) : endpoint)),
    ports: [{ name: "", port, protocol }],
  };
}

export function ready(text: string): Endpoint {
  const [address = "", nodeName = "n1"] = text.split("@");
  return { addresses: [address], conditions: { ready: true, serving: true, terminating: false }, nodeName };
}

export function ending(text: string): Endpoint {
  return { ...ready(text), conditions: { ready: false, serving: true, terminating: true } };
}

/** A split of the users of the Service web, told by a header that pods pass on. */
export const splitByHeader = {
  apiVersion: "delivery.steersman.dev/v1",
  kind: "TrafficSplit",
  metadata: { namespace: "default", name: "web", uid: "s" },
  spec: {
    service: "web",
    to: { service: "web-canary" },
    users: { header: "X-User" },
    hashKey: "0123456789abcdef",
    threshold: 5_000,
    run: "r-1",
  },
};
