import type { ObjectMeta, OwnerReference } from "#api/generated/meta-v1.ts";

/** What nearly every loop needs to know of an object, with times as milliseconds since 1970. */
export interface ObjectView {
  /** `namespace/name`, or `name`. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly createdMs: number;
  /** When the deletion is (or was) to be complete; undefined while it is not being deleted. */
  readonly deletionMs: number | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly owners: readonly OwnerReference[];
  /** The owner with `controller: true`. */
  readonly controller: OwnerReference | undefined;
  readonly finalizers: readonly string[];
}

const noRecord: Readonly<Record<string, string>> = Object.freeze({});
const noOwners: readonly OwnerReference[] = Object.freeze([]);
const noNames: readonly string[] = Object.freeze([]);

export function objectView(metadata: ObjectMeta): ObjectView {
  const namespace = metadata.namespace ?? "";
  const name = metadata.name ?? "";
  const owners = metadata.ownerReferences ?? noOwners;
  return {
    key: keyOf(namespace, name),
    namespace,
    name,
    uid: metadata.uid ?? "",
    resourceVersion: metadata.resourceVersion ?? "",
    generation: metadata.generation ?? 0,
    createdMs: timeOf(metadata.creationTimestamp) ?? 0,
    deletionMs: timeOf(metadata.deletionTimestamp),
    labels: metadata.labels ?? noRecord,
    annotations: metadata.annotations ?? noRecord,
    owners,
    controller: owners.find((owner) => owner.controller === true),
    finalizers: metadata.finalizers ?? noNames,
  };
}

export function keyOf(namespace: string, name: string): string {
  return namespace === "" ? name : `${namespace}/${name}`;
}

/** `namespace/name` apart; the namespace of a cluster-scoped key is "". */
export function splitKey(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf("/");
  return slash === -1 ? { namespace: "", name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** An RFC 3339 time as milliseconds since 1970. */
export function timeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : atMs;
}

/** Milliseconds since 1970 as Kubernetes writes times: UTC, whole seconds. */
export function timeText(atMs: number): string {
  return `${new Date(Math.floor(atMs / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}

/** The indexes that every informer of ObjectViews should have: garbage collection and namespace deletion look things up by them. */
export const objectIndexes = {
  /** By the uid of each owner. */
  owner: (view: ObjectView): readonly string[] => view.owners.map((owner) => owner.uid),
  namespace: (view: ObjectView): readonly string[] => (view.namespace === "" ? [] : [view.namespace]),
};
