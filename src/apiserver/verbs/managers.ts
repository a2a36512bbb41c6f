import type { ApiObject } from "#api/kind.ts";
import { entriesToStartFrom } from "../apply/entries.ts";
import { updateManagedFields } from "../apply/update.ts";
import type { Call } from "../call.ts";
import { inVersion } from "../objects/convert.ts";
import { otherVersions } from "../objects/other-versions.ts";
import type { Served } from "../registry.ts";

/**
 * Notes in managedFields which fields `manager` set with this create or update in the version that it was made in; both states
 * come in the storage version. A client that sends entries of its own replaces the stored ones by them.
 */
export function trackUpdate(
  call: Call,
  served: Served,
  old: ApiObject | undefined,
  object: ApiObject,
  manager: string,
  subresource: string,
): void {
  const { registry } = call.parts;
  const versions = otherVersions(registry, served);
  // Entries are a part of the main resource alone.
  const given = subresource === "" ? object.metadata.managedFields : undefined;
  const own = versions === undefined ? registry.storageServed(served) : served;
  const managed = updateManagedFields({
    schema: own.schema,
    before: old && seen(own, old),
    after: seen(own, object),
    managed: entriesToStartFrom(given, old?.metadata.managedFields),
    manager,
    operation: "Update",
    apiVersion: own.apiVersion,
    toVersion: versions?.toVersion,
    subresource,
    time: call.parts.clock.now(),
  });
  if (managed === undefined) delete object.metadata.managedFields;
  else object.metadata.managedFields = [...managed];
}

function seen(own: Served, object: ApiObject): ApiObject {
  return own.isStorage ? object : inVersion(own, object);
}
