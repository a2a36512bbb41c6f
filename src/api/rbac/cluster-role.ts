import { column, nameColumn } from "../columns.ts";
import type { ClusterRole } from "../generated/rbac-v1.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { validateAggregation, validateRules } from "../validation/rbac.ts";

export const clusterRoleRules: KindRules<ClusterRole> = {
  nameFormat: "path-segment",
  validate: (role) =>
    collect((errors) => {
      validateRules(errors, role.rules, false);
      validateAggregation(errors, role);
    }),
  columns: [nameColumn, { ...column("Created At", "When the object was created."), type: "date" }],
  cells: (role) => [role.metadata.name, role.metadata.creationTimestamp],
};
