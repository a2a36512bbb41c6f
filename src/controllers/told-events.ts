import type { Action } from "#reconcile/action.ts";

/** Remembers what was told last of each object: the same state is not told again with each look. After a restart it is, once. */
export class ToldEvents {
  readonly #last = new Map<string, string>();

  /** The actions without events that say what was said last. */
  fresh(actions: readonly Action[]): Action[] {
    return actions.filter((action) => {
      if (action.verb !== "event") return true;
      const text = `${action.eventReason} ${action.message}`;
      if (this.#last.get(action.about.uid) === text) return false;
      this.#last.set(action.about.uid, text);
      return true;
    });
  }

  /** The object of this uid is gone, or has nothing to be told of any more. */
  forget(uid: string | undefined): void {
    if (uid !== undefined) this.#last.delete(uid);
  }
}
