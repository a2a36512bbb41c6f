import type { Endpoint, EndpointPort, EndpointSlice } from "#api/generated/discovery-v1.ts";
import type { OwnerReference } from "#api/generated/meta-v1.ts";
import { endpointslices } from "#api/generated/resources.ts";
import { endpointVersionsAnnotation, writeEndpointVersions } from "#api/discovery/endpoint-versions.ts";
import type { Draft, Resource } from "#api/resource.ts";
import type { Action, EventText } from "#reconcile/action.ts";
import { isEqual, namedAfter, randomSuffix } from "#reconcile/canonical.ts";
import { timeText } from "#reconcile/object-view.ts";
import { limits } from "../limits.ts";
import type { SliceView } from "../views/network.ts";
import { groupKey, type PortGroup } from "./endpoints-of.ts";

const slices = endpointslices as Resource<unknown>;
/** When the first of the changes that a slice tells of happened: programs measure by it how long news take. */
const triggerAnnotation = "endpoints.kubernetes.io/last-change-trigger-time";

/** What slices belong to: a Service, or the Endpoints of which they are copies. */
export interface SliceOwner {
  readonly namespace: string;
  readonly name: string;
  /** `Service default/web`. */
  readonly what: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly reference: OwnerReference;
  readonly about: EventText["about"];
  /** When what made these endpoints new or different happened; undefined when nobody knows. Milliseconds since 1970. */
  readonly triggerOf: (changed: readonly Endpoint[]) => number | undefined;
  /** The version of the workload that an endpoint belongs to; "" when nobody knows. */
  readonly versionOf: (endpoint: Endpoint) => string;
}

interface Changes {
  readonly writes: readonly Action[];
  readonly deletions: readonly Action[];
}

/**
 * Brings slices to groups of endpoints. A group that has none takes over those whose ports nobody has any more: its first endpoints
 * are one write then, not a slice made and one removed. New places come first: at no instant is what has endpoints without any.
 */
export function planGroups(
  owner: SliceOwner,
  groups: readonly PortGroup[],
  existing: readonly SliceView[],
  ids: { float(): number },
): Action[] {
  const byKey = Map.groupBy(existing, (slice) => groupKey(slice.slice.addressType, slice.slice.ports ?? []));
  const wanted = groups.map((group) => ({ group, own: byKey.get(keyOf(group)) }));
  for (const { group } of wanted) byKey.delete(keyOf(group));
  const free = new Set([...byKey.values()].flat());
  const places = new Map(groups.flatMap((group) => group.endpoints.map((one) => [identityOf(one), group] as const)));
  const writes: Action[] = [];
  const deletions: Action[] = [];
  for (const { group, own } of wanted) {
    const slices = own ?? [...free].filter((slice) => mayTakeOver(slice, group, places));
    for (const slice of slices) free.delete(slice);
    const changes = planGroup(owner, group, slices, ids);
    writes.push(...changes.writes);
    deletions.push(...changes.deletions);
  }
  for (const slice of free) deletions.push(deleteSlice(owner, slice, "no endpoint has these ports any more"));
  return [...writes, ...deletions];
}

function keyOf({ addressType, ports }: PortGroup): string {
  return groupKey(addressType, ports);
}

/** What the slice holds is this group's, or nobody's any more: what goes to another one is to have its new place first. */
function mayTakeOver({ slice }: SliceView, group: PortGroup, places: ReadonlyMap<string, PortGroup>): boolean {
  if (slice.addressType !== group.addressType) return false;
  return (slice.endpoints ?? []).every((endpoint) => (places.get(identityOf(endpoint)) ?? group) === group);
}

/** Keeps endpoints in the slices where they stand, fills those that change anyway, makes and removes as few as possible. */
function planGroup(
  owner: SliceOwner,
  group: PortGroup,
  existing: readonly SliceView[],
  ids: { float(): number },
): Changes {
  const missing = new Map(group.endpoints.map((endpoint) => [identityOf(endpoint), endpoint]));
  const kept = existing.map((slice) => {
    const endpoints: Endpoint[] = [];
    for (const old of slice.slice.endpoints ?? []) {
      const identity = identityOf(old);
      const wanted = missing.get(identity);
      if (wanted === undefined) continue;
      missing.delete(identity);
      endpoints.push(isEqual(old, wanted) ? old : wanted);
    }
    return { slice, endpoints };
  });
  fill(kept, missing);
  const writes: Action[] = [];
  const deletions: Action[] = [];
  const empty = kept.filter(({ endpoints }) => endpoints.length === 0);
  const spare = new Set(kept.length - empty.length + missing.size > 0 ? empty : empty.slice(1));
  for (const place of kept) {
    if (spare.has(place)) deletions.push(deleteSlice(owner, place.slice, "it holds no endpoint any more"));
    else writes.push(...updateSlice(owner, place.slice, group.ports, place.endpoints));
  }
  const rest = [...missing.values()];
  const isFirst = kept.length === 0;
  for (let at = 0; at < rest.length || (isFirst && at === 0); at += limits.endpointsPerSliceMax) {
    writes.push(
      createSlice(owner, group.addressType, group.ports, rest.slice(at, at + limits.endpointsPerSliceMax), ids),
    );
  }
  return { writes, deletions };
}

