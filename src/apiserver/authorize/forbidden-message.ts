import type { Attributes } from "../authorizer.ts";

/** The text of a 403 as clients know it: `pods is forbidden: User "x" cannot list resource "pods" in API group "" ...`. */
export function forbiddenMessage(wanted: Attributes, reason: string): string {
  const who = `User ${JSON.stringify(wanted.user.name)} cannot ${wanted.verb}`;
  const because = reason === "" ? "" : `: ${reason}`;
  if (!wanted.isResource) return `forbidden: ${who} path ${JSON.stringify(wanted.path)}${because}`;
  const subresource = wanted.subresource === "" ? "" : `/${wanted.subresource}`;
  const resource = JSON.stringify(`${wanted.resource}${subresource}`);
  const where = wanted.namespace === "" ? "at the cluster scope" : `in the namespace ${JSON.stringify(wanted.namespace)}`;
  const subject = wanted.group === "" ? wanted.resource : `${wanted.resource}.${wanted.group}`;
  const name = wanted.name === "" ? "" : ` ${JSON.stringify(wanted.name)}`;
  const what = `resource ${resource} in API group ${JSON.stringify(wanted.group)} ${where}`;
  return `${subject}${name} is forbidden: ${who} ${what}${because}`;
}
