import type { Change, Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";

/** Metadata that never changes in an object's life. */
const fixed = ["uid", "creationTimestamp", "name", "namespace"] as const;
/** Kinds whose generation also counts changes outside of spec, as upstream documents. */
const annotationsCount = new Set(["apps/deployments"]);

/** 6 identity, 7 generation, 8 no-op updates, 9 deletion: what every stored object keeps to. */
export function objectChecker(_view: View, report: Report): Checker {
  const uids = new Map<string, string>();
  return {
    name: "objects",
    changed(changes) {
      for (const change of changes) {
        const { key, current, before } = change;
        if (current === undefined) continue;
        if (before === undefined) checkNew(uids, key, current, report);
        else checkChange(change, before, current, report);
      }
    },
  };
}

function checkNew(uids: Map<string, string>, key: string, { metadata }: Stored, report: Report): void {
  const { uid } = metadata;
  if (uid === undefined || uid === "") report("6 identity", `${key} has no uid`);
  else if (uids.has(uid)) report("6 identity", `${key} has the uid of ${uids.get(uid)}`);
  uids.set(uid, key);
}

function checkChange(
  { key, resource, isSame, revision }: Change,
  before: Stored,
  current: Stored,
  report: Report,
): void {
  for (const field of fixed) {
    if (before.metadata[field] !== current.metadata[field]) {
      report(
        "6 identity",
        `${field} of ${key} changed from ${before.metadata[field]} to ${current.metadata[field]} at ${revision}`,
      );
    }
  }
  if (isSame) report("8 no-op updates", `${key} was written at ${revision} without a change`);
  checkGeneration(key, resource, before, current, report);
  checkDeletion(key, before, current, report);
}

function checkGeneration(key: string, resource: string, before: Stored, current: Stored, report: Report): void {
  const [old = 0, now = 0] = [before.metadata.generation, current.metadata.generation];
  const observed = (current.status as { observedGeneration?: number } | undefined)?.observedGeneration ?? 0;
  if (before.metadata.generation === undefined && current.metadata.generation === undefined) return;
  if (observed > now) report("7 generation", `${key} observed generation ${observed} of ${now}`);
  const isEnding = before.metadata.deletionTimestamp === undefined && current.metadata.deletionTimestamp !== undefined;
  const annotated = annotationsCount.has(resource) && !equal(before.metadata.annotations, current.metadata.annotations);
  // A binding is no change of what was asked for.
  const isBinding = resource === "pods" && before.spec?.["nodeName"] === undefined;
  const isOther = !equal(before.spec, isBinding ? { ...current.spec, nodeName: undefined } : current.spec);
  const grown = now - old;
  if (grown === (isOther ? 1 : 0) || (grown === 1 && (isEnding || annotated))) return;
  report(
    "7 generation",
    `generation of ${key} went from ${old} to ${now}, and its spec ${isOther ? "changed" : "did not change"}`,
  );
}

function checkDeletion(key: string, before: Stored, current: Stored, report: Report): void {
  const [old, now] = [before.metadata.deletionTimestamp, current.metadata.deletionTimestamp];
  if (old === undefined) return;
  if (now === undefined) report("9 deletion", `${key} is not being deleted any more`);
  else if (now > old) report("9 deletion", `the deletion of ${key} moved from ${old} to ${now}`);
  const had = new Set(before.metadata.finalizers ?? []);
  for (const finalizer of current.metadata.finalizers ?? []) {
    if (!had.has(finalizer)) report("9 deletion", `${key} got finalizer ${finalizer} while it was being deleted`);
  }
}

/** Equal whatever the order of keys: the first write of an object may have another than the later ones. */
function equal(a: unknown, b: unknown): boolean {
  return (
    a === b || JSON.stringify(a) === JSON.stringify(b) || JSON.stringify(ordered(a)) === JSON.stringify(ordered(b))
  );
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, field]) => [name, ordered(field)]),
  );
}
