import type { Attributes } from "../authorizer.ts";
import { nodesGroup } from "../authorize/node-identity.ts";
import type { User } from "../user.ts";
import { splitServiceAccountUserName } from "./groups.ts";

/** What impersonation headers ask for. */
export interface Asked {
  readonly user: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: ReadonlyMap<string, readonly string[]>;
}

/** One way to be let through: all of these must be allowed. */
export interface ConstrainedWay {
  readonly wanted: readonly Attributes[];
  /** Groups of whom the caller becomes, where they are not those of the headers. */
  readonly groups?: readonly string[];
}

const group = "authentication.k8s.io";
const nodePrefix = "system:node:";
const ownNode = "authentication.kubernetes.io/node-name";

/**
 * The ways in which a caller who may not impersonate in general may do so for this one request: it needs a right to the identity
 * (`impersonate:MODE`) and one to the action (`impersonate-on:MODE:VERB`) (Kubernetes: "Constrained Impersonation", KEP-5284). A
 * service account and a node are taken on as they are: with groups, uid or extras of one's own there is no way.
 */
export function constrainedWays(asked: Asked, user: User, request: Attributes): readonly ConstrainedWay[] {
  const identity = { user, isResource: true, group, version: "v1", subresource: "", path: "", namespace: "" };
  const onRequest = (mode: string): Attributes => ({
    ...request,
    user,
    verb: `impersonate-on:${mode}:${request.verb}`,
  });
  const isPlain = asked.uid === "" && asked.groups.length === 0 && asked.extra.size === 0;
  const account = splitServiceAccountUserName(asked.user);
  if (account !== undefined) {
    const verb = "impersonate:serviceaccount";
    const whom = { ...identity, verb, resource: "serviceaccounts", ...account };
    return isPlain ? [{ wanted: [whom, onRequest("serviceaccount")] }] : [];
  }
  // A name that only looks like a service account's is nobody's.
  if (asked.user.startsWith("system:serviceaccount:")) return [];
  if (asked.user.startsWith(nodePrefix)) {
    const name = asked.user.slice(nodePrefix.length);
    const isOwn = user.extra[ownNode]?.includes(name) === true;
    const modes = !isPlain || name === "" ? [] : isOwn ? ["associated-node", "arbitrary-node"] : ["arbitrary-node"];
    return modes.map((mode) => ({
      wanted: [{ ...identity, verb: `impersonate:${mode}`, resource: "nodes", name }, onRequest(mode)],
      groups: [nodesGroup],
    }));
  }
  const about = { ...identity, verb: "impersonate:user-info" };
  const parts: Attributes[] = [{ ...about, resource: "users", name: asked.user }];
  if (asked.uid !== "") parts.push({ ...about, resource: "uids", name: asked.uid });
  for (const name of asked.groups) parts.push({ ...about, resource: "groups", name });
  for (const [key, values] of asked.extra) {
    for (const name of values) parts.push({ ...about, resource: "userextras", subresource: key, name });
  }
  return [{ wanted: [...parts, onRequest("user-info")] }];
}
