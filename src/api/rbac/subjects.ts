import type { Subject } from "../generated/rbac-v1.ts";

/** Users, groups and service accounts among `subjects`, as columns show them. */
export function subjectTexts(subjects: readonly Subject[] | undefined): [string, string, string] {
  const users: string[] = [];
  const groups: string[] = [];
  const accounts: string[] = [];
  for (const subject of subjects ?? []) {
    if (subject.kind === "User") users.push(subject.name);
    else if (subject.kind === "Group") groups.push(subject.name);
    else if (subject.kind === "ServiceAccount") accounts.push(`${subject.namespace ?? ""}/${subject.name}`);
  }
  return [users.join(", "), groups.join(", "), accounts.join(", ")];
}
