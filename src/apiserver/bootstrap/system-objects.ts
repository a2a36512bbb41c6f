import type { Endpoints, Namespace, Service } from "#api/generated/core-v1.ts";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import type { ServiceCIDR } from "#api/generated/networking-v1.ts";
import type { PriorityClass } from "#api/generated/scheduling-v1.ts";
import type { StorageClass } from "#api/generated/storage-v1.ts";
import type { Draft } from "#api/resource.ts";
import { addressAt } from "#base/cidr.ts";

/** What a cluster is told about itself. Addresses are IPv4. */
export interface ClusterFacts {
  readonly serviceRange: string;
  /** Where the API listens, as pods reach it: a node's address, never a loopback one. */
  readonly apiAddress: string;
  readonly apiPort: number;
  /** Where DNS is answered; none: the slice of kube-dns is left to whoever runs it. */
  readonly dnsEndpoints: readonly string[];
  /** PEM of the CA that signs client certificates, for API servers that extend this one. */
  readonly clientCa: string;
  /** PEM of the CA of the certificate by which those servers trust the headers that say who asks; absent: none are trusted. */
  readonly frontProxyCa?: string;
}

/** The first address of the services' range is the API, the tenth the DNS. */
export function apiServiceAddress(serviceRange: string): string {
  return addressAt(serviceRange, 1);
}

export function dnsServiceAddress(serviceRange: string): string {
  return addressAt(serviceRange, 10);
}

export const systemNamespaces: readonly Draft<Namespace>[] = [
  "default",
  "kube-system",
  "kube-public",
  "kube-node-lease",
].map((name) => ({
  metadata: { name },
}));

export const systemPriorityClasses: readonly Draft<PriorityClass>[] = [
  {
    metadata: { name: "system-cluster-critical" },
    value: 2_000_000_000,
    description:
      "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
  },
  {
    metadata: { name: "system-node-critical" },
    value: 2_000_001_000,
    description: "Used for system critical pods that must not be moved from their current node.",
  },
];

/** Claims of this class get a folder of the node on which they are first used. */
export const localStorageClass: Draft<StorageClass> = {
  metadata: { name: "local", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
  provisioner: "steersman.dev/local",
  reclaimPolicy: "Delete",
  volumeBindingMode: "WaitForFirstConsumer",
  allowVolumeExpansion: true,
};

export function serviceCidr(serviceRange: string): Draft<ServiceCIDR> {
  return { metadata: { name: "kubernetes" }, spec: { cidrs: [serviceRange] } };
}

export function apiService(facts: ClusterFacts): Draft<Service> {
  return {
    metadata: { name: "kubernetes", namespace: "default", labels: { component: "apiserver", provider: "kubernetes" } },
    spec: {
      type: "ClusterIP",
      clusterIP: apiServiceAddress(facts.serviceRange),
      ports: [{ name: "https", protocol: "TCP", port: 443, targetPort: facts.apiPort }],
    },
  };
}

export function dnsService(facts: ClusterFacts): Draft<Service> {
  return {
    metadata: {
      name: "kube-dns",
      namespace: "kube-system",
      labels: { "k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS" },
    },
    spec: {
      type: "ClusterIP",
      clusterIP: dnsServiceAddress(facts.serviceRange),
      ports: dnsPorts.map(({ name, port, protocol }) => ({ name, port, protocol, targetPort: port })),
    },
  };
}

const dnsPorts = [
  { name: "dns", port: 53, protocol: "UDP" },
  { name: "dns-tcp", port: 53, protocol: "TCP" },
  { name: "metrics", port: 9153, protocol: "TCP" },
] as const;

/** Written by the server itself, so not mirrored from one kind to the other. */
export function apiEndpoints(facts: ClusterFacts): Draft<Endpoints> {
  return {
    metadata: {
      name: "kubernetes",
      namespace: "default",
      labels: { "endpointslice.kubernetes.io/skip-mirror": "true" },
    },
    subsets: [
      { addresses: [{ ip: facts.apiAddress }], ports: [{ name: "https", port: facts.apiPort, protocol: "TCP" }] },
    ],
  };
}

export function apiEndpointSlice(facts: ClusterFacts): Draft<EndpointSlice> {
  return {
    metadata: { name: "kubernetes", namespace: "default", labels: { "kubernetes.io/service-name": "kubernetes" } },
    addressType: "IPv4",
    endpoints: [{ addresses: [facts.apiAddress], conditions: { ready: true } }],
    ports: [{ name: "https", port: facts.apiPort, protocol: "TCP" }],
  };
}

export function dnsEndpointSlice(facts: ClusterFacts): Draft<EndpointSlice> {
  return {
    metadata: { name: "kube-dns", namespace: "kube-system", labels: { "kubernetes.io/service-name": "kube-dns" } },
    addressType: "IPv4",
    endpoints: facts.dnsEndpoints.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports: dnsPorts.map((port) => ({ ...port })),
  };
}
