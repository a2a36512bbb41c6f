import type { Cidr } from "#base/cidr.ts";

/** What the rules of a node depend on beside Services and EndpointSlices. A change of it replaces the whole table. */
export interface NodeFacts {
  /** Name of the nftables table: carries the cluster's id. */
  readonly table: string;
  readonly nodeName: string;
  readonly zone?: string;
  /** The pods of all nodes. */
  readonly clusterPods: Cidr;
  /** The pods of this node; absent until the node has its range. */
  readonly nodePods?: Cidr;
  /** Whatever is sent there is for a Service. */
  readonly serviceRanges: readonly Cidr[];
  /** The cluster's DNS address, answered by the node itself: no rule of ours may catch it. */
  readonly dnsAddress: string;
  /** The node's proxy, when it serves Services to pods. */
  readonly proxy?: ProxyFacts;
}

/** Where packet rules send connections for Services that go through the node's proxy. */
export interface ProxyFacts {
  readonly address: string;
  readonly port: number;
  /** Whom the proxy runs as: its own connections are never sent to it. Absent: those of no process of the node are. */
  readonly userId?: number;
}

/** A pod of this node that wants ports of the node. */
export interface HostPort {
  /** `namespace/name` of the pod. */
  readonly pod: string;
  /** The node's address that the port is wanted on; absent: all. */
  readonly hostAddress?: string;
  readonly hostPort: number;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly address: string;
  readonly port: number;
}
