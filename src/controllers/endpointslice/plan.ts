import type { Endpoint, EndpointPort, EndpointSlice } from "#api/generated/discovery-v1.ts";
import { endpointslices, services } from "#api/generated/resources.ts";
import type { Draft, Resource } from "#api/resource.ts";
import type { Action, EventText } from "#reconcile/action.ts";
import { isEqual, namedAfter, randomSuffix } from "#reconcile/canonical.ts";
import type { Plan } from "#reconcile/controller.ts";
import { limits } from "../limits.ts";
import { aboutOf, controllerReference, referenceOf } from "../ownership.ts";
import { managedByLabel, serviceNameLabel, type ServiceView, type SliceView } from "../views/network.ts";
import type { PodView } from "../views/pod.ts";
import { groupKey, groupsOf, type PortGroup } from "./endpoints-of.ts";

export interface ObservedService {
  readonly service: ServiceView;
  /** Pods of the namespace that its selector matches. */
  readonly pods: readonly PodView[];
  /** Slices that this controller wrote for it. */
  readonly slices: readonly SliceView[];
  readonly zoneOf: (node: string) => string;
}

export const managedBy = "endpointslice-controller.k8s.io";
const headlessLabel = "service.kubernetes.io/headless";
const slices = endpointslices as Resource<unknown>;

/** Brings the slices of a Service to its pods with as few writes as possible: endpoints stay in the slice where they are. */
export function planEndpointSlices(observed: ObservedService, ids: { float(): number }): Plan | undefined {
  const { service } = observed;
  if (!service.hasSelector || service.type === "ExternalName" || service.deletionMs !== undefined) return undefined;
  const because = referenceOf(services as Resource<unknown>, service);
  const groups = withPlaceholders(service, groupsOf(service, observed.pods, observed.zoneOf));
  const existing = Map.groupBy(
    observed.slices.filter((slice) => slice.deletionMs === undefined),
    (slice) => groupKey(slice.slice.addressType, slice.slice.ports ?? []),
  );
  const actions: Action[] = [];
  const deletions: Action[] = [];
  for (const group of groups) {
    const key = groupKey(group.addressType, group.ports);
    const changes = planGroup(service, group, existing.get(key) ?? [], ids);
    actions.push(...changes.writes);
    deletions.push(...changes.deletions);
    existing.delete(key);
  }
  for (const leftover of existing.values()) {
    for (const slice of leftover) deletions.push(deleteSlice(service, slice, "no endpoint has these ports any more"));
  }
  // New places first: at no instant is a Service with endpoints without any.
  return { actions: [...actions, ...deletions], because };
}

/** A Service without endpoints keeps one empty slice for each address family, so that consumers know that it is known. */
function withPlaceholders(service: ServiceView, groups: readonly PortGroup[]): PortGroup[] {
  const missing = service.families.filter((family) => groups.every((group) => group.addressType !== family));
  return [...groups, ...missing.map((addressType) => ({ addressType, ports: [], endpoints: [] }))];
}

interface Changes {
  readonly writes: readonly Action[];
  readonly deletions: readonly Action[];
}

function planGroup(
  service: ServiceView,
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
    if (spare.has(place)) deletions.push(deleteSlice(service, place.slice, "it holds no endpoint any more"));
    else writes.push(...updateSlice(service, place.slice, place.endpoints));
  }
  const rest = [...missing.values()];
  const isFirst = kept.length === 0;
  for (let at = 0; at < rest.length || (isFirst && at === 0); at += limits.endpointsPerSliceMax) {
    writes.push(
      createSlice(service, group.addressType, group.ports, rest.slice(at, at + limits.endpointsPerSliceMax), ids),
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

/** Labels of a Service's slices: its own, without those that mark endpoints of others. */
export function sliceLabels(service: ServiceView): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(service.labels)) {
    if (key !== serviceNameLabel && key !== managedByLabel && key !== headlessLabel) labels[key] = value;
  }
  if (service.isHeadless) labels[headlessLabel] = "";
  labels[serviceNameLabel] = service.name;
  labels[managedByLabel] = managedBy;
  return labels;
}

function createSlice(
  service: ServiceView,
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
        `${service.name}-`,
        randomSuffix(() => ids.float()),
      ),
      generateName: `${service.name}-`,
      namespace: service.namespace,
      labels: sliceLabels(service),
      ownerReferences: [controllerReference(services as Resource<unknown>, service)],
    },
    addressType,
    ports: [...ports],
    endpoints: [...endpoints],
  };
  const reason =
    endpoints.length === 0 ? "the Service has no slice yet" : `${endpoints.length} endpoints have no place in a slice`;
  return {
    verb: "create",
    resource: slices,
    namespace: service.namespace,
    object,
    reason,
    failureEvent: failure(service, "create"),
  };
}

function updateSlice(service: ServiceView, old: SliceView, endpoints: readonly Endpoint[]): Action[] {
  const labels = sliceLabels(service);
  const before = old.slice.endpoints ?? [];
  if (isEqual(before, endpoints) && isEqual(old.labels, labels)) return [];
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
        metadata: { ...old.slice.metadata, labels },
        endpoints: [...endpoints],
      },
      reason: changeReason(before, endpoints),
      failureEvent: failure(service, "update"),
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

function deleteSlice(service: ServiceView, slice: SliceView, reason: string): Action {
  const { namespace, name, uid } = slice;
  return { verb: "delete", resource: slices, namespace, name, uid, reason, failureEvent: failure(service, "delete") };
}

function failure(service: ServiceView, what: string): EventText {
  return {
    about: aboutOf(services as Resource<unknown>, service),
    type: "Warning",
    eventReason: "FailedToUpdateEndpointSlices",
    message: `Error updating Endpoint Slices for Service ${service.key}: failed to ${what} EndpointSlice: `,
  };
}
