import type { Service, ServicePort, ServiceSpec } from "../generated/core-v1.ts";
import type { RuleContext } from "../kind.ts";
import type { FieldErrors } from "./field-errors.ts";
import { immutableMessage } from "./immutable.ts";
import { isValidCidr, isValidIp, parseIp, validateNonSpecialIp } from "./ip-address.ts";
import { isQualifiedName, validateLabels } from "./labels.ts";
import { isDns1123Label, isDns1123Subdomain } from "./names.ts";
import { validatePortNumber, validatePortOrName } from "./ports.ts";

const types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const protocols = ["SCTP", "TCP", "UDP"];
const affinities = ["ClientIP", "None"];
const families = ["IPv4", "IPv6"];
const familyPolicies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
const trafficPolicies = ["Cluster", "Local"];
const distributions = ["PreferClose", "PreferSameNode", "PreferSameZone"];
const affinityTimeoutMaxSeconds = 86_400;

function isHeadless(spec: ServiceSpec): boolean {
  return spec.clusterIP === "None";
}

function validatePorts(errors: FieldErrors, spec: ServiceSpec): void {
  const ports = spec.ports ?? [];
  if (ports.length === 0 && !isHeadless(spec) && spec.type !== "ExternalName") errors.required("spec.ports");
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  ports.forEach((port, index) => {
    const at = `spec.ports[${index}]`;
    validatePort(errors, at, port, ports.length > 1, names);
    const number = `${port.protocol}/${port.port}`;
    if (numbers.has(number)) errors.duplicate(at, { protocol: port.protocol, port: port.port });
    numbers.add(number);
    if (!port.nodePort) return;
    if (spec.type === "ClusterIP" || spec.type === "ExternalName") {
      errors.forbidden(`${at}.nodePort`, `may not be used when \`type\` is '${spec.type}'`);
    }
    const nodePort = `${port.protocol}/${port.nodePort}`;
    if (nodePorts.has(nodePort)) errors.duplicate(`${at}.nodePort`, port.nodePort);
    nodePorts.add(nodePort);
  });
}

function validatePort(
  errors: FieldErrors,
  at: string,
  port: ServicePort,
  nameRequired: boolean,
  names: Set<string>,
): void {
  if (!port.name) {
    if (nameRequired) errors.required(`${at}.name`);
  } else {
    errors.invalidEach(`${at}.name`, port.name, isDns1123Label(port.name));
    if (names.has(port.name)) errors.duplicate(`${at}.name`, port.name);
    names.add(port.name);
  }
  validatePortNumber(errors, `${at}.port`, port.port);
  errors.oneOf(`${at}.protocol`, port.protocol, protocols);
  if (port.targetPort !== undefined) validatePortOrName(errors, `${at}.targetPort`, port.targetPort);
  if (port.appProtocol !== undefined)
    errors.invalidEach(`${at}.appProtocol`, port.appProtocol, isQualifiedName(port.appProtocol));
}

function validateClusterIps(errors: FieldErrors, spec: ServiceSpec): void {
  const ips = spec.clusterIPs ?? [];
  if (spec.type === "ExternalName") {
    if (spec.clusterIP) errors.forbidden("spec.clusterIP", "may not be set for ExternalName services");
    if (ips.length > 0) errors.forbidden("spec.clusterIPs", "may not be set when `type` is 'ExternalName'");
    if (spec.ipFamilies?.length) errors.forbidden("spec.ipFamilies", "may not be set for ExternalName services");
    if (spec.ipFamilyPolicy !== undefined)
      errors.forbidden("spec.ipFamilyPolicy", "may not be set for ExternalName services");
    return;
  }
  if (spec.clusterIP !== "None" && spec.clusterIP && ips.length === 0) {
    errors.required("spec.clusterIPs");
  } else if (ips.length > 0 && ips[0] !== (spec.clusterIP ?? "")) {
    errors.invalid("spec.clusterIPs[0]", ips[0], "first value must match `clusterIP`");
  }
  if (ips.length > 2) errors.invalid("spec.clusterIPs", ips, "may only hold up to 2 values");
  ips.forEach((ip, index) => {
    if (ip === "None") {
      if (index > 0) errors.invalid("spec.clusterIPs", ips, "'None' must be the first and only value");
    } else {
      errors.invalidEach(`spec.clusterIPs[${index}]`, ip, isValidIp(ip));
    }
  });
  if (ips.length === 2 && parseIp(ips[0] ?? "")?.family === parseIp(ips[1] ?? "")?.family) {
    errors.invalid("spec.clusterIPs", ips, "may specify no more than one IP for each IP family");
  }
  validateFamilies(errors, spec);
}

