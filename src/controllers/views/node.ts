import type { Node, NodeCondition, NodeSystemInfo, Taint } from "#api/generated/core-v1.ts";
import type { Lease } from "#api/generated/coordination-v1.ts";
import { leases, nodes } from "#api/generated/resources.ts";
import type { InformerDeclaration } from "#reconcile/informer.ts";
import { objectIndexes, objectView, type ObjectView } from "#reconcile/object-view.ts";

/** What the controllers keep of a node. */
export interface NodeView extends ObjectView {
  readonly taints: readonly Taint[];
  readonly conditions: readonly NodeCondition[];
  readonly unschedulable: boolean;
  /** `region/zone`; "" when unlabelled. */
  readonly zone: string;
  readonly topologyZone: string;
  /** Versions and names that the node tells of itself. */
  readonly info: Partial<NodeSystemInfo>;
  /** Where its agent listens; "" and 0 while unknown. */
  readonly address: string;
  readonly agentPort: number;
  readonly podRange: string;
  readonly providerId: string;
  readonly capacity: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
}

export interface LeaseView extends ObjectView {
  readonly holder: string;
  readonly renewTime: string;
}

export const nodeDeclaration: InformerDeclaration<Node, NodeView> = {
  resource: nodes,
  project: projectNode,
  indexes: objectIndexes,
};

/** Leases; those of node agents are in kube-node-lease. */
export const leaseDeclaration: InformerDeclaration<Lease, LeaseView> = {
  resource: leases,
  indexes: objectIndexes,
  project: (lease) => ({
    ...objectView(lease.metadata),
    holder: lease.spec?.holderIdentity ?? "",
    renewTime: lease.spec?.renewTime ?? "",
  }),
};

function projectNode(node: Node): NodeView {
  const view = objectView(node.metadata);
  const region = view.labels["topology.kubernetes.io/region"] ?? "";
  const zone = view.labels["topology.kubernetes.io/zone"] ?? "";
  return {
    ...view,
    taints: node.spec?.taints ?? [],
    conditions: node.status?.conditions ?? [],
    unschedulable: node.spec?.unschedulable === true,
    zone: region === "" && zone === "" ? "" : `${region}/${zone}`,
    topologyZone: zone,
    info: node.status?.nodeInfo ?? {},
    address: node.status?.addresses?.find(({ type }) => type === "InternalIP")?.address ?? "",
    agentPort: node.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 0,
    podRange: node.spec?.podCIDR ?? "",
    providerId: node.spec?.providerID ?? "",
    capacity: node.status?.capacity ?? {},
    allocatable: node.status?.allocatable ?? {},
  };
}
