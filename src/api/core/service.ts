import { ageColumn, column, nameColumn, wideColumn } from "../columns.ts";
import type { Service } from "../generated/core-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules, RuleContext } from "../kind.ts";
import { formatLabels } from "../selectors.ts";
import { separateStatus } from "../strategy.ts";
import { collect } from "../validation/field-errors.ts";
import { validateService, validateServiceUpdate } from "../validation/service.ts";

const affinityTimeoutSeconds = 10_800;

function isExternallyReachable(service: Service): boolean {
  const { type, externalIPs } = service.spec;
  return type === "NodePort" || type === "LoadBalancer" || (type === "ClusterIP" && (externalIPs?.length ?? 0) > 0);
}

function setDefaults(service: Service): void {
  const { spec } = service;
  if (!spec.sessionAffinity) spec.sessionAffinity = "None";
  if (spec.sessionAffinity === "None") delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === "ClientIP") {
    spec.sessionAffinityConfig ??= {};
    spec.sessionAffinityConfig.clientIP ??= {};
    spec.sessionAffinityConfig.clientIP.timeoutSeconds ??= affinityTimeoutSeconds;
  }
  if (!spec.type) spec.type = "ClusterIP";
  for (const port of spec.ports ?? []) {
    if (!port.protocol) port.protocol = "TCP";
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === "") port.targetPort = port.port;
  }
  if (isExternallyReachable(service) && !spec.externalTrafficPolicy) spec.externalTrafficPolicy = "Cluster";
  if (spec.type === "NodePort" || spec.type === "LoadBalancer" || spec.type === "ClusterIP") {
    spec.internalTrafficPolicy ??= "Cluster";
  }
  if (spec.type === "LoadBalancer") spec.allocateLoadBalancerNodePorts ??= true;
  for (const ingress of service.status?.loadBalancer?.ingress ?? []) if (ingress.ip) ingress.ipMode ??= "VIP";
}

function clusterIpOf(service: Service): string | undefined {
  return service.spec.clusterIP ?? service.spec.clusterIPs?.[0];
}

/** Fields that the stored object had only because of its old type, and that the client did not change, go with the type. */
function dropByType(service: Service, old: Service): void {
  const { spec } = service;
  if (old.spec.type !== "ExternalName" && spec.type === "ExternalName") {
    if (spec.clusterIP === old.spec.clusterIP) delete spec.clusterIP;
    if (spec.clusterIPs?.[0] === old.spec.clusterIPs?.[0]) delete spec.clusterIPs;
    if (spec.ipFamilies?.[0] === old.spec.ipFamilies?.[0]) delete spec.ipFamilies;
    if (spec.ipFamilyPolicy === old.spec.ipFamilyPolicy) delete spec.ipFamilyPolicy;
    if (spec.internalTrafficPolicy === old.spec.internalTrafficPolicy) delete spec.internalTrafficPolicy;
  }
  const wantsPorts = spec.type === "NodePort" || spec.type === "LoadBalancer";
  if (!wantsPorts && old.spec.type !== spec.type && samePorts(service, old)) {
    for (const port of spec.ports ?? []) delete port.nodePort;
  }
  if (!isExternallyReachable(service) && isExternallyReachable(old)) {
    if (spec.externalTrafficPolicy === old.spec.externalTrafficPolicy) delete spec.externalTrafficPolicy;
  }
  const needsHealthPort = spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
  if (!needsHealthPort && spec.healthCheckNodePort === old.spec.healthCheckNodePort) delete spec.healthCheckNodePort;
  if (spec.type !== "LoadBalancer" && old.spec.type === "LoadBalancer") {
    if (spec.allocateLoadBalancerNodePorts === old.spec.allocateLoadBalancerNodePorts)
      delete spec.allocateLoadBalancerNodePorts;
    if (spec.loadBalancerClass === old.spec.loadBalancerClass) delete spec.loadBalancerClass;
  }
  if (spec.type !== "ExternalName" && old.spec.type === "ExternalName" && spec.externalName === old.spec.externalName) {
    delete spec.externalName;
  }
}

function samePorts(service: Service, old: Service): boolean {
  const ports = service.spec.ports ?? [];
  const oldPorts = old.spec.ports ?? [];
  return ports.length === oldPorts.length && ports.every((port, index) => port.nodePort === oldPorts[index]?.nodePort);
}

