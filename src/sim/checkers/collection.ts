import type { Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";

const foreground = "foregroundDeletion";
/** A dependent that is younger may have been made by a loop that did not know yet. Milliseconds. */
const youngMs = 30_000;

/** 49: the collector deletes only what nobody owns. 51: an owner goes after the dependents that block it. */
export function collectionChecker(view: View, report: Report): Checker {
  const createdMs = new Map<string, number>();
  const owns = (uid: string): [string, Stored] | undefined => {
    for (const resource of view.history.resources())
      for (const entry of view.history.all(resource)) if (entry[1].metadata.uid === uid) return entry;
    return undefined;
  };
  const find = (uid: string): Stored | undefined => owns(uid)?.[1];
  return {
    name: "collection",
    requested(_client, { method, headers, body }) {
      if (method !== "DELETE" || headers["steersman-actor"] !== "controllers%2Fgarbage-collection") return;
      const options = JSON.parse(new TextDecoder().decode(body)) as { preconditions?: { uid?: string } };
      const object = find(options.preconditions?.uid ?? "");
      const owners = object?.metadata.ownerReferences ?? [];
      for (const { uid, kind, name } of owners) {
        const owner = find(uid);
        if (owner === undefined || (owner.metadata.finalizers ?? []).includes(foreground)) continue;
        report("49 collection", `${object?.metadata.name} is collected although its owner ${kind} ${name} exists`);
      }
    },
    changed(changes) {
      for (const { before, current, key } of changes) {
        if (current === undefined) createdMs.delete(key);
        else if (before === undefined) createdMs.set(key, view.now());
        const isLetGo =
          (before?.metadata.finalizers ?? []).includes(foreground) &&
          !(current?.metadata.finalizers ?? []).includes(foreground);
        if (before === undefined || !isLetGo) continue;
        for (const resource of view.history.resources()) {
          for (const [at, { metadata }] of view.history.all(resource)) {
            const blocks = metadata.ownerReferences?.some(
              (owner) => owner.uid === before.metadata.uid && owner.blockOwnerDeletion === true,
            );
            if (blocks === true && view.now() - (createdMs.get(at) ?? 0) > youngMs)
              report("51 foreground", `${key} is let go before its dependent ${at}`);
          }
        }
      }
    },
  };
}