function validateFamilies(errors: FieldErrors, spec: ServiceSpec): void {
  const seen = new Set<string>();
  spec.ipFamilies?.forEach((family, index) => {
    if (!families.includes(family)) errors.notSupported(`spec.ipFamilies[${index}]`, family, families);
    if (seen.has(family)) errors.duplicate(`spec.ipFamilies[${index}]`, family);
    seen.add(family);
    const ip = parseIp(spec.clusterIPs?.[index] ?? "");
    if (ip !== undefined && families.includes(family) && ip.family !== family) {
      errors.invalid(
        `spec.clusterIPs[${index}]`,
        spec.clusterIPs?.[index],
        `expected an ${family} value as indicated by \`ipFamilies[${index}]\``,
      );
    }
  });
  if (spec.ipFamilyPolicy !== undefined && !familyPolicies.includes(spec.ipFamilyPolicy)) {
    errors.notSupported("spec.ipFamilyPolicy", spec.ipFamilyPolicy, familyPolicies);
  }
}

function validateByType(errors: FieldErrors, spec: ServiceSpec): void {
  switch (spec.type) {
    case "LoadBalancer":
    case "NodePort":
      if (isHeadless(spec))
        errors.invalid("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${spec.type} services`);
      break;
    case "ExternalName": {
      // A trailing dot only says that the name is absolute.
      const name = (spec.externalName ?? "").replace(/\.$/, "");
      if (name === "") errors.required("spec.externalName");
      else errors.invalidEach("spec.externalName", name, isDns1123Subdomain(name.toLowerCase()));
      break;
    }
    default:
  }
}

function validateLoadBalancer(errors: FieldErrors, spec: ServiceSpec): void {
  const isLoadBalancer = spec.type === "LoadBalancer";
  if (spec.loadBalancerSourceRanges?.length) {
    if (!isLoadBalancer)
      errors.forbidden("spec.LoadBalancerSourceRanges", "may only be used when `type` is 'LoadBalancer'");
    spec.loadBalancerSourceRanges.forEach((range, index) =>
      errors.invalidEach(`spec.loadBalancerSourceRanges[${index}]`, range, isValidCidr(range.trim())),
    );
  }
  if (isLoadBalancer && spec.allocateLoadBalancerNodePorts === undefined)
    errors.required("spec.allocateLoadBalancerNodePorts");
  if (!isLoadBalancer && spec.allocateLoadBalancerNodePorts !== undefined) {
    errors.forbidden("spec.allocateLoadBalancerNodePorts", "may only be used when `type` is 'LoadBalancer'");
  }
  if (spec.loadBalancerClass !== undefined) {
    if (isLoadBalancer)
      errors.invalidEach("spec.loadBalancerClass", spec.loadBalancerClass, isQualifiedName(spec.loadBalancerClass));
    else errors.forbidden("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'");
  }
}

function validateTraffic(errors: FieldErrors, spec: ServiceSpec): void {
  const external =
    spec.type === "LoadBalancer" ||
    spec.type === "NodePort" ||
    (spec.type === "ClusterIP" && (spec.externalIPs?.length ?? 0) > 0);
  if (!external && spec.externalTrafficPolicy) {
    errors.invalid(
      "spec.externalTrafficPolicy",
      spec.externalTrafficPolicy,
      "may only be set for externally-accessible services",
    );
  }
  if (external) errors.oneOf("spec.externalTrafficPolicy", spec.externalTrafficPolicy, trafficPolicies);
  if (spec.healthCheckNodePort) {
    errors.nonNegative("spec.healthCheckNodePort", spec.healthCheckNodePort);
    if (spec.type !== "LoadBalancer" || spec.externalTrafficPolicy !== "Local") {
      errors.invalid(
        "spec.healthCheckNodePort",
        spec.healthCheckNodePort,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      );
    }
  }
  if (spec.internalTrafficPolicy !== undefined && !trafficPolicies.includes(spec.internalTrafficPolicy)) {
    errors.notSupported("spec.internalTrafficPolicy", spec.internalTrafficPolicy, trafficPolicies);
  }
  if (spec.trafficDistribution !== undefined && !distributions.includes(spec.trafficDistribution)) {
    errors.notSupported("spec.trafficDistribution", spec.trafficDistribution, distributions);
  }
}

function validateAffinity(errors: FieldErrors, spec: ServiceSpec): void {
  errors.oneOf("spec.sessionAffinity", spec.sessionAffinity, affinities);
  const timeout = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (spec.sessionAffinity === "ClientIP") {
    if (timeout === undefined) errors.required("spec.sessionAffinityConfig", "when session affinity type is ClientIP");
    else if (timeout <= 0 || timeout > affinityTimeoutMaxSeconds) {
      errors.invalid(
        "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
        timeout,
        `must be greater than 0 and less than ${affinityTimeoutMaxSeconds}`,
      );
    }
  } else if (spec.sessionAffinityConfig !== undefined) {
    errors.forbidden("spec.sessionAffinityConfig", "must not be set when session affinity is None");
  }
}

export function validateService(errors: FieldErrors, service: Service): void {
  const { spec } = service;
  validatePorts(errors, spec);
  validateByType(errors, spec);
  validateLabels(errors, "spec.selector", spec.selector);
  validateAffinity(errors, spec);
  validateClusterIps(errors, spec);
  spec.externalIPs?.forEach((ip, index) => {
    const problems = isValidIp(ip);
    errors.invalidEach(`spec.externalIPs[${index}]`, ip, problems);
    if (problems.length === 0) validateNonSpecialIp(errors, `spec.externalIPs[${index}]`, ip);
  });
  errors.oneOf("spec.type", spec.type, types);
  validateLoadBalancer(errors, spec);
  validateTraffic(errors, spec);
}

function validateUpgradeOfIps(errors: FieldErrors, spec: ServiceSpec, old: ServiceSpec): void {
  if (spec.type === "ExternalName" || old.type === "ExternalName") return;
  const before = old.clusterIPs ?? [];
  const now = spec.clusterIPs ?? [];
  if (before.length > 0 && before[0] !== now[0]) {
    if (now.length === 0) errors.invalid("spec.clusterIPs", now, "primary clusterIP can not be unset");
    else errors.invalid("spec.clusterIPs[0]", now, "may not change once set");
  }
  if (before.length === 2 && now.length === 2 && before[1] !== now[1]) {
    errors.invalid("spec.clusterIPs[1]", now, "may not change once set");
  }
  const oldFamily = old.ipFamilies?.[0];
  if (oldFamily !== undefined && oldFamily !== spec.ipFamilies?.[0]) {
    errors.invalid("spec.ipFamilies[0]", spec.ipFamilies, "may not change once set");
  }
}

export function validateServiceUpdate(errors: FieldErrors, service: Service, old: Service, context: RuleContext): void {
  if (context.subresource === "status") {
    service.status.loadBalancer?.ingress?.forEach((ingress, index) => {
      const at = `status.loadBalancer.ingress[${index}]`;
      if (ingress.ip) errors.invalidEach(`${at}.ip`, ingress.ip, isValidIp(ingress.ip));
      if (ingress.hostname)
        errors.invalidEach(`${at}.hostname`, ingress.hostname, isDns1123Subdomain(ingress.hostname));
    });
    return;
  }
  validateUpgradeOfIps(errors, service.spec, old.spec);
  const stays = service.spec.type === "LoadBalancer" && old.spec.type === "LoadBalancer";
  if (stays && service.spec.loadBalancerClass !== old.spec.loadBalancerClass) {
    errors.invalid("spec.loadBalancerClass", service.spec.loadBalancerClass, "may not change once set");
  }
  if (old.spec.healthCheckNodePort && service.spec.healthCheckNodePort && stays) {
    if (
      old.spec.healthCheckNodePort !== service.spec.healthCheckNodePort &&
      service.spec.externalTrafficPolicy === "Local"
    ) {
      errors.invalid("spec.healthCheckNodePort", service.spec.healthCheckNodePort, immutableMessage);
    }
  }
}