/** New endpoints go where something changes anyway, then into the fullest slice that has room. */
function fill(kept: { slice: SliceView; endpoints: Endpoint[] }[], missing: Map<string, Endpoint>): void {
  const isChanged = (place: (typeof kept)[number]): boolean =>
    place.endpoints.length !== (place.slice.slice.endpoints ?? []).length;
  const places = [...kept].sort(
    (a, b) => Number(isChanged(b)) - Number(isChanged(a)) || b.endpoints.length - a.endpoints.length,
  );
  for (const { endpoints } of places) {
    for (const [identity, endpoint] of missing) {
      if (endpoints.length >= limits.endpointsPerSliceMax) break;
      endpoints.push(endpoint);
      missing.delete(identity);
    }
  }
}

function identityOf(endpoint: Endpoint): string {
  return `${endpoint.targetRef?.uid ?? ""}/${endpoint.addresses[0] ?? ""}`;
}

function createSlice(
  owner: SliceOwner,
  addressType: string,
  ports: readonly EndpointPort[],
  endpoints: readonly Endpoint[],
  ids: { float(): number },
): Action {
  const object: Draft<EndpointSlice> = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: namedAfter(
        `${owner.name}-`,
        randomSuffix(() => ids.float()),
      ),
      generateName: `${owner.name}-`,
      namespace: owner.namespace,
      labels: owner.labels,
      ...annotationsOf(owner.triggerOf(endpoints), versionsOf(owner, endpoints), {}),
      ownerReferences: [owner.reference],
    },
    addressType,
    ports: [...ports],
    endpoints: [...endpoints],
  };
  const reason =
    endpoints.length === 0
      ? `${owner.what} has no slice yet`
      : `${endpoints.length} endpoints have no place in a slice`;
  return {
    verb: "create",
    resource: slices,
    namespace: owner.namespace,
    object,
    reason,
    failureEvent: failure(owner, "create"),
  };
}

function updateSlice(
  owner: SliceOwner,
  old: SliceView,
  ports: readonly EndpointPort[],
  endpoints: readonly Endpoint[],
): Action[] {
  const { labels } = owner;
  const before = old.slice.endpoints ?? [];
  const versions = versionsOf(owner, endpoints);
  const { annotations, ...metadata } = old.slice.metadata;
  const { [triggerAnnotation]: _trigger, [endpointVersionsAnnotation]: told, ...others } = annotations ?? {};
  const hasPorts = groupKey("", old.slice.ports ?? []) === groupKey("", ports);
  if (isEqual(before, endpoints) && isEqual(old.labels, labels) && told === versions && hasPorts) return [];
  const known = new Map(before.map((endpoint) => [identityOf(endpoint), endpoint]));
  // Only what became ready, or no longer is, has a time: that of a pod which merely ends is of long before.
  const changed = endpoints.filter((endpoint) => {
    return known.get(identityOf(endpoint))?.conditions?.serving !== endpoint.conditions?.serving;
  });
  return [
    {
      verb: "update",
      resource: slices,
      namespace: old.namespace,
      name: old.name,
      object: {
        ...old.slice,
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { ...metadata, labels, ...annotationsOf(owner.triggerOf(changed), versions, others) },
        endpoints: [...endpoints],
        ...(hasPorts ? {} : { ports: [...ports] }),
      },
      reason: hasPorts ? changeReason(before, endpoints) : `${changeReason(before, endpoints)}, with other ports`,
      failureEvent: failure(owner, "update"),
    },
  ];
}

function changeReason(before: readonly Endpoint[], after: readonly Endpoint[]): string {
  const old = new Map(before.map((endpoint) => [identityOf(endpoint), endpoint]));
  let added = 0;
  let changed = 0;
  for (const endpoint of after) {
    const previous = old.get(identityOf(endpoint));
    if (previous === undefined) added++;
    else if (!isEqual(previous, endpoint)) changed++;
    old.delete(identityOf(endpoint));
  }
  return `${added} endpoints came, ${old.size} went, ${changed} changed`;
}

export function deleteSlice(owner: SliceOwner, slice: SliceView, reason: string): Action {
  const { namespace, name, uid } = slice;
  return { verb: "delete", resource: slices, namespace, name, uid, reason, failureEvent: failure(owner, "delete") };
}

function failure(owner: SliceOwner, what: string): EventText {
  return {
    about: owner.about,
    type: "Warning",
    eventReason: "FailedToUpdateEndpointSlices",
    message: `Error updating Endpoint Slices for ${owner.what}: failed to ${what} EndpointSlice: `,
  };
}

function versionsOf(owner: SliceOwner, endpoints: readonly Endpoint[]): string | undefined {
  return writeEndpointVersions(endpoints.map((endpoint) => owner.versionOf(endpoint)));
}

function annotationsOf(
  triggerMs: number | undefined,
  versions: string | undefined,
  others: Readonly<Record<string, string>>,
): { annotations?: Record<string, string> } {
  const annotations = {
    ...others,
    ...(versions === undefined ? {} : { [endpointVersionsAnnotation]: versions }),
    ...(triggerMs === undefined ? {} : { [triggerAnnotation]: timeText(triggerMs) }),
  };
  return Object.keys(annotations).length === 0 ? {} : { annotations };
}
