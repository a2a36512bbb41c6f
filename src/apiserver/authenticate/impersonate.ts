import type { Headers } from "#world/http.ts";
import type { Attributes, Authorizer } from "../authorizer.ts";
import { badRequest, type Failure } from "../failure.ts";
import { denial } from "../stages/authorize.ts";
import type { User } from "../user.ts";
import {
  anonymousUser,
  serviceAccountGroups,
  splitServiceAccountUserName,
  unauthenticatedGroup,
  withAuthenticated,
} from "./groups.ts";
import { impersonatedValuesMax } from "./limits.ts";

const extraPrefix = "impersonate-extra-";

/** Headers that ask for another identity. They must never reach a backend that the request is proxied to. */
export function isImpersonationHeader(name: string): boolean {
  return (
    name === "impersonate-user" ||
    name === "impersonate-group" ||
    name === "impersonate-uid" ||
    name.startsWith(extraPrefix)
  );
}

/** What the headers ask for, before anybody judged it. */
interface Asked {
  readonly user: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: ReadonlyMap<string, readonly string[]>;
}

/**
 * The user that the impersonation headers ask for, when `user` may be each of name, uid, groups and extra fields; a 403
 * that names the first it may not be. Without such headers: `user` itself (Kubernetes: "User impersonation").
 */
export function impersonate(
  headers: Headers,
  user: User,
  authorizer: Pick<Authorizer, "authorize">,
): User | Failure | Promise<User | Failure> {
  const asked = readHeaders(headers);
  if (asked === undefined) return user;
  if (asked === "too many") return badRequest("too many impersonation headers");
  if (asked.user === "") return badRequest("requested impersonation without impersonating a user");
  return askFrom(permissionsFor(asked, user), 0, authorizer, () => ({
    name: asked.user,
    uid: asked.uid,
    groups: groupsOf(asked),
    extra: Object.fromEntries(asked.extra),
  }));
}

/** Every part needs its own yes; the first no ends it. */
function askFrom(
  wanted: readonly Attributes[],
  from: number,
  authorizer: Pick<Authorizer, "authorize">,
  granted: () => User,
): User | Failure | Promise<User | Failure> {
  for (let index = from; index < wanted.length; index += 1) {
    const part = wanted[index]!;
    const decision = authorizer.authorize(part);
    if (decision instanceof Promise) {
      return decision.then((settled) =>
        settled.allowed ? askFrom(wanted, index + 1, authorizer, granted) : denial(part, settled.reason),
      );
    }
    if (!decision.allowed) return denial(part, decision.reason);
  }
  return granted();
}

function readHeaders(headers: Headers): Asked | "too many" | undefined {
  const names = Object.keys(headers).filter(isImpersonationHeader);
  if (names.length === 0) return undefined;
  const extra = new Map<string, string[]>();
  let count = 0;
  for (const name of names) {
    const values = split(headers[name] ?? "");
    count += values.length;
    if (name.startsWith(extraPrefix)) extra.set(decodeKey(name.slice(extraPrefix.length)), values);
  }
  if (impersonatedValuesMax < count) return "too many";
  return {
    user: headers["impersonate-user"] ?? "",
    uid: headers["impersonate-uid"] ?? "",
    groups: split(headers["impersonate-group"] ?? ""),
    extra,
  };
}

/** Repeated headers arrive joined; a value that itself contains a comma is judged part by part, so nothing is gained by it. */
function split(joined: string): string[] {
  return joined
    .split(",")
    .map((value) => value.trim())
    .filter((value) => value !== "");
}

/** Keys are percent-encoded where headers could not carry them; a broken encoding stays as it is. */
function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key).toLowerCase();
  } catch {
    return key;
  }
}

function permissionsFor(asked: Asked, user: User): Attributes[] {
  const common = {
    user,
    verb: "impersonate",
    isResource: true,
    path: "",
    version: "v1",
    namespace: "",
    subresource: "",
  };
  const account = splitServiceAccountUserName(asked.user);
  const out: Attributes[] =
    account === undefined
      ? [{ ...common, group: "", resource: "users", name: asked.user }]
      : [{ ...common, group: "", resource: "serviceaccounts", ...account }];
  const group = "authentication.k8s.io";
  if (asked.uid !== "") out.push({ ...common, group, resource: "uids", name: asked.uid });
  for (const name of asked.groups) out.push({ ...common, group: "", resource: "groups", name });
  for (const [key, values] of asked.extra) {
    for (const name of values) out.push({ ...common, group, resource: "userextras", subresource: key, name });
  }
  return out;
}

function groupsOf(asked: Asked): readonly string[] {
  const account = splitServiceAccountUserName(asked.user);
  const groups =
    account !== undefined && asked.groups.length === 0 ? serviceAccountGroups(account.namespace) : asked.groups;
  if (groups.includes(unauthenticatedGroup)) return groups;
  return asked.user === anonymousUser.name ? [...groups, unauthenticatedGroup] : withAuthenticated(groups);
}
