import type { Attributes } from "../authorizer.ts";
import { Failure, forbidden } from "../failure.ts";

/** The 403 for what was not allowed: `pods is forbidden: User "x" cannot list resource "pods" in API group "" ...`. */
export function forbiddenFailure(wanted: Attributes, reason: string): Failure {
  const who = `User ${JSON.stringify(wanted.user.name)} cannot ${wanted.verb}`;
  const because = reason === "" ? "" : `: ${reason}`;
  if (!wanted.isResource) {
    return new Failure(403, "Forbidden", `forbidden: ${who} path ${JSON.stringify(wanted.path)}${because}`, {});
  }
  const subresource = wanted.subresource === "" ? "" : `/${wanted.subresource}`;
  const resource = JSON.stringify(`${wanted.resource}${subresource}`);
  const where = wanted.namespace === "" ? "at the cluster scope" : `in the namespace ${JSON.stringify(wanted.namespace)}`;
  const what = `resource ${resource} in API group ${JSON.stringify(wanted.group)} ${where}`;
  return forbidden(wanted, wanted.name, `${who} ${what}${because}`);
}
