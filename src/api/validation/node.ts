import type { Node, Taint } from "../generated/core-v1.ts";
import type { FieldErrors } from "./field-errors.ts";
import { semanticallyEqual } from "./immutable.ts";
import { isValidCidr } from "./ip-address.ts";
import { isLabelValue, isQualifiedName } from "./labels.ts";

const taintEffects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

function validateTaints(errors: FieldErrors, field: string, taints: readonly Taint[] | undefined): void {
  const seen = new Set<string>();
  taints?.forEach((taint, index) => {
    const at = `${field}[${index}]`;
    errors.invalidEach(`${at}.key`, taint.key, isQualifiedName(taint.key ?? ""));
    if (taint.value) errors.invalidEach(`${at}.value`, taint.value, isLabelValue(taint.value));
    errors.oneOf(`${at}.effect`, taint.effect, taintEffects);
    const identity = `${taint.key}:${taint.effect}`;
    if (seen.has(identity)) {
      errors.duplicate(at, taint);
    }
    seen.add(identity);
  });
}

export function validateNode(errors: FieldErrors, node: Node): void {
  validateTaints(errors, "spec.taints", node.spec?.taints);
  const cidrs = node.spec?.podCIDRs ?? [];
  cidrs.forEach((cidr, index) => {
    errors.invalidEach(`spec.podCIDRs[${index}]`, cidr, isValidCidr(cidr));
  });
  if (cidrs.length > 2) {
    errors.invalid("spec.podCIDRs", cidrs, "may specify no more than one CIDR for each IP family");
  }
  if (cidrs.length > 0 && node.spec.podCIDR && cidrs[0] !== node.spec.podCIDR) {
    errors.invalid("spec.podCIDRs[0]", cidrs[0], "must match `podCIDR` value");
  }
}

export function validateNodeUpdate(errors: FieldErrors, node: Node, old: Node): void {
  const addresses = new Set<string>();
  node.status?.addresses?.forEach((address, index) => {
    const identity = `${address.type}/${address.address}`;
    if (addresses.has(identity)) errors.duplicate(`status.addresses[${index}]`, address);
    addresses.add(identity);
  });
  const oldCidrs = old.spec?.podCIDRs ?? [];
  if (oldCidrs.length > 0 && !semanticallyEqual(oldCidrs, node.spec?.podCIDRs)) {
    errors.forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid');
  }
  if (old.spec?.providerID && old.spec.providerID !== node.spec?.providerID) {
    errors.forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid');
  }
  if (node.spec?.configSource !== undefined && !semanticallyEqual(node.spec.configSource, old.spec?.configSource)) {
    errors.forbidden("spec.configSource", "configSource is not supported");
  }
}
