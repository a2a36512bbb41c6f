/** Fields that the server keeps: nobody owns them. */
const housekeeping: ReadonlySet<string> = new Set([
  "apiVersion",
  "kind",
  "metadata.name",
  "metadata.namespace",
  "metadata.creationTimestamp",
  "metadata.selfLink",
  "metadata.uid",
  "metadata.generation",
  "metadata.managedFields",
  "metadata.resourceVersion",
]);

/** Fields that a write to this (sub)resource cannot set, as dotted paths of one or two names. */
export type ResetFields = readonly string[];

/** The main resource cannot set status, /status cannot set spec. */
export function defaultResetFields(subresource: string): ResetFields {
  return subresource === "status" ? ["spec"] : subresource === "" ? ["status"] : [];
}

/** Tells which fields near the root take no part in ownership. `parent` is undefined at the root. */
export function ignoreRule(reset: ResetFields): (parent: string | undefined, name: string) => boolean {
  const all = new Set([...housekeeping, ...reset]);
  return (parent, name) => all.has(parent === undefined ? name : `${parent}.${name}`);
}
