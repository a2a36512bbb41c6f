import type { User } from "../user.ts";

const authenticatedGroup = "system:authenticated";
export const unauthenticatedGroup = "system:unauthenticated";
const serviceAccountsGroup = "system:serviceaccounts";
export const bootstrappersGroup = "system:bootstrappers";

/** Whoever brings no credentials. */
export const anonymousUser: User = { name: "system:anonymous", uid: "", groups: [unauthenticatedGroup], extra: {} };

const serviceAccountPrefix = "system:serviceaccount:";

export function serviceAccountUserName(namespace: string, name: string): string {
  return `${serviceAccountPrefix}${namespace}:${name}`;
}

/** The groups that every service account is in, without `system:authenticated`. */
export function serviceAccountGroups(namespace: string): string[] {
  return [serviceAccountsGroup, `${serviceAccountsGroup}:${namespace}`];
}

/** The namespace and name behind a service account's user name; undefined for other users. */
export function splitServiceAccountUserName(userName: string): { namespace: string; name: string } | undefined {
  if (!userName.startsWith(serviceAccountPrefix)) return undefined;
  const [namespace, name, ...rest] = userName.slice(serviceAccountPrefix.length).split(":");
  if (namespace === undefined || name === undefined || rest.length !== 0) return undefined;
  const valid = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
  return valid.test(namespace) && valid.test(name) ? { namespace, name } : undefined;
}

/** Adds `system:authenticated` unless the user is the anonymous one or in the group already. */
export function withAuthenticated(groups: readonly string[]): readonly string[] {
  return groups.includes(authenticatedGroup) ? groups : [...groups, authenticatedGroup];
}
