import type { Resource } from "#api/resource.ts";
import { namespaces } from "#api/generated/resources.ts";
import type { Plan } from "#reconcile/controller.ts";
import { referenceOf } from "../ownership.ts";
import type { NamespaceView } from "../views/namespace.ts";

export function planServiceAccount(
  resource: Resource<unknown>,
  namespace: NamespaceView,
  exists: boolean,
): Plan | undefined {
  if (exists || namespace.deletionMs !== undefined || namespace.phase === "Terminating") return undefined;
  return {
    because: referenceOf(namespaces as Resource<unknown>, namespace),
    actions: [
      {
        verb: "create",
        resource,
        namespace: namespace.name,
        object: { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace: namespace.name } },
        existingIsFine: true,
        reason: `namespace ${namespace.name} has no ServiceAccount default`,
      },
    ],
  };
}
