import type { Attributes } from "../authorizer.ts";
import type { Call, Outcome } from "../call.ts";
import { badRequest, Failure, forbidden } from "../failure.ts";
import type { User } from "../user.ts";

const extraPrefix = "impersonate-extra-";

/** Takes on the identity that Impersonate-* headers ask for, when the real user may (each of user, groups, uid, extras). */
export function impersonate(call: Call): Outcome {
  const { headers } = call.request;
  const name = headers["impersonate-user"];
  const groupsText = headers["impersonate-group"];
  const uid = headers["impersonate-uid"];
  const extras = Object.keys(headers).filter((header) => header.startsWith(extraPrefix));
  if (name === undefined && groupsText === undefined && uid === undefined && extras.length === 0) return undefined;
  if (name === undefined || name === "") return badRequest("requested groups, uid or extra without impersonating a user");

  const groups = groupsText === undefined ? [] : groupsText.split(",").map((group) => group.trim());
  const extra: Record<string, string[]> = {};
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name);
  const wanted: Partial<Attributes>[] = [
    account === null ? { resource: "users", name } : { resource: "serviceaccounts", namespace: account[1]!, name: account[2]! },
    ...groups.map((group) => ({ resource: "groups", name: group })),
  ];
  if (uid !== undefined) wanted.push({ resource: "uids", name: uid, group: "authentication.k8s.io" });
  for (const header of extras) {
    const key = decodeKey(header.slice(extraPrefix.length));
    extra[key] = headers[header]!.split(",").map((value) => value.trim());
    for (const value of extra[key]) wanted.push({ resource: "userextras", subresource: key, name: value, group: "authentication.k8s.io" });
  }
  for (const attributes of wanted) {
    const refused = mayImpersonate(call, attributes);
    if (refused !== undefined) return refused;
  }
  call.user = impersonated(name, groups, uid ?? "", extra, account);
  return undefined;
}

function impersonated(
  name: string,
  groups: readonly string[],
  uid: string,
  extra: Record<string, string[]>,
  account: RegExpExecArray | null,
): User {
  const all = [...groups];
  if (account !== null && groups.length === 0) all.push("system:serviceaccounts", `system:serviceaccounts:${account[1]!}`);
  const isAnonymous = name === "system:anonymous";
  const standard = isAnonymous ? "system:unauthenticated" : "system:authenticated";
  if (!all.includes(standard) && !all.includes("system:unauthenticated")) all.push(standard);
  return { name, uid, groups: all, extra };
}

function mayImpersonate(call: Call, wanted: Partial<Attributes>): Failure | undefined {
  const attributes: Attributes = {
    user: call.user,
    verb: "impersonate",
    isResource: true,
    group: "",
    version: "v1",
    resource: "",
    subresource: "",
    namespace: "",
    name: "",
    path: "",
    ...wanted,
  };
  const decision = call.parts.authorizer.authorize(attributes);
  if (decision.allowed) return undefined;
  const { resource, group, name } = attributes;
  const why = `User "${call.user.name}" cannot impersonate resource "${resource}" in API group "${group}" at the cluster scope`;
  return forbidden({ group, resource }, name, why);
}

/** Extra keys are percent-encoded where headers cannot carry them. */
function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
