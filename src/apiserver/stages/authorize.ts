import type { Attributes, Decision } from "../authorizer.ts";
import type { Call, Outcome } from "../call.ts";
import { recordAttributes, recordsPath } from "../discovery/records.ts";
import { Failure, forbidden } from "../failure.ts";

const connecting: ReadonlySet<string> = new Set(["exec", "attach", "portforward"]);

/** Asks the authorizer; without its yes nothing further happens (invariant 17). */
export function authorize(call: Call): Outcome | Promise<Outcome> {
  const attributes = call.info.path === recordsPath ? recordAttributes(call) : attributesOf(call);
  if (attributes instanceof Failure) return attributes;
  const { authorizer, measures } = call.parts;
  const sinceMs = measures?.now();
  const judged = (decision: Decision): Outcome => {
    if (sinceMs !== undefined) measures?.checked("authorization", decision.allowed ? "allowed" : "denied", sinceMs);
    return judge(attributes, decision);
  };
  const decision = authorizer.authorize(attributes);
  return decision instanceof Promise ? decision.then(judged) : judged(decision);
}

function judge(attributes: Attributes, { allowed, reason }: Decision): Outcome {
  return allowed ? undefined : denial(attributes, reason);
}

/** What a call wants to do. Connecting to a pod is creating, also when it comes as a GET (WebSocket). */
export function attributesOf(call: Call): Attributes {
  const { info, user } = call;
  const { verb, isResource, group, version, resource, subresource, namespace, name, path } = info;
  const isConnect = verb === "get" && group === "" && resource === "pods" && connecting.has(subresource);
  const attributes = {
    user,
    verb: isConnect ? "create" : verb,
    isResource,
    group,
    version,
    resource,
    subresource,
    namespace,
    name,
    path,
  };
  return verb === "list" || verb === "watch"
    ? { ...attributes, fieldRequirements: equalities(info.query.get("fieldSelector")) }
    : attributes;
}

/** The equalities of a field selector; one that cannot be read is refused later, and narrows nothing here. */
function equalities(selector: string | null): NonNullable<Attributes["fieldRequirements"]> {
  if (selector === null || selector.includes("\\")) return [];
  return selector.split(",").flatMap((term) => {
    const match = /^([^!=]+)==?([^=]*)$/.exec(term);
    return match === null ? [] : [{ key: match[1]!, value: match[2]! }];
  });
}

/** 403 in the words that clients know. */
export function denial(attributes: Attributes, reason: string): Failure {
  const { user, verb, group, resource, subresource, namespace, name } = attributes;
  const suffix = reason === "" ? "" : `: ${reason}`;
  if (!attributes.isResource) {
    return new Failure(
      403,
      "Forbidden",
      `forbidden: User ${JSON.stringify(user.name)} cannot ${verb} path ${JSON.stringify(attributes.path)}${suffix}`,
      {},
    );
  }
  const what = subresource === "" ? resource : `${resource}/${subresource}`;
  const where = namespace === "" ? "at the cluster scope" : `in the namespace ${JSON.stringify(namespace)}`;
  const who = JSON.stringify(user.name);
  return forbidden(
    { group, resource },
    name,
    `User ${who} cannot ${verb} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)} ${where}${suffix}`,
  );
}