/** What the server once allocated stays when an update leaves it out, so that a client may send its own manifest again. */
function keepAllocations(service: Service, old: Service): void {
  const { spec } = service;
  if (spec.type === "ExternalName" || old.spec.type === "ExternalName") return;
  if (!spec.clusterIP && !spec.clusterIPs?.length && old.spec.clusterIP !== undefined) {
    spec.clusterIP = old.spec.clusterIP;
    if (old.spec.clusterIPs !== undefined) spec.clusterIPs = [...old.spec.clusterIPs];
  }
  if (spec.ipFamilies === undefined && old.spec.ipFamilies !== undefined) spec.ipFamilies = [...old.spec.ipFamilies];
  if (spec.ipFamilyPolicy === undefined && old.spec.ipFamilyPolicy !== undefined)
    spec.ipFamilyPolicy = old.spec.ipFamilyPolicy;
  const needsHealthPort = spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
  if (needsHealthPort && spec.healthCheckNodePort === undefined && old.spec.healthCheckNodePort !== undefined) {
    spec.healthCheckNodePort = old.spec.healthCheckNodePort;
  }
  if (spec.type !== "NodePort" && spec.type !== "LoadBalancer") return;
  const used = new Set((spec.ports ?? []).map((port) => `${port.protocol}/${port.nodePort ?? 0}`));
  for (const port of spec.ports ?? []) {
    if (port.nodePort) continue;
    const before = old.spec.ports?.find(
      (candidate) => candidate.port === port.port && candidate.protocol === port.protocol,
    );
    if (before?.nodePort && !used.has(`${port.protocol}/${before.nodePort}`)) port.nodePort = before.nodePort;
  }
}

/** `clusterIP` is the first of `clusterIPs`; old clients know only the one. */
function normalizeClusterIps(service: Service, old: Service | undefined): void {
  const { spec } = service;
  const first = spec.clusterIPs?.[0];
  if (old === undefined) {
    if (spec.clusterIP && spec.clusterIPs === undefined) spec.clusterIPs = [spec.clusterIP];
    return;
  }
  if (spec.clusterIP !== old.spec.clusterIP && first === old.spec.clusterIPs?.[0]) {
    if (spec.clusterIP) spec.clusterIPs = [spec.clusterIP];
    else delete spec.clusterIPs;
  }
}

const status = separateStatus<Service>(() => ({ loadBalancer: {} }));

export const serviceRules: KindRules<Service> = {
  nameFormat: "dns1035-label",
  defaults: setDefaults,
  prepareCreate(service, context) {
    status.prepareCreate(service, context);
    normalizeClusterIps(service, undefined);
  },
  prepareUpdate(service, old, context: RuleContext) {
    status.prepareUpdate(service, old, context);
    if (context.subresource === "status") return;
    normalizeClusterIps(service, old);
    keepAllocations(service, old);
    dropByType(service, old);
  },
  validate: (service) => collect((errors) => validateService(errors, service)),
  validateUpdate: (service, old, context) => collect((errors) => validateServiceUpdate(errors, service, old, context)),
  countsGeneration: false,
  columns: [
    nameColumn,
    column("Type", "Type of the service: how it is exposed."),
    column("Cluster-IP", "IP address of the service, usually assigned by the server."),
    column("External-IP", "Addresses at which the service is reached from outside the cluster."),
    column("Port(s)", "The list of ports that are exposed by this service."),
    ageColumn,
    wideColumn("Selector", "Route service traffic to pods with label keys and values matching this selector."),
  ],
  cells: (service, now) => [
    service.metadata.name,
    service.spec.type ?? "",
    clusterIpOf(service) || "<none>",
    externalIpsOf(service),
    portsOf(service),
    ageOf(service.metadata.creationTimestamp, now),
    formatLabels(service.spec.selector),
  ],
  fieldSelectors: {
    "spec.clusterIP": (service) => service.spec.clusterIP ?? "",
    "spec.type": (service) => service.spec.type ?? "",
  },
};

function externalIpsOf(service: Service): string {
  const fixed = service.spec.externalIPs ?? [];
  switch (service.spec.type) {
    case "ExternalName":
      return service.spec.externalName ?? "";
    case "LoadBalancer": {
      const given = (service.status?.loadBalancer?.ingress ?? []).map(
        (ingress) => ingress.ip || ingress.hostname || "",
      );
      const all = [...given.filter((address) => address !== ""), ...fixed];
      return all.length === 0 ? "<pending>" : all.join(",");
    }
    default:
      return fixed.length === 0 ? "<none>" : fixed.join(",");
  }
}

function portsOf(service: Service): string {
  const ports = service.spec.ports ?? [];
  if (ports.length === 0) return "<none>";
  return ports
    .map((port) => `${port.port}${port.nodePort ? `:${port.nodePort}` : ""}/${port.protocol ?? "TCP"}`)
    .join(",");
}
