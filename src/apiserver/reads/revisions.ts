import type { Call } from "../call.ts";
import { Failure, invalid, revisionTooLarge } from "../failure.ts";
import { futureRevisionWaitMs } from "../limits.ts";

/** The `resourceVersion` of a read: undefined when unset or "0", both of which the newest state satisfies. */
export function askedRevision(text: string | null): number | undefined | Failure {
  if (text === null || text === "" || text === "0") return undefined;
  const revision = Number(text);
  if (!/^[0-9]{1,19}$/.test(text)) {
    return invalid("meta.k8s.io", "ListOptions", "", [
      {
        field: "resourceVersion",
        reason: "FieldValueInvalid",
        message: `Invalid value: ${JSON.stringify(text)}: must be a decimal number`,
      },
    ]);
  }
  // Numbers beyond what is exact here are as far in the future as any.
  return Math.min(revision, Number.MAX_SAFE_INTEGER);
}

/** Waits, bounded, until the server has reached a revision; a failure (504) when it does not. */
export async function waitForRevision(call: Call, revision: number): Promise<Failure | undefined> {
  const { hub, timers, store } = call.parts;
  let timer: { cancel(): void } | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = timers.after(futureRevisionWaitMs, () => resolve("late"));
  });
  const first = await Promise.race([hub.reached(revision), late]);
  timer?.cancel();
  return first === "late" && store.visible < revision ? revisionTooLarge(revision, store.visible) : undefined;
}
