import type { Endpoints, EndpointSubset } from "../generated/core-v1.ts";
import type { Endpoint, EndpointSlice } from "../generated/discovery-v1.ts";
import type { FieldErrors } from "./field-errors.ts";
import { validateImmutable } from "./immutable.ts";
import { isValidIp, parseIp, validateNonSpecialIp } from "./ip-address.ts";
import { isLabelValue, isQualifiedName } from "./labels.ts";
import { isDns1123Label, isDns1123Subdomain } from "./names.ts";
import { validatePortNumber } from "./ports.ts";

const protocols = ["TCP", "UDP", "SCTP"];
const addressTypes = ["IPv4", "IPv6", "FQDN"];
const endpointsCountMax = 1000;
const portsCountMax = 20_000;
const addressesCountMax = 100;
const hintsCountMax = 8;

function validateSubset(errors: FieldErrors, field: string, subset: EndpointSubset): void {
  const addresses = subset.addresses ?? [];
  const notReady = subset.notReadyAddresses ?? [];
  if (addresses.length === 0 && notReady.length === 0) {
    errors.required(field, "must specify `addresses` or `notReadyAddresses`");
  }
  for (const [name, list] of [
    ["addresses", addresses],
    ["notReadyAddresses", notReady],
  ] as const) {
    list.forEach((address, index) => {
      const at = `${field}.${name}[${index}]`;
      const problems = isValidIp(address.ip ?? "");
      if (problems.length > 0) errors.invalidEach(`${at}.ip`, address.ip ?? "", problems);
      else validateNonSpecialIp(errors, `${at}.ip`, address.ip);
      if (address.hostname) errors.invalidEach(`${at}.hostname`, address.hostname, isDns1123Label(address.hostname));
      if (address.nodeName)
        errors.invalidEach(`${at}.nodeName`, address.nodeName, isDns1123Subdomain(address.nodeName));
    });
  }
  const ports = subset.ports ?? [];
  ports.forEach((port, index) => {
    const at = `${field}.ports[${index}]`;
    if (!port.name) {
      if (ports.length > 1) errors.required(`${at}.name`);
    } else {
      errors.invalidEach(`${at}.name`, port.name, isDns1123Label(port.name));
    }
    validatePortNumber(errors, `${at}.port`, port.port);
    errors.oneOf(`${at}.protocol`, port.protocol, protocols);
    if (port.appProtocol !== undefined)
      errors.invalidEach(`${at}.appProtocol`, port.appProtocol, isQualifiedName(port.appProtocol));
  });
}

export function validateEndpoints(errors: FieldErrors, endpoints: Endpoints): void {
  endpoints.subsets?.forEach((subset, index) => validateSubset(errors, `subsets[${index}]`, subset));
}

function validateEndpoint(errors: FieldErrors, field: string, endpoint: Endpoint, addressType: string): void {
  const addresses = endpoint.addresses ?? [];
  if (addresses.length === 0) errors.required(`${field}.addresses`, "must contain at least 1 address");
  else if (addresses.length > addressesCountMax)
    errors.tooMany(`${field}.addresses`, addresses.length, addressesCountMax);
  addresses.forEach((address, index) => {
    const at = `${field}.addresses[${index}]`;
    if (addressType === "FQDN") {
      errors.invalidEach(at, address, isDns1123Subdomain(address));
      return;
    }
    const ip = parseIp(address);
    if (ip === undefined || ip.family !== addressType) {
      errors.invalid(at, address, `must be an ${addressType} address`);
      return;
    }
    validateNonSpecialIp(errors, at, address);
  });
  if (endpoint.nodeName !== undefined)
    errors.invalidEach(`${field}.nodeName`, endpoint.nodeName, isDns1123Subdomain(endpoint.nodeName));
  for (const key in endpoint.deprecatedTopology) {
    errors.invalidEach(`${field}.deprecatedTopology`, key, isQualifiedName(key));
    const value = endpoint.deprecatedTopology[key] ?? "";
    errors.invalidEach(`${field}.deprecatedTopology[${key}]`, value, isLabelValue(value));
  }
  if (endpoint.hostname !== undefined)
    errors.invalidEach(`${field}.hostname`, endpoint.hostname, isDns1123Label(endpoint.hostname));
  const zones = endpoint.hints?.forZones ?? [];
  if (zones.length > hintsCountMax) errors.tooMany(`${field}.hints.forZones`, zones.length, hintsCountMax);
  const seen = new Set<string>();
  zones.forEach((zone, index) => {
    const at = `${field}.hints.forZones[${index}].name`;
    if (seen.has(zone.name)) errors.duplicate(at, zone.name);
    seen.add(zone.name);
    errors.invalidEach(at, zone.name, isLabelValue(zone.name));
  });
}

export function validateEndpointSlice(errors: FieldErrors, slice: EndpointSlice): void {
  errors.oneOf("addressType", slice.addressType, addressTypes);
  const endpoints = slice.endpoints ?? [];
  if (endpoints.length > endpointsCountMax) errors.tooMany("endpoints", endpoints.length, endpointsCountMax);
  endpoints.forEach((endpoint, index) => validateEndpoint(errors, `endpoints[${index}]`, endpoint, slice.addressType));
  const ports = slice.ports ?? [];
  if (ports.length > portsCountMax) errors.tooMany("ports", ports.length, portsCountMax);
  const names = new Set<string>();
  ports.forEach((port, index) => {
    const at = `ports[${index}]`;
    const name = port.name ?? "";
    if (name !== "") errors.invalidEach(`${at}.name`, name, isDns1123Label(name));
    if (names.has(name)) errors.duplicate(`${at}.name`, name);
    names.add(name);
    errors.oneOf(`${at}.protocol`, port.protocol, protocols);
    if (port.port !== undefined) validatePortNumber(errors, `${at}.port`, port.port);
    if (port.appProtocol !== undefined)
      errors.invalidEach(`${at}.appProtocol`, port.appProtocol, isQualifiedName(port.appProtocol));
  });
}

export function validateEndpointSliceUpdate(errors: FieldErrors, slice: EndpointSlice, old: EndpointSlice): void {
  validateImmutable(errors, "addressType", slice.addressType, old.addressType);
}
