import { clusterrolebindings, clusterroles, customresourcedefinitions } from "#api/generated/resources.ts";
import type { ApiObject } from "#api/kind.ts";
import type { Draft, Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";
import { deliveryDefinitions, nodeTrafficBinding, nodeTrafficRole } from "#delivery/definitions.ts";

/** Brings the kinds of delivery, and nodes' rights to them, into a cluster; an older program's are replaced. */
export async function bringDeliveryKinds(client: Client): Promise<void> {
  const objects = [
    ...deliveryDefinitions.map((definition) => [customresourcedefinitions as Resource<unknown>, definition] as const),
    [clusterroles as Resource<unknown>, nodeTrafficRole] as const,
    [clusterrolebindings as Resource<unknown>, nodeTrafficBinding] as const,
  ];
  await Promise.all(objects.map(([resource, object]) => bring(client, resource, object as Draft<ApiObject>)));
}

async function bring(client: Client, resource: Resource<unknown>, object: Draft<ApiObject>): Promise<void> {
  const cause = { actor: "bootstrap", rule: "every cluster knows the kinds of delivery" };
  const name = object.metadata?.name ?? "";
  // What is the same changes no revision.
  await client.patch(resource, { name }, object, { type: "apply", fieldManager: "steersman", force: true, cause });
}
