import type { Namespace, Node, Pod, Service } from "#api/generated/core-v1.ts";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import type { ObjectMeta } from "#api/generated/meta-v1.ts";
import type { ServiceCIDR } from "#api/generated/networking-v1.ts";
import { endpointslices, namespaces, nodes, pods, servicecidrs, services } from "#api/generated/resources.ts";
import { isTerminalPhase } from "#api/pod-readiness.ts";
import type { Informer, InformerDeclaration } from "#reconcile/informer.ts";
import type { Informers } from "#reconcile/informers.ts";
import { serviceOfSlice } from "./service-proxy/compile.ts";

/** What the loops of a node's network look at; one informer of each. */
export interface Observed {
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  readonly nodes: Informer<NodeView>;
  /** The ranges that each ServiceCIDR names. */
  readonly serviceRanges: Informer<readonly string[]>;
  /** Labels. */
  readonly namespaces: Informer<Readonly<Record<string, string>>>;
  /** The pods of this node. */
  readonly ownPods: Informer<PodView>;
}

/** What the network needs of a Node. */
export interface NodeView {
  readonly name: string;
  readonly podRange: string | undefined;
  readonly zone: string | undefined;
  readonly addresses: readonly string[];
  readonly uid: string;
  readonly ready: boolean;
}

/** What the network needs of a pod. */
export interface PodView {
  readonly key: string;
  readonly address: string | undefined;
  readonly hostNetwork: boolean;
  readonly ended: boolean;
  readonly hostPorts: readonly {
    readonly hostAddress?: string;
    readonly hostPort: number;
    readonly protocol: string;
    readonly port: number;
  }[];
}

export const servicesDeclaration: InformerDeclaration<Service, Service> = {
  resource: services,
  project: ({ metadata, spec, status }) => ({ metadata: lean(metadata), spec, status }),
  indexes: { address: ({ spec }) => spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]) },
};

export const slicesDeclaration: InformerDeclaration<EndpointSlice, EndpointSlice> = {
  resource: endpointslices,
  project: ({ metadata, addressType, endpoints, ports }) => ({
    metadata: lean(metadata),
    addressType,
    endpoints: endpoints ?? [],
    ports: ports ?? [],
  }),
  indexes: {
    service: (slice) => [serviceOfSlice(slice)],
    address: ({ endpoints }) => endpoints.flatMap(({ addresses }) => addresses.slice(0, 1)),
  },
};

/** Shared by the node's loops and the server's. */
export const nodesDeclaration: InformerDeclaration<Node, NodeView> = { resource: nodes, project: nodeView };
const namespacesDeclaration: InformerDeclaration<Namespace, Readonly<Record<string, string>>> = {
  resource: namespaces,
  metadataOnly: true,
  project: ({ metadata }) => metadata.labels ?? {},
};

const serviceRangesDeclaration: InformerDeclaration<ServiceCIDR, readonly string[]> = {
  resource: servicecidrs,
  project: ({ spec }) => spec?.cidrs ?? [],
};

/** The informers for a node's network. */
export function observe(informers: Informers, nodeName: string): Observed {
  return {
    services: informers.of(servicesDeclaration),
    slices: informers.of(slicesDeclaration),
    nodes: informers.of(nodesDeclaration),
    serviceRanges: informers.of(serviceRangesDeclaration),
    namespaces: informers.of(namespacesDeclaration),
    ownPods: informers.of({ resource: pods, fieldSelector: `spec.nodeName=${nodeName}`, project: podView }),
  };
}

/** What the network needs of a Node. */
export function nodeView({ metadata, spec, status }: Node): NodeView {
  return {
    name: metadata.name ?? "",
    podRange: spec?.podCIDR ?? spec?.podCIDRs?.[0],
    zone: metadata.labels?.["topology.kubernetes.io/zone"],
    addresses: (status?.addresses ?? []).filter(({ type }) => type === "InternalIP").map(({ address }) => address),
    uid: metadata.uid ?? "",
    ready: (status?.conditions ?? []).some(({ type, status: is }) => type === "Ready" && is === "True"),
  };
}

/** What the network needs of a pod. */
export function podView({ metadata, spec, status }: Pod): PodView {
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  return {
    key: `${metadata.namespace}/${metadata.name}`,
    address: status?.podIP,
    hostNetwork: spec.hostNetwork ?? false,
    ended: isTerminalPhase(status?.phase),
    hostPorts: containers.flatMap(({ ports }) =>
      (ports ?? []).flatMap(({ hostIP, hostPort, protocol, containerPort }) => {
        if (hostPort === undefined || hostPort === 0) return [];
        const at = hostIP === undefined ? {} : { hostAddress: hostIP };
        return [{ ...at, hostPort, protocol: protocol ?? "TCP", port: containerPort }];
      }),
    ),
  };
}

function lean({ name, namespace, uid, creationTimestamp, labels, annotations }: ObjectMeta): ObjectMeta {
  return {
    ...(name === undefined ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}
