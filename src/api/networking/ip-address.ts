import { ageColumn, column, nameColumn } from "../columns.ts";
import type { IPAddress } from "../generated/networking-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { semanticallyEqual } from "../validation/immutable.ts";
import { parseIp } from "../validation/ip-address.ts";
import { isPathSegmentName } from "../validation/names.ts";

function referenceText(address: IPAddress): string {
  const parent = address.spec?.parentRef;
  if (parent === undefined) return "<none>";
  const resource = parent.group ? `${parent.resource ?? ""}.${parent.group}` : (parent.resource ?? "");
  return [resource, parent.namespace, parent.name].filter((part) => part !== undefined && part !== "").join("/");
}

export const ipAddressRules: KindRules<IPAddress> = {
  // An IPv6 address holds colons, which no subdomain does; its form is checked as an address.
  nameFormat: "path-segment",
  validate: (address) =>
    collect((errors) => {
      const name = address.metadata.name ?? "";
      if (parseIp(name) === undefined)
        errors.invalid("metadata.name", name, "must be a valid IP address in canonical form");
      const parent = address.spec?.parentRef;
      if (parent === undefined) {
        errors.required("spec.parentRef");
        return;
      }
      for (const field of ["resource", "name"] as const) {
        const value = parent[field];
        if (!value) errors.required(`spec.parentRef.${field}`);
        else errors.invalidEach(`spec.parentRef.${field}`, value, isPathSegmentName(value));
      }
    }),
  validateUpdate: (address, old) =>
    collect((errors) => {
      if (!semanticallyEqual(address.spec?.parentRef, old.spec?.parentRef)) {
        errors.invalid("spec.parentRef", address.spec?.parentRef, "field is immutable");
      }
    }),
  columns: [
    nameColumn,
    column("ParentRef", "ParentRef is a reference to the resource that this IPAddress is attached to."),
    ageColumn,
  ],
  cells: (address, now) => [
    address.metadata.name,
    referenceText(address),
    ageOf(address.metadata.creationTimestamp, now),
  ],
};
