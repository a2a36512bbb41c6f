/** Labels that a node's agent sets by itself, about the machine it runs on. */
const ownLabels = new Set([
  "kubernetes.io/hostname",
  "kubernetes.io/arch",
  "kubernetes.io/os",
  "beta.kubernetes.io/arch",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/instance-type",
  "node.kubernetes.io/instance-type",
  "failure-domain.beta.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.kubernetes.io/region",
  "failure-domain.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "topology.kubernetes.io/zone",
]);
const ownPrefixes = ["kubelet.kubernetes.io", "node.kubernetes.io"];

/** The changed labels that a node may not give itself: people steer pods by them (Kubernetes: "Node restriction"). */
export function refusedNodeLabels(
  asked: Readonly<Record<string, string>> | undefined,
  old: Readonly<Record<string, string>> | undefined,
): string[] {
  const keys = new Set([...Object.keys(asked ?? {}), ...Object.keys(old ?? {})]);
  return [...keys].filter((key) => asked?.[key] !== old?.[key] && isRefused(key)).sort();
}

function isRefused(key: string): boolean {
  const slash = key.indexOf("/");
  if (slash === -1) return false;
  const prefix = key.slice(0, slash);
  const inDomain = (domain: string): boolean => prefix === domain || prefix.endsWith(`.${domain}`);
  if (inDomain("node-restriction.kubernetes.io")) return true;
  if (!inDomain("kubernetes.io") && !inDomain("k8s.io")) return false;
  return !ownLabels.has(key) && !ownPrefixes.some(inDomain);
}
