import { dependenciesCondition, dependencyGate } from "#api/apps/depends-on.ts";
import type { Pod } from "#api/generated/core-v1.ts";
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

/** What a workload, or a pod of one, waits for before it starts; undefined when it waits for no other workload. */
export async function waitingFor(
  client: Client,
  object: ApiObject,
  resourceNamed: (word: string) => Resource<unknown>,
): Promise<string | undefined> {
  if (object.kind !== "Pod") return messageOf(object);
  const { metadata, spec } = object as ApiObject & Pod;
  if (spec.schedulingGates?.some(({ name }) => name === dependencyGate) !== true) return undefined;
  let owner: OwnerReference | undefined = controllerOf(object);
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
