import { dependenciesCondition, dependencyGate } from "#api/apps/depends-on.ts";
import type { Pod } from "#api/generated/core-v1.ts";
import { nodes, persistentvolumeclaims } from "#api/generated/resources.ts";
import type { OwnerReference } from "#api/generated/meta-v1.ts";
import type { ApiObject } from "#api/kind.ts";
import type { Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";

/** A pod's owners up to its workload: ReplicaSet, then Deployment. */
const ownersMax = 3;

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly message?: string;
}

/** What a workload or a pod waits for before it starts, as far as nobody records it; undefined when it waits for nothing such. */
export async function waitingFor(
  client: Client,
  object: ApiObject,
  resourceNamed: (word: string) => Resource<unknown>,
): Promise<string | undefined> {
  if (object.kind !== "Pod") return messageOf(object);
  const pod = object as ApiObject & Pod;
  if (pod.spec.nodeName !== undefined) return waitingForNode(client, pod.spec.nodeName);
  const gates = (pod.spec.schedulingGates ?? []).map(({ name }) => name);
  const others = gates.filter((name) => name !== dependencyGate);
  if (others.length > 0) return `waits until somebody takes its scheduling gates away: ${others.join(", ")}`;
  return gates.length > 0 ? waitingForWorkloads(client, pod, resourceNamed) : waitingForScheduler(client, pod);
}

async function waitingForNode(client: Client, name: string): Promise<string | undefined> {
  return (await client.find(nodes, { name })) === undefined
    ? `waits for node ${name}, which does not exist`
    : undefined;
}

/** Claims that are not bound while it is asked for, or a scheduler that is none of the cluster's. */
async function waitingForScheduler(client: Client, { metadata, spec, status }: Pod): Promise<string | undefined> {
  const isJudged = status?.conditions?.some(({ type }) => type === "PodScheduled") === true;
  if (isJudged) return undefined;
  const at = metadata.namespace === undefined ? {} : { namespace: metadata.namespace };
  for (const { persistentVolumeClaim } of spec.volumes ?? []) {
    if (persistentVolumeClaim === undefined) continue;
    const name = persistentVolumeClaim.claimName;
    const claim = await client.find(persistentvolumeclaims, { ...at, name });
    if (claim !== undefined && claim.status.phase !== "Bound")
      return `waits for its claim ${name}, which is not bound (kubectl describe pvc ${name})`;
  }
  const { schedulerName = "" } = spec;
  return schedulerName === "" || schedulerName === "default-scheduler"
    ? undefined
    : `waits for the scheduler ${schedulerName}, which has said nothing yet`;
}

/** What the workload above a pod says that its pods wait for. */
async function waitingForWorkloads(
  client: Client,
  pod: ApiObject & Pod,
  resourceNamed: (word: string) => Resource<unknown>,
): Promise<string | undefined> {
  const { metadata } = pod;
  let owner: OwnerReference | undefined = controllerOf(pod);
  for (let depth = 0; owner !== undefined && depth < ownersMax; depth += 1) {
    const at = { ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }), name: owner.name };
    const found = (await client.find(resourceNamed(owner.kind.toLowerCase()), at)) as ApiObject | undefined;
    if (found === undefined) return undefined;
    const message = messageOf(found);
    if (message !== undefined) return `${owner.kind.toLowerCase()}/${owner.name} ${message}`;
    owner = controllerOf(found);
  }
  return undefined;
}

function controllerOf({ metadata }: ApiObject): OwnerReference | undefined {
  return metadata.ownerReferences?.find((owner) => owner.controller === true);
}

function messageOf(object: ApiObject): string | undefined {
  const { conditions = [] } = (object["status"] ?? {}) as { readonly conditions?: readonly Condition[] };
  return conditions.find(({ type, status }) => type === dependenciesCondition && status === "False")?.message;
}
