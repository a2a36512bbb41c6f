import { ageColumn, column, nameColumn, wideColumn } from "../columns.ts";
import type { RoleBinding } from "../generated/rbac-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { semanticallyEqual } from "../validation/immutable.ts";
import { defaultBinding, validateRoleRef, validateSubject } from "../validation/rbac.ts";
import { subjectTexts } from "./subjects.ts";

export const roleBindingRules: KindRules<RoleBinding> = {
  nameFormat: "path-segment",
  defaults: defaultBinding,
  validate: (binding) =>
    collect((errors) => {
      validateRoleRef(errors, binding.roleRef, ["ClusterRole", "Role"]);
      binding.subjects?.forEach((subject, index) => validateSubject(errors, `subjects[${index}]`, subject, true));
    }),
  validateUpdate: (binding, old) =>
    collect((errors) => {
      if (!semanticallyEqual(binding.roleRef, old.roleRef))
        errors.invalid("roleRef", binding.roleRef, "cannot change roleRef");
    }),
  columns: [
    nameColumn,
    column("Role", "RoleRef can only reference a ClusterRole, Role."),
    ageColumn,
    wideColumn("Users", "Users in the roleBinding"),
    wideColumn("Groups", "Groups in the roleBinding"),
    wideColumn("ServiceAccounts", "ServiceAccounts in the roleBinding"),
  ],
  cells: (binding, now) => [
    binding.metadata.name,
    `${binding.roleRef.kind}/${binding.roleRef.name}`,
    ageOf(binding.metadata.creationTimestamp, now),
    ...subjectTexts(binding.subjects),
  ],
};
