/** One group of targets, as Prometheus' HTTP discovery reads it. */
export interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface TargetPod {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  readonly phase: string;
  readonly ips: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly { readonly port: number }[];
}

export interface TargetNode {
  readonly name: string;
  readonly address: string;
  readonly agentPort: number;
}

export interface TargetService {
  readonly namespace: string;
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** Of its EndpointSlices. */
  readonly endpoints: readonly {
    readonly address: string;
    readonly port: number;
    readonly portName: string;
    readonly pod: string;
    readonly node: string;
  }[];
}

const meta = "__meta_kubernetes_";
const annotationPrefix = "prometheus.io/";
const versionLabels = ["version", "app.kubernetes.io/version"];

/** Pods that ask to be scraped, with the labels of Prometheus' own discovery. */
export function podTargets(pods: Iterable<TargetPod>): readonly TargetGroup[] {
  const groups: TargetGroup[] = [];
  for (const pod of pods) {
    const [address] = pod.ips;
    if (pod.annotations[`${annotationPrefix}scrape`] !== "true" || address === undefined) continue;
    const port = pod.ports[0]?.port;
    const labels: Record<string, string> = {
      [`${meta}namespace`]: pod.namespace,
      [`${meta}pod_name`]: pod.name,
      [`${meta}pod_node_name`]: pod.node,
      [`${meta}pod_phase`]: pod.phase,
      ...asked("pod", pod.annotations),
    };
    for (const key of versionLabels) {
      const value = pod.labels[key];
      if (value !== undefined) labels[`${meta}pod_label_${labelName(key)}`] = value;
    }
    groups.push({ targets: [port === undefined ? address : `${address}:${port}`], labels });
  }
  return groups;
}

/** Agents, where their Nodes say that they listen. */
export function nodeTargets(nodes: Iterable<TargetNode>): readonly TargetGroup[] {
  return Array.from(nodes, ({ name, address, agentPort }) => ({
    targets: [`${address}:${agentPort}`],
    // Prometheus' own discovery names a node's targets after it.
    labels: { [`${meta}node_name`]: name, instance: name },
  })).filter(({ targets }) => !targets[0]!.startsWith(":"));
}

/** Endpoints of Services that ask to be scraped, and the API server's own. */
export function endpointTargets(services: Iterable<TargetService>): readonly TargetGroup[] {
  const groups: TargetGroup[] = [];
  for (const { namespace, name, annotations, endpoints } of services) {
    const isApi = namespace === "default" && name === "kubernetes";
    if (!isApi && annotations[`${annotationPrefix}scrape`] !== "true") continue;
    for (const { address, port, portName, pod, node } of endpoints) {
      groups.push({
        targets: [`${address}:${port}`],
        labels: {
          [`${meta}namespace`]: namespace,
          [`${meta}service_name`]: name,
          [`${meta}endpointslice_port_name`]: portName,
          ...(pod === "" ? {} : { [`${meta}pod_name`]: pod, [`${meta}pod_node_name`]: node }),
          ...asked("service", annotations),
        },
      });
    }
  }
  return groups;
}

function asked(kind: "pod" | "service", annotations: Readonly<Record<string, string>>): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const key of ["scrape", "path", "port", "scheme"]) {
    const value = annotations[`${annotationPrefix}${key}`];
    if (value !== undefined) labels[`${meta}${kind}_annotation_${labelName(`${annotationPrefix}${key}`)}`] = value;
  }
  return labels;
}

function labelName(key: string): string {
  return key.replaceAll(/[^a-zA-Z0-9_]/g, "_");
}
