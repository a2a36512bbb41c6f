import type { ApiObject } from "#api/kind.ts";
import type { Call } from "../call.ts";

/** Keeps one of each owner that an object names several times, and tells the client in the words that it knows. */
export function keepOwnersOnce(call: Call, { metadata }: ApiObject, isAdmitted: boolean): void {
  const { ownerReferences } = metadata;
  if (ownerReferences === undefined || ownerReferences.length < 2) return;
  const kept = new Map<string, (typeof ownerReferences)[number]>();
  const again: string[] = [];
  for (const owner of ownerReferences) {
    const { apiVersion, kind, name, uid, controller, blockOwnerDeletion } = owner;
    const text = JSON.stringify([apiVersion, kind, name, uid, controller, blockOwnerDeletion]);
    if (kept.has(text)) again.push(uid);
    else kept.set(text, owner);
  }
  if (again.length === 0) return;
  metadata.ownerReferences = [...kept.values()];
  const when = isAdmitted ? " after mutating admission happens" : "";
  call.warnings.push(
    `.metadata.ownerReferences contains duplicate entries${when}; API server dedups owner references in 1.20+, and may reject ` +
      `such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${again.join(", ")}`,
  );
}
