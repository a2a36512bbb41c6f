import { ageColumn, column, nameColumn } from "../columns.ts";
import type { ServiceCIDR } from "../generated/networking-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { separateStatus } from "../strategy.ts";
import { collect } from "../validation/field-errors.ts";
import { isValidCidr, parseNetwork } from "../validation/ip-address.ts";

const cidrsMax = 2;

export const serviceCidrRules: KindRules<ServiceCIDR> = {
  ...separateStatus<ServiceCIDR>(() => ({})),
  validate: (range) =>
    collect((errors) => {
      const cidrs = range.spec?.cidrs ?? [];
      if (cidrs.length === 0) errors.required("spec.cidrs", "at least one CIDR required");
      else if (cidrs.length > cidrsMax) errors.tooMany("spec.cidrs", cidrs.length, cidrsMax);
      cidrs.forEach((cidr, index) => errors.invalidEach(`spec.cidrs[${index}]`, cidr, isValidCidr(cidr)));
      if (cidrs.length === 2 && parseNetwork(cidrs[0] ?? "")?.family === parseNetwork(cidrs[1] ?? "")?.family) {
        errors.invalid(
          "spec.cidrs",
          cidrs,
          "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/96",
        );
      }
    }),
  validateUpdate: (range, old, context) =>
    collect((errors) => {
      if (context.subresource === "status") return;
      const before = old.spec?.cidrs ?? [];
      const now = range.spec?.cidrs ?? [];
      // A second family may be added to one; nothing else changes.
      before.forEach((cidr, index) => {
        if (now[index] !== cidr) errors.invalid(`spec.cidrs[${index}]`, now[index] ?? "", "field is immutable");
      });
    }),
  countsGeneration: false,
  columns: [
    nameColumn,
    column("CIDRs", "CIDRs defines the IP blocks in CIDR notation from which to assign service cluster IPs."),
    ageColumn,
  ],
  cells: (range, now) => [
    range.metadata.name,
    (range.spec?.cidrs ?? []).join(","),
    ageOf(range.metadata.creationTimestamp, now),
  ],
};
