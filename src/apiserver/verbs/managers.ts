import type { ApiObject } from "#api/kind.ts";
import { updateManagedFields } from "../apply/update.ts";
import type { Call } from "../call.ts";
import type { Served } from "../registry.ts";

/**
 * Notes in managedFields which fields `manager` set with this create or update, both states in the storage version. A client
 * that sends entries of its own replaces the stored ones by them.
 */
export function trackUpdate(
  call: Call,
  served: Served,
  old: ApiObject | undefined,
  object: ApiObject,
  manager: string,
  subresource: string,
): void {
  const managed = updateManagedFields({
    schema: served.schema,
    before: old,
    after: object,
    managed: object.metadata.managedFields ?? old?.metadata.managedFields,
    manager,
    operation: "Update",
    apiVersion: served.apiVersion,
    subresource,
    time: call.parts.clock.now(),
  });
  if (managed === undefined) delete object.metadata.managedFields;
  else object.metadata.managedFields = [...managed];
}
