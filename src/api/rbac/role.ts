import { column, nameColumn } from "../columns.ts";
import type { Role } from "../generated/rbac-v1.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { validateRules } from "../validation/rbac.ts";

export const roleRules: KindRules<Role> = {
  nameFormat: "path-segment",
  validate: (role) => collect((errors) => validateRules(errors, role.rules, true)),
  columns: [nameColumn, { ...column("Created At", "When the object was created."), type: "date" }],
  cells: (role) => [role.metadata.name, role.metadata.creationTimestamp],
};
