import type { User } from "../user.ts";

export const nodesGroup = "system:nodes";
const prefix = "system:node:";

/** The name of the node whose agent this user is; undefined for everybody else. */
export function nodeNameOf(user: User): string | undefined {
  if (!user.name.startsWith(prefix) || !user.groups.includes(nodesGroup)) return undefined;
  return user.name.slice(prefix.length);
}
