import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from "../generated/networking-v1.ts";
import type { FieldErrors } from "./field-errors.ts";
import { isStrictlyInside, isValidCidr, parseNetwork } from "./ip-address.ts";
import { validateLabelSelector } from "./label-selector.ts";
import { validatePortNumber, validatePortOrName } from "./ports.ts";

const protocols = ["SCTP", "TCP", "UDP"];

function validatePort(errors: FieldErrors, at: string, port: NetworkPolicyPort): void {
  if (port.protocol !== undefined && !protocols.includes(port.protocol)) {
    errors.notSupported(`${at}.protocol`, port.protocol, protocols);
  }
  if (port.port === undefined) {
    if (port.endPort !== undefined) errors.required(`${at}.endPort`, "must be defined with `port`");
    if (port.endPort !== undefined) return;
  } else {
    validatePortOrName(errors, `${at}.port`, port.port);
  }
  if (port.endPort === undefined) return;
  if (typeof port.port === "string")
    errors.invalid(`${at}.endPort`, port.endPort, "may not be specified when `port` is non-numeric");
  else if (port.port !== undefined && port.endPort < port.port)
    errors.invalid(`${at}.endPort`, port.endPort, "must be greater than or equal to `port`");
  else validatePortNumber(errors, `${at}.endPort`, port.endPort);
}

function validateIpBlock(errors: FieldErrors, at: string, block: IPBlock): void {
  if (!block.cidr) {
    errors.required(`${at}.cidr`);
    return;
  }
  errors.invalidEach(`${at}.cidr`, block.cidr, isValidCidr(block.cidr));
  const outer = parseNetwork(block.cidr);
  block.except?.forEach((cidr, index) => {
    errors.invalidEach(`${at}.except[${index}]`, cidr, isValidCidr(cidr));
    const inner = parseNetwork(cidr);
    if (outer !== undefined && inner !== undefined && !isStrictlyInside(inner, outer)) {
      errors.invalid(`${at}.except[${index}]`, cidr, "must be a strict subset of `cidr`");
    }
  });
}

function validatePeer(errors: FieldErrors, at: string, peer: NetworkPolicyPeer): void {
  const selects = peer.podSelector !== undefined || peer.namespaceSelector !== undefined;
  validateLabelSelector(errors, `${at}.podSelector`, peer.podSelector);
  validateLabelSelector(errors, `${at}.namespaceSelector`, peer.namespaceSelector);
  if (peer.ipBlock !== undefined) validateIpBlock(errors, `${at}.ipBlock`, peer.ipBlock);
  if (!selects && peer.ipBlock === undefined) errors.required(at, "must specify a peer");
  else if (selects && peer.ipBlock !== undefined) errors.forbidden(at, "may not specify both ipBlock and another peer");
}

export function validateNetworkPolicy(errors: FieldErrors, policy: NetworkPolicy): void {
  const { spec } = policy;
  validateLabelSelector(errors, "spec.podSelector", spec.podSelector);
  spec.ingress?.forEach((rule, index) => {
    rule.ports?.forEach((port, at) => validatePort(errors, `spec.ingress[${index}].ports[${at}]`, port));
    rule.from?.forEach((peer, at) => validatePeer(errors, `spec.ingress[${index}].from[${at}]`, peer));
  });
  spec.egress?.forEach((rule, index) => {
    rule.ports?.forEach((port, at) => validatePort(errors, `spec.egress[${index}].ports[${at}]`, port));
    rule.to?.forEach((peer, at) => validatePeer(errors, `spec.egress[${index}].to[${at}]`, peer));
  });
  const types = spec.policyTypes ?? [];
  if (types.length > 2) {
    errors.invalid("spec.policyTypes", types, "may not specify more than two policyTypes");
    return;
  }
  types.forEach((type, index) => {
    if (type !== "Ingress" && type !== "Egress")
      errors.notSupported(`spec.policyTypes[${index}]`, type, ["Egress", "Ingress"]);
  });
}
