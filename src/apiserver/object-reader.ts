import type { ApiObject } from "#api/kind.ts";
import type { Labels } from "#api/label-match.ts";

/** A resource as stored, whatever version it is served in. */
export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

/**
 * The stored objects as the API server's own stages see them: head, so that a write that was just accepted counts. Decoded
 * forms are cached beside the stored bytes and shared: never change what you get.
 */
export interface ObjectReader {
  get(resource: GroupResource, namespace: string | undefined, name: string): ApiObject | undefined;
  /** Its labels alone, for which the object need not be decoded; undefined: there is no such object. */
  labels(resource: GroupResource, namespace: string | undefined, name: string): Labels | undefined;
  list(resource: GroupResource, namespace?: string): readonly ApiObject[];
  /** The same one by one, decoded as they are asked for: for whoever may stop, or takes turns. */
  each(resource: GroupResource, namespace: string): Iterable<ApiObject>;
  /** Calls back, in a turn of its own, after objects of the resource changed (visible state). For caches: look again. */
  onChange(resource: GroupResource, changed: () => void): { close(): void };
}
