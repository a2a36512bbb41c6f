import type { ApiObject } from "#api/kind.ts";
import { decode } from "#codec/decode.ts";
import { cloneValue } from "#codec/record.ts";
import type { Call } from "../call.ts";
import { convertedObject, convertOne, needsWebhook, remember } from "../custom/conversion.ts";
import { Failure } from "../failure.ts";
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
  if (served.custom?.conversion !== undefined) return byWebhook(served, object);
  const { kind } = served;
  const converted = kind.convert === undefined ? object : kind.convert(object, kind.storage, served.resource);
  return renamed(converted, served);
}

/** What the webhook has made of it: whoever reads must have asked before, since nobody can wait here. */
function byWebhook(served: Served, object: ApiObject): ApiObject {
  const known = convertedObject(object, served.apiVersion);
  if (known === undefined)
    throw new Error(`an object of ${object.apiVersion} was not converted to ${served.apiVersion} in time`);
  return known;
}

/** `toStorage` that asks the webhook where one converts. */
export function storedVersion(
  call: Pick<Call, "parts">,
  from: Served,
  storage: Served,
  object: ApiObject,
): ApiObject | Failure | Promise<ApiObject | Failure> {
  if (!needsWebhook(storage, object)) return toStorage(from, storage, object);
  return convertOne(call, storage, object).then((converted) => {
    if (converted instanceof Failure) return converted;
    const own = cloneValue(converted);
    // Admission may want to see it as it came.
    remember(own, object);
    return own;
  });
}

/** `inVersion` that asks the webhook where one converts. */
export function servedVersion(
  call: Pick<Call, "parts">,
  served: Served,
  object: ApiObject,
): ApiObject | Failure | Promise<ApiObject | Failure> {
  if (!needsWebhook(served, object)) return inVersion(served, object);
  return convertOne(call, served, object);
}

/** An object of the served version `from` in the version that is stored. */
export function toStorage(from: Served, storage: Served, object: ApiObject): ApiObject {
  if (from === storage) return object;
  if (needsWebhook(storage, object)) return byWebhook(storage, object);
  const { kind } = from;
  const converted = kind.convert === undefined ? object : kind.convert(object, from.resource, kind.storage);
  return renamed(converted, storage);
}

/** Kind and apiVersion come first in Go's canonical form. */
function renamed({ kind: _kind, apiVersion: _apiVersion, ...rest }: ApiObject, served: Served): ApiObject {
  return { kind: served.resource.kind, apiVersion: served.apiVersion, ...rest };
}
