import type { Endpoints, Service } from "#api/generated/core-v1.ts";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import type { Condition } from "#api/generated/meta-v1.ts";
import type { IPAddress, ServiceCIDR } from "#api/generated/networking-v1.ts";
import { endpoints, endpointslices, ipaddresses, servicecidrs, services } from "#api/generated/resources.ts";
import { nothing, selectorOfLabels, type Selector } from "#api/selectors.ts";
import type { InformerDeclaration } from "#reconcile/informer.ts";
import { keyOf, objectIndexes, objectView, type ObjectView } from "#reconcile/object-view.ts";

export interface ServicePortView {
  readonly name: string;
  readonly protocol: string;
  readonly appProtocol: string | undefined;
  /** A number, or the name of a container port. */
  readonly targetPort: number | string;
}

export interface ServiceView extends ObjectView {
  readonly type: string;
  /** Matches nothing when the Service has no selector. */
  readonly selector: Selector;
  readonly hasSelector: boolean;
  readonly isHeadless: boolean;
  readonly publishNotReady: boolean;
  /** `PreferSameZone`, `PreferSameNode`, or `proportional`; "" when every endpoint is as good as another. */
  readonly distribution: string;
  readonly ports: readonly ServicePortView[];
  /** `IPv4`, `IPv6`. */
  readonly families: readonly string[];
  readonly clusterIp: string;
  readonly externalName: string;
  readonly loadBalancerIp: string;
}

export interface SliceView extends ObjectView {
  /** `namespace/service`, from its label; undefined when no Service is named. */
  readonly serviceKey: string | undefined;
  readonly managedBy: string;
  readonly slice: EndpointSlice;
}

export interface EndpointsView extends ObjectView {
  readonly subsets: NonNullable<Endpoints["subsets"]>;
}

export const serviceNameLabel = "kubernetes.io/service-name";
export const managedByLabel = "endpointslice.kubernetes.io/managed-by";

export const serviceDeclaration: InformerDeclaration<Service, ServiceView> = {
  resource: services,
  project: projectService,
  indexes: { ...objectIndexes, address: ({ clusterIp }) => [clusterIp] },
};

/** Whose an address is: `services/shop/web`. */
export interface AddressView extends ObjectView {
  readonly parent: string;
}

export interface ServiceRangeView extends ObjectView {
  readonly cidrs: readonly string[];
  readonly conditions: readonly Condition[];
}

/** A Service's `distribution` when zones get endpoints by their processors. */
export const proportional = "proportional";

export const addressDeclaration: InformerDeclaration<IPAddress, AddressView> = {
  resource: ipaddresses,
  project: ({ metadata, spec }) => {
    const { resource = "", namespace = "", name = "" } = spec.parentRef ?? {};
    return { ...objectView(metadata), parent: [resource, namespace, name].filter((part) => part !== "").join("/") };
  },
  indexes: objectIndexes,
};

export const serviceRangeDeclaration: InformerDeclaration<ServiceCIDR, ServiceRangeView> = {
  resource: servicecidrs,
  project: ({ metadata, spec, status }) => ({
    ...objectView(metadata),
    cidrs: spec.cidrs ?? [],
    conditions: status.conditions ?? [],
  }),
  indexes: objectIndexes,
};

export const sliceDeclaration: InformerDeclaration<EndpointSlice, SliceView> = {
  resource: endpointslices,
  project: projectSlice,
  indexes: { ...objectIndexes, service: (slice) => (slice.serviceKey === undefined ? [] : [slice.serviceKey]) },
};

export const endpointsDeclaration: InformerDeclaration<Endpoints, EndpointsView> = {
  resource: endpoints,
  project: (object) => ({ ...objectView(object.metadata), subsets: object.subsets ?? [] }),
  indexes: objectIndexes,
};

function projectService(service: Service): ServiceView {
  const { spec } = service;
  const selector = spec?.selector ?? {};
  const hasSelector = Object.keys(selector).length > 0;
  return {
    ...objectView(service.metadata),
    type: spec?.type ?? "ClusterIP",
    selector: hasSelector ? selectorOfLabels(selector) : nothing,
    hasSelector,
    isHeadless: spec?.clusterIP === "None",
    publishNotReady: spec?.publishNotReadyAddresses === true,
    distribution: isProportional(service.metadata.annotations) ? proportional : (spec?.trafficDistribution ?? ""),
    ports: (spec?.ports ?? []).map((port) => ({
      name: port.name ?? "",
      protocol: port.protocol ?? "TCP",
      appProtocol: port.appProtocol,
      targetPort:
        port.targetPort === undefined || port.targetPort === 0 || port.targetPort === "" ? port.port : port.targetPort,
    })),
    clusterIp: spec?.clusterIP ?? "",
    externalName: spec?.externalName ?? "",
    loadBalancerIp: spec?.loadBalancerIP ?? "",
    families: spec?.ipFamilies === undefined || spec.ipFamilies.length === 0 ? ["IPv4"] : spec.ipFamilies,
  };
}

/** The annotation, also by its old name, goes before `trafficDistribution`. */
function isProportional(annotations: Readonly<Record<string, string>> = {}): boolean {
  const prefix = "service.kubernetes.io/topology-";
  const mode = annotations[`${prefix}mode`] ?? annotations[`${prefix}aware-hints`];
  return mode === "Auto" || mode === "auto";
}

function projectSlice(slice: EndpointSlice): SliceView {
  const view = objectView(slice.metadata);
  const service = view.labels[serviceNameLabel];
  const { managedFields: _managed, ...metadata } = slice.metadata;
  return {
    ...view,
    serviceKey: service === undefined || service === "" ? undefined : keyOf(view.namespace, service),
    managedBy: view.labels[managedByLabel] ?? "",
    slice: { ...slice, metadata },
  };
}
