import type { ApiObject } from "#api/kind.ts";
import { decode } from "#codec/decode.ts";
import type { Served } from "../registry.ts";

/** A stored object in a served version, with the defaults that its schema has by now. Never changes what it is given. */
export function inVersion(served: Served, object: ApiObject): ApiObject {
  const converted = converting(served, object);
  return hasDefaults(served) ? (decode(served.schema, converted, { defaults: true }).object as ApiObject) : converted;
}

const withDefaults = new WeakMap<Served, boolean>();

/** Whether a custom resource's schema has defaults: they may be younger than what is stored, and count on reading too. */
export function hasDefaults(served: Served): boolean {
  if (served.custom === undefined) return false;
  let known = withDefaults.get(served);
  if (known === undefined) withDefaults.set(served, (known = namesDefault(served.custom.schema)));
  return known;
}

function namesDefault(schema: unknown): boolean {
  if (typeof schema !== "object" || schema === null) return false;
  if ("default" in schema && schema.default !== undefined) return true;
  return Object.values(schema).some(namesDefault);
}

function converting(served: Served, object: ApiObject): ApiObject {
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
