import { contenders } from "./demanding-workloads.ts";
import type { ObservedState, Stored } from "./history.ts";

/** Kinds whose end state a user cares for; all others follow from them, or are history. */
const compared = [
  "pods",
  "apps/deployments",
  "apps/statefulsets",
  "apps/daemonsets",
  "batch/jobs",
  "services",
  "discovery.k8s.io/endpointslices",
  "persistentvolumeclaims",
  "resource.k8s.io/resourceclaims",
] as const;

const counts = [
  "phase",
  "replicas",
  "readyReplicas",
  "updatedReplicas",
  "availableReplicas",
  "succeeded",
  "numberReady",
  "updatedNumberScheduled",
] as const;

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
}

/**
 * What stands in the end, as sorted lines, without what differs between two runs to the same end: names that were made up, uids,
 * times, addresses, places, revisions, and who of equals found the last room. Two runs of one user end in the same lines, whatever
 * happened meanwhile (invariants 27, 28).
 */
export function finalState(state: ObservedState): string[] {
  const lines: string[] = [];
  for (const resource of compared)
    for (const object of state.all(resource).values())
      if (!contenders.has(labelOf(object) ?? object.metadata.name)) lines.push(`${resource} ${describe(object)}`);
  return lines.sort();
}

function describe(object: Stored): string {
  const { metadata, status = {} } = object;
  const owner = metadata.ownerReferences?.find((one) => one.controller === true);
  const isNamedByController =
    metadata.generateName !== undefined || (owner !== undefined && owner.kind !== "StatefulSet");
  // A pod's own name was made up as well, after its generation's.
  const ofOwner = owner?.kind === "Pod" ? owner.name.replace(/-[a-z0-9]{5}$/, "") : owner?.name;
  const name = isNamedByController ? `of ${owner?.kind} ${labelOf(object) ?? ofOwner}` : metadata.name;
  const found: string[] = counts.flatMap((count) =>
    status[count] === undefined ? [] : [`${count}=${String(status[count])}`],
  );
  const conditions = (status["conditions"] ?? []) as readonly Condition[];
  // Why something progresses is history, and so is a disruption that never came.
  for (const { type, status: value } of conditions)
    if (type !== "Progressing" && (type !== "DisruptionTarget" || value === "True")) found.push(`${type}=${value}`);
  const containers = (object.spec?.["containers"] ?? []) as readonly { readonly image?: string }[];
  found.push(...containers.map(({ image }) => `image=${image}`));
  const endpoints = (object["endpoints"] ?? []) as readonly { readonly conditions?: { readonly ready?: boolean } }[];
  found.push(...endpoints.map((endpoint) => `ready=${endpoint.conditions?.ready}`));
  return `${metadata.namespace}/${name} ${found.sort().join(" ")}`;
}

/** Pods of one Deployment have ReplicaSets with other names: what their workload calls them is the same. */
function labelOf({ metadata }: Stored): string | undefined {
  return metadata.labels?.["app"] ?? metadata.labels?.["kubernetes.io/service-name"];
}
