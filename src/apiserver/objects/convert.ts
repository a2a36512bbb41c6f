import type { ApiObject } from "#api/kind.ts";
import type { Served } from "../registry.ts";

/** A stored object in another served version. Never changes what it is given. */
export function inVersion(served: Served, object: ApiObject): ApiObject {
  if (object.apiVersion === served.apiVersion) return object;
  const { kind } = served;
  const converted = kind.convert === undefined ? object : kind.convert(object, kind.storage, served.resource);
  return renamed(converted, served);
}

/** An object of the served version `from` in the version that is stored. */
export function toStorage(from: Served, storage: Served, object: ApiObject): ApiObject {
  if (from === storage) return object;
  const { kind } = from;
  const converted = kind.convert === undefined ? object : kind.convert(object, from.resource, kind.storage);
  return renamed(converted, storage);
}

/** Kind and apiVersion come first in Go's canonical form. */
function renamed({ kind: _kind, apiVersion: _apiVersion, ...rest }: ApiObject, served: Served): ApiObject {
  return { kind: served.resource.kind, apiVersion: served.apiVersion, ...rest };
}
