import type { ApiObject } from "#api/kind.ts";
import type { Call } from "../call.ts";
import type { Served } from "../registry.ts";

/** Notes in managedFields which fields `manager` set with this create or update. */
export function trackUpdate(_call: Call, _served: Served, old: ApiObject | undefined, object: ApiObject, _manager: string): void {
  if (old?.metadata.managedFields !== undefined) object.metadata.managedFields = old.metadata.managedFields;
}
