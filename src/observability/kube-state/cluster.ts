import { parseQuantity, quantityToNumber } from "#codec/quantity.ts";
import { FamilyBuilder, type StateObject } from "./builder.ts";

export interface StateNode extends StateObject {
  readonly unschedulable: boolean;
  readonly taints: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  readonly conditions: readonly { readonly type: string; readonly status: string }[];
  readonly info: {
    readonly kernelVersion?: string;
    readonly osImage?: string;
    readonly containerRuntimeVersion?: string;
    readonly kubeletVersion?: string;
    readonly systemUUID?: string;
  };
  readonly address: string;
  readonly podRange: string;
  readonly providerId: string;
  readonly capacity: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
}

export interface StateNamespace extends StateObject {
  readonly phase: string;
}

export interface StateService extends StateObject {
  readonly type: string;
  readonly clusterIp: string;
  readonly externalName: string;
  readonly loadBalancerIp: string;
}

const units: Readonly<Record<string, string>> = {
  cpu: "core",
  memory: "byte",
  "ephemeral-storage": "byte",
  pods: "integer",
};

/** kube-state-metrics' series of nodes. */
export function nodeStates(into: FamilyBuilder, nodes: Iterable<StateNode>): void {
  for (const node of nodes) {
    const labels = { node: node.name };
    const { info } = node;
    const told = {
      kernel_version: info.kernelVersion ?? "",
      os_image: info.osImage ?? "",
      container_runtime_version: info.containerRuntimeVersion ?? "",
      kubelet_version: info.kubeletVersion ?? "",
      kubeproxy_version: info.kubeletVersion ?? "",
      provider_id: node.providerId,
      pod_cidr: node.podRange,
      system_uuid: info.systemUUID ?? "",
      internal_ip: node.address,
    };
    into.gauge("kube_node_info", "Information about a cluster node.", { ...labels, ...told }, 1);
    into.gauge("kube_node_created", "Unix creation timestamp", labels, node.createdMs / 1000);
    into.gauge(
      "kube_node_spec_unschedulable",
      "Whether a node can schedule new pods.",
      labels,
      Number(node.unschedulable),
    );
    for (const { key, value, effect } of node.taints) {
      into.gauge(
        "kube_node_spec_taint",
        "The taint of a cluster node.",
        { ...labels, key, value: value ?? "", effect },
        1,
      );
    }
    into.conditions("kube_node_status_condition", "The condition of a cluster node.", labels, node.conditions);
    amounts(
      into,
      "kube_node_status_capacity",
      "The capacity for different resources of a node.",
      labels,
      node.capacity,
    );
    const help = "The allocatable for different resources of a node that are available for scheduling.";
    amounts(into, "kube_node_status_allocatable", help, labels, node.allocatable);
  }
}

function amounts(
  into: FamilyBuilder,
  name: string,
  help: string,
  labels: Readonly<Record<string, string>>,
  given: Readonly<Record<string, string>>,
): void {
  for (const resource in given) {
    const parsed = parseQuantity(given[resource] ?? "");
    if (!parsed.ok) continue;
    const described = {
      ...labels,
      resource: resource.replaceAll(/[^a-zA-Z0-9_]/g, "_"),
      unit: units[resource] ?? "integer",
    };
    into.gauge(name, help, described, quantityToNumber(parsed.quantity));
  }
}

/** kube-state-metrics' series of namespaces and Services. */
export function namespaceStates(into: FamilyBuilder, namespaces: Iterable<StateNamespace>): void {
  for (const { name, createdMs, phase } of namespaces) {
    const labels = { namespace: name };
    into.gauge("kube_namespace_created", "Unix creation timestamp", labels, createdMs / 1000);
    into.states(
      "kube_namespace_status_phase",
      "kubernetes namespace status phase.",
      labels,
      "phase",
      ["Active", "Terminating"],
      phase,
    );
  }
}

export function serviceStates(into: FamilyBuilder, services: Iterable<StateService>): void {
  for (const { namespace, name, uid, createdMs, type, clusterIp, externalName, loadBalancerIp } of services) {
    const labels = { namespace, service: name, uid };
    const told = { cluster_ip: clusterIp, external_name: externalName, load_balancer_ip: loadBalancerIp };
    into.gauge("kube_service_info", "Information about service.", { ...labels, ...told }, 1);
    into.gauge("kube_service_created", "Unix creation timestamp", labels, createdMs / 1000);
    into.gauge("kube_service_spec_type", "Type about service.", { ...labels, type }, 1);
  }
}
