import { ageColumn, column, nameColumn, wideColumn } from "../columns.ts";
import type { ClusterRoleBinding, RoleBinding } from "../generated/rbac-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { semanticallyEqual } from "../validation/immutable.ts";
import { defaultBinding, validateRoleRef, validateSubject } from "../validation/rbac.ts";
import { subjectTexts } from "./subjects.ts";

/** The rules of a binding to roles of the given kinds. */
export function roleBindingRules<T extends ClusterRoleBinding | RoleBinding>(
  roleKinds: readonly string[],
  isNamespaced: boolean,
): KindRules<T> {
  return {
    nameFormat: "path-segment",
    defaults: defaultBinding,
    validate: ({ roleRef, subjects }) =>
      collect((errors) => {
        validateRoleRef(errors, roleRef, roleKinds);
        subjects?.forEach((subject, index) => validateSubject(errors, `subjects[${index}]`, subject, isNamespaced));
      }),
    validateUpdate: (binding, old) =>
      collect((errors) => {
        if (!semanticallyEqual(binding.roleRef, old.roleRef))
          errors.invalid("roleRef", binding.roleRef, "cannot change roleRef");
      }),
    columns: [
      nameColumn,
      column("Role", `RoleRef can only reference a ${roleKinds.join(", ")}.`),
      ageColumn,
      wideColumn("Users", "Users in the roleBinding"),
      wideColumn("Groups", "Groups in the roleBinding"),
      wideColumn("ServiceAccounts", "ServiceAccounts in the roleBinding"),
    ],
    cells: ({ metadata, roleRef, subjects }, now) => [
      metadata.name,
      `${roleRef.kind}/${roleRef.name}`,
      ageOf(metadata.creationTimestamp, now),
      ...subjectTexts(subjects),
    ],
  };
}
