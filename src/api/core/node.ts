import { ageColumn, column, nameColumn, wideColumn } from "../columns.ts";
import type { Node } from "../generated/core-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { keepSpec, keepStatus } from "../strategy.ts";
import { collect } from "../validation/field-errors.ts";
import { validateNode, validateNodeUpdate } from "../validation/node.ts";

const roleLabelPrefix = "node-role.kubernetes.io/";
const roleLabel = "kubernetes.io/role";

function rolesOf(node: Node): string {
  const roles = new Set<string>();
  for (const key in node.metadata.labels) {
    if (key.startsWith(roleLabelPrefix)) {
      const role = key.slice(roleLabelPrefix.length);
      if (role !== "") roles.add(role);
    } else if (key === roleLabel && node.metadata.labels[key]) {
      roles.add(node.metadata.labels[key]);
    }
  }
  return roles.size === 0 ? "<none>" : [...roles].sort().join(",");
}

function statusOf(node: Node): string {
  const ready = node.status?.conditions?.find((condition) => condition.type === "Ready");
  const words = [ready === undefined ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady"];
  if (node.spec?.unschedulable === true) words.push("SchedulingDisabled");
  return words.join(",");
}

function addressOf(node: Node, type: string): string {
  return node.status?.addresses?.find((address) => address.type === type)?.address ?? "<none>";
}

function known(text: string | undefined): string {
  return text === undefined || text === "" ? "<unknown>" : text;
}

export const nodeRules: KindRules<Node> = {
  defaults(node) {
    if (node.status?.capacity !== undefined && node.status.allocatable === undefined) {
      node.status.allocatable = { ...node.status.capacity };
    }
  },
  prepareUpdate(node, old, context) {
    if (context.subresource === "status") {
      const { labels } = node.metadata;
      keepSpec(node, old);
      // Unlike other kinds, a node's labels may be changed together with its status.
      if (labels !== undefined) node.metadata.labels = labels;
    } else {
      keepStatus(node, old);
    }
  },
  validate: (node) => collect((errors) => validateNode(errors, node)),
  validateUpdate: (node, old) => collect((errors) => validateNodeUpdate(errors, node, old)),
  countsGeneration: false,
  columns: [
    nameColumn,
    column("Status", "The status of the node"),
    column("Roles", "The roles of the node"),
    ageColumn,
    column("Version", "Kubelet Version reported by the node."),
    wideColumn("Internal-IP", "List of addresses reachable to the node."),
    wideColumn("External-IP", "List of addresses reachable to the node."),
    wideColumn("OS-Image", "OS Image reported by the node from /etc/os-release (e.g. Debian GNU/Linux 7 (wheezy))."),
    wideColumn("Kernel-Version", "Kernel Version reported by the node from 'uname -r' (e.g. 3.16.0-0.bpo.4-amd64)."),
    wideColumn(
      "Container-Runtime",
      "ContainerRuntime Version reported by the node through runtime remote API (e.g. containerd://1.4.2).",
    ),
  ],
  cells: (node, now) => [
    node.metadata.name,
    statusOf(node),
    rolesOf(node),
    ageOf(node.metadata.creationTimestamp, now),
    node.status?.nodeInfo?.kubeletVersion ?? "",
    addressOf(node, "InternalIP"),
    addressOf(node, "ExternalIP"),
    known(node.status?.nodeInfo?.osImage),
    known(node.status?.nodeInfo?.kernelVersion),
    known(node.status?.nodeInfo?.containerRuntimeVersion),
  ],
  fieldSelectors: { "spec.unschedulable": (node) => String(node.spec?.unschedulable ?? false) },
};
