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

const withoutSpec: ResetFields = ["spec"];
const withoutStatus: ResetFields = ["status"];
const withoutNothing: ResetFields = [];

/** The main resource cannot set status, /status cannot set spec. */
export function defaultResetFields(subresource: string): ResetFields {
  return subresource === "status" ? withoutSpec : subresource === "" ? withoutStatus : withoutNothing;
}

type IgnoreRule = (parent: string | undefined, name: string) => boolean;
/** By the list itself: nearly all are one of the three above. */
const rules = new WeakMap<ResetFields, IgnoreRule>();

/** Tells which fields near the root take no part in ownership. `parent` is undefined at the root. */
export function ignoreRule(reset: ResetFields): IgnoreRule {
  const known = rules.get(reset);
  if (known !== undefined) return known;
  const atRoot = new Set<string>();
  const below = new Map<string, Set<string>>();
  for (const path of [...housekeeping, ...reset]) {
    const dot = path.indexOf(".");
    if (dot === -1) atRoot.add(path);
    else {
      const parent = path.slice(0, dot);
      const names = below.get(parent) ?? new Set();
      below.set(parent, names.add(path.slice(dot + 1)));
    }
  }
  const rule: IgnoreRule = (parent, name) =>
    parent === undefined ? atRoot.has(name) : below.get(parent)?.has(name) === true;
  rules.set(reset, rule);
  return rule;
}
