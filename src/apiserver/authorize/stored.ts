import type { Resource } from "#api/resource.ts";
import type { ObjectReader } from "../object-reader.ts";

/** A stored object with the type that its resource names; the reader answers objects of that resource only. */
export function getStored<T>(
  objects: Pick<ObjectReader, "get">,
  resource: Resource<T>,
  namespace: string | undefined,
  name: string,
): T | undefined {
  return objects.get(resource, namespace, name) as T | undefined;
}

/** All stored objects of a resource, of one namespace when given. */
export function listStored<T>(
  objects: Pick<ObjectReader, "list">,
  resource: Resource<T>,
  namespace?: string,
): readonly T[] {
  return (namespace === undefined ? objects.list(resource) : objects.list(resource, namespace)) as readonly T[];
}
