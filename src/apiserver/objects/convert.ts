import type { ApiObject } from "#api/kind.ts";
import type { Served } from "../registry.ts";

/** A stored object in another served version. Never changes what it is given. */
export function inVersion(served: Served, object: ApiObject): ApiObject {
  if (object.apiVersion === served.apiVersion) return object;
  return { ...object, apiVersion: served.apiVersion, kind: served.resource.kind };
}

/** An object of a served version in the version that is stored. */
export function toStorage(storage: Served, object: ApiObject): ApiObject {
  if (object.apiVersion === storage.apiVersion) return object;
  return { ...object, apiVersion: storage.apiVersion, kind: storage.resource.kind };
}
