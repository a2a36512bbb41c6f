import { versionOfLabels } from "#api/discovery/endpoint-versions.ts";
import { services } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Plan } from "#reconcile/controller.ts";
import { aboutOf, controllerReference, referenceOf } from "../ownership.ts";
import { managedByLabel, proportional, serviceNameLabel, type ServiceView, type SliceView } from "../views/network.ts";
import type { PodView } from "../views/pod.ts";
import { groupsOf, type PortGroup } from "./endpoints-of.ts";
import { planGroups, type SliceOwner } from "./slices.ts";
import { withZoneHints } from "./zone-hints.ts";

export interface ObservedService {
  readonly service: ServiceView;
  /** Pods of the namespace that its selector matches. */
  readonly pods: readonly PodView[];
  /** Slices that this controller wrote for it. */
  readonly slices: readonly SliceView[];
  readonly zoneOf: (node: string) => string;
  /** The part of the cluster's processors that each zone has; undefined while it is not known of all nodes. */
  readonly zoneShares: () => ReadonlyMap<string, number> | undefined;
}

export const managedBy = "endpointslice-controller.k8s.io";
const headlessLabel = "service.kubernetes.io/headless";
const serviceResource = services as Resource<unknown>;

/** Brings the slices of a Service to its pods with as few writes as possible: endpoints stay in the slice where they are. */
export function planEndpointSlices(observed: ObservedService, ids: { float(): number }): Plan | undefined {
  const { service } = observed;
  if (!service.hasSelector || service.type === "ExternalName" || service.deletionMs !== undefined) return undefined;
  const because = referenceOf(serviceResource, service);
  const found = groupsOf(service, observed.pods, observed.zoneOf);
  const hinted = service.distribution === proportional ? withZoneHints(found, observed.zoneShares()) : found;
  const groups = withPlaceholders(service, hinted);
  const existing = observed.slices.filter((slice) => slice.deletionMs === undefined);
  return { actions: planGroups(ownerOf(observed), groups, existing, ids), because };
}

/** A Service without endpoints keeps one empty slice for each address family, so that consumers know that it is known. */
function withPlaceholders(service: ServiceView, groups: readonly PortGroup[]): PortGroup[] {
  const missing = service.families.filter((family) => groups.every((group) => group.addressType !== family));
  return [...groups, ...missing.map((addressType) => ({ addressType, ports: [], endpoints: [] }))];
}

function ownerOf({ service, pods }: ObservedService): SliceOwner {
  const readyMs = new Map(pods.map((pod) => [pod.uid, pod.readyChangedMs]));
  const versions = new Map(pods.map((pod) => [pod.uid, versionOfLabels(pod.labels)]));
  return {
    namespace: service.namespace,
    name: service.name,
    what: `Service ${service.key}`,
    labels: sliceLabels(service),
    reference: controllerReference(serviceResource, service),
    about: aboutOf(serviceResource, service),
    versionOf: ({ targetRef }) => versions.get(targetRef?.uid ?? "") ?? "",
    triggerOf: (changed) => {
      const times = changed.flatMap(({ targetRef }) => readyMs.get(targetRef?.uid ?? "") || []);
      // A Service that comes after its pods is the news itself.
      return times.length === 0 ? undefined : Math.max(service.createdMs, Math.min(...times));
    },
  };
}

/** Labels of a Service's slices: its own, without those that mark endpoints of others. */
function sliceLabels(service: ServiceView): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(service.labels)) {
    if (key !== serviceNameLabel && key !== managedByLabel && key !== headlessLabel) labels[key] = value;
  }
  if (service.isHeadless) labels[headlessLabel] = "";
  labels[serviceNameLabel] = service.name;
  labels[managedByLabel] = managedBy;
  return labels;
}
