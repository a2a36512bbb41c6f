import { decodePercent } from "#base/percent.ts";
import type { Headers } from "#world/http.ts";
import type { Attributes, Authorizer } from "../authorizer.ts";
import { badRequest, type Failure } from "../failure.ts";
import { denial } from "../stages/authorize.ts";
import type { User } from "../user.ts";
import { constrainedWays, type Asked } from "./constrained-impersonation.ts";
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
  if (!name.startsWith("impersonate-")) return false;
  return (
    name === "impersonate-user" ||
    name === "impersonate-group" ||
    name === "impersonate-uid" ||
    name.startsWith(extraPrefix)
  );
}

/**
 * The user that the impersonation headers ask for, when `user` may be each of name, uid, groups and extra fields, or may be them
 * for this one request (`request`); a 403 that names the first it may not be. Without such headers: `user` itself (Kubernetes:
 * "User impersonation").
 */
export function impersonate(
  headers: Headers,
  user: User,
  authorizer: Pick<Authorizer, "authorize">,
  request?: () => Attributes,
): User | Failure | Promise<User | Failure> {
  const asked = readHeaders(headers);
  if (asked === undefined) return user;
  if (asked === "too many") return badRequest("too many impersonation headers");
  if (asked.user === "") return badRequest("requested impersonation without impersonating a user");
  return judge(asked, user, authorizer, request);
}

async function judge(
  asked: Asked,
  user: User,
  authorizer: Pick<Authorizer, "authorize">,
  request: (() => Attributes) | undefined,
): Promise<User | Failure> {
  const taken = (groups: readonly string[]): User => ({
    name: asked.user,
    uid: asked.uid,
    groups,
    extra: Object.fromEntries(asked.extra),
  });
  const refusal = await firstRefused(permissionsFor(asked, user), authorizer);
  if (refusal === undefined) return taken(groupsOf(asked));
  for (const way of request === undefined ? [] : constrainedWays(asked, user, request())) {
    if ((await firstRefused(way.wanted, authorizer)) !== undefined) continue;
    return taken(way.groups === undefined ? groupsOf(asked) : withAuthenticated(way.groups));
  }
  return refusal;
}

/** Every part needs its own yes; the first no is told. */
async function firstRefused(
  wanted: readonly Attributes[],
  authorizer: Pick<Authorizer, "authorize">,
): Promise<Failure | undefined> {
  for (const part of wanted) {
    const decision = await authorizer.authorize(part);
    if (!decision.allowed) return denial(part, decision.reason);
  }
  return undefined;
}

function readHeaders(headers: Headers): Asked | "too many" | undefined {
  let names: string[] | undefined;
  for (const name in headers) if (isImpersonationHeader(name)) (names ??= []).push(name);
  if (names === undefined) return undefined;
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
  return decodePercent(key)?.toLowerCase() ?? key;
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
