import type { ApiObject } from "#api/kind.ts";
import type { Labels } from "#api/label-match.ts";
import type { GroupResource, ObjectReader } from "../object-reader.ts";

/** A stand-in for the stored objects, for the unit tests of this room: changes call back at once. */
export class StoredInTests implements ObjectReader {
  readonly #objects = new Map<string, Map<string, ApiObject>>();
  readonly #listeners = new Map<string, Set<() => void>>();

  /** Stores an object, or its next state. A part of an object is enough. */
  put<T extends { metadata: ApiObject["metadata"] }>(resource: GroupResource, object: T): void {
    const kind = keyOf(resource);
    const objects = this.#objects.get(kind) ?? new Map<string, ApiObject>();
    this.#objects.set(kind, objects);
    objects.set(`${object.metadata.namespace ?? ""}/${object.metadata.name}`, { ...object });
    this.#tell(kind);
  }

  remove(resource: GroupResource, namespace: string | undefined, name: string): void {
    this.#objects.get(keyOf(resource))?.delete(`${namespace ?? ""}/${name}`);
    this.#tell(keyOf(resource));
  }

  get(resource: GroupResource, namespace: string | undefined, name: string): ApiObject | undefined {
    return this.#objects.get(keyOf(resource))?.get(`${namespace ?? ""}/${name}`);
  }

  labels(resource: GroupResource, namespace: string | undefined, name: string): Labels | undefined {
    const object = this.get(resource, namespace, name);
    return object === undefined ? undefined : (object.metadata.labels ?? {});
  }

  list(resource: GroupResource, namespace?: string): ApiObject[] {
    const all = [...(this.#objects.get(keyOf(resource))?.values() ?? [])];
    return namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace);
  }

  each(resource: GroupResource, namespace: string): ApiObject[] {
    return this.list(resource, namespace);
  }

  onChange(resource: GroupResource, changed: () => void): { close(): void } {
    const listeners = this.#listeners.get(keyOf(resource)) ?? new Set();
    this.#listeners.set(keyOf(resource), listeners.add(changed));
    return { close: () => listeners.delete(changed) };
  }

  #tell(kind: string): void {
    for (const changed of this.#listeners.get(kind) ?? []) changed();
  }
}

function keyOf(resource: GroupResource): string {
  return `${resource.group}/${resource.resource}`;
}
