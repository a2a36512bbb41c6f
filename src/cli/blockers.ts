import type { NamespaceStatus, NodeStatus, Pod } from "#api/generated/core-v1.ts";
import { namespaces, nodes, pods } from "#api/generated/resources.ts";
import type { ApiObject } from "#api/kind.ts";
import type { Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";
import { UnknownResourceError } from "./why.ts";

const namedMax = 10;
/** Objects of one resource in a namespace that are looked at. */
const listedMax = 500;
/** Resources whose objects can hold the deletion of their owner back. */
const dependentResources = [
  "deployments",
  "replicasets",
  "statefulsets",
  "daemonsets",
  "jobs",
  "pods",
  "persistentvolumeclaims",
];

/** Whom the deletion of an object waits for, a sentence each; empty when it is not being deleted. */
export async function blockersOf(
  client: Client,
  resource: Resource<unknown>,
  object: ApiObject,
  resourceNamed: (word: string) => Resource<unknown>,
): Promise<string[]> {
  if (object.metadata.deletionTimestamp === undefined) return [];
  const found: string[] = [];
  for (const finalizer of object.metadata.finalizers ?? [])
    found.push(...(await heldBy(client, finalizer, object, resourceNamed)));
  if (resource === (namespaces as Resource<unknown>))
    found.push(...(await namespaceBlockers(client, object, resourceNamed)));
  if (resource === (pods as Resource<unknown>)) found.push(...(await runningOn(client, object as ApiObject & Pod)));
  return found;
}

async function heldBy(
  client: Client,
  finalizer: string,
  object: ApiObject,
  resourceNamed: (word: string) => Resource<unknown>,
): Promise<string[]> {
  const { namespace, name = "" } = object.metadata;
  switch (finalizer) {
    case "kubernetes.io/pvc-protection": {
      const { items } = await client.list(pods, namespace === undefined ? {} : { namespace });
      const users = items.filter((pod) => usesClaim(pod, name)).map((pod) => pod.metadata.name ?? "");
      return [users.length === 0 ? `${finalizer}: no pod uses it any more` : `pods that use it: ${named(users)}`];
    }
    case "kubernetes.io/pv-protection": {
      const { claimRef } = object["spec"] as { claimRef?: { namespace?: string; name?: string } };
      return claimRef === undefined
        ? [finalizer]
        : [`its claim ${claimRef.namespace}/${claimRef.name}, to which it is bound`];
    }
    case "networking.k8s.io/service-cidr-finalizer":
      return ["Services that have addresses of no other range (kubectl get ipaddresses)"];
    case "foregroundDeletion":
      return [`dependents that go first: ${named(await dependents(client, object, resourceNamed))}`];
    case "orphan":
      return ["dependents that are let go one by one"];
    case "steersman.dev/volume-folder": {
      const node = object.metadata.annotations?.["steersman.dev/node"] ?? "";
      return [`the agent of node ${node}, which has to remove its folder`];
    }
    default:
      return [`finalizer ${finalizer}, which only its controller or a person takes away`];
  }
}

async function dependents(
  client: Client,
  owner: ApiObject,
  resourceNamed: (word: string) => Resource<unknown>,
): Promise<string[]> {
  const found: string[] = [];
  const { namespace, uid } = owner.metadata;
  for (const word of dependentResources) {
    const { items } = await client.list(resourceNamed(word), namespace === undefined ? {} : { namespace });
    for (const item of items as ApiObject[]) {
      const blocks =
        item.metadata.ownerReferences?.some((one) => one.uid === uid && one.blockOwnerDeletion === true) === true;
      if (blocks) found.push(`${word}/${item.metadata.name ?? ""}`);
    }
  }
  return found;
}

function usesClaim(pod: Pod, name: string): boolean {
  return (pod.spec.volumes ?? []).some(
    (volume) =>
      volume.persistentVolumeClaim?.claimName === name ||
      (volume.ephemeral !== undefined && `${pod.metadata.name ?? ""}-${volume.name}` === name),
  );
}

/** What the conditions say, and by name what somebody else holds. */
async function namespaceBlockers(
  client: Client,
  { metadata, status }: ApiObject,
  resourceNamed: (word: string) => Resource<unknown>,
): Promise<string[]> {
  const conditions = ((status as NamespaceStatus | undefined)?.conditions ?? []).filter((one) => one.status === "True");
  const content = conditions.find(({ type }) => type === "NamespaceContentRemaining")?.message ?? "";
  const held: string[] = [];
  const listed = async (word: string): Promise<readonly unknown[]> => {
    try {
      return (await client.list(resourceNamed(word), { namespace: metadata.name ?? "", limit: listedMax })).items;
    } catch (error) {
      // Objects of custom kinds stay unnamed: the condition counts them.
      if (error instanceof UnknownResourceError) return [];
      throw error;
    }
  };
  for (const [, word = "", group = ""] of content.matchAll(/([a-z0-9]+)\.([a-z0-9.-]*) has \d+ resource/g)) {
    const items = await listed(group === "" ? word : `${word}.${group}`);
    for (const item of items as ApiObject[]) {
      const { name, finalizers = [] } = item.metadata;
      if (finalizers.length > 0) held.push(`${word}/${name} (${finalizers.join(", ")})`);
    }
  }
  const told = conditions.map(({ message = "" }) => message);
  return held.length === 0 ? told : [...told, `what is held: ${named(held)}`];
}

async function runningOn(client: Client, pod: ApiObject & Pod): Promise<string[]> {
  const { nodeName } = pod.spec;
  // Without grace the node has said that all has ended.
  if (nodeName === undefined || pod.metadata.deletionGracePeriodSeconds === 0) return [];
  const node = await client.find(nodes, { name: nodeName });
  if (node === undefined) return [`node ${nodeName}, which is gone: the pod is collected soon`];
  const until = pod.metadata.deletionTimestamp ?? "";
  const status: NodeStatus = node.status;
  const isReady = status.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") === true;
  const state = isReady
    ? `which ends its containers, at the latest at ${until}`
    : "which does not report: nobody knows whether the containers have ended";
  return [`node ${nodeName}, ${state}`];
}

function named(names: readonly string[]): string {
  const more = names.length > namedMax ? ` and ${names.length - namedMax} more` : "";
  return names.length === 0 ? "none is left" : `${names.slice(0, namedMax).join(", ")}${more}`;
}

export function renderBlockers(blockers: readonly string[]): string {
  return blockers.length === 0
    ? ""
    : `Its deletion waits for:\n${blockers.map((blocker) => `  ${blocker}\n`).join("")}`;
}
