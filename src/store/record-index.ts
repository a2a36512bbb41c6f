import { Ring } from "#base/ring.ts";
import { recordsMax, recordsPerSubjectMax } from "./limits.ts";
import type { Revision } from "./store.ts";

/** Which revisions have a record of which subject: bounded for each subject and in total, the oldest go first. */
export class RecordIndex {
  /** Ascending revisions. */
  readonly #bySubject = new Map<string, Revision[]>();
  /** In order of revision; may name records that left with their subject's bound. */
  readonly #order = new Ring<{ readonly subject: string; readonly revision: Revision }>();
  readonly #drop: (revision: Revision) => void;

  constructor(drop: (revision: Revision) => void) {
    this.#drop = drop;
  }

  add(subject: string, revision: Revision): void {
    const revisions = this.#bySubject.get(subject);
    if (revisions === undefined) this.#bySubject.set(subject, [revision]);
    else {
      revisions.push(revision);
      if (revisions.length > recordsPerSubjectMax) this.#drop(revisions.shift()!);
    }
    this.#order.push({ subject, revision });
    if (this.#order.length > recordsMax) this.#dropOldest();
  }

  #dropOldest(): void {
    const oldest = this.#order.shift()!;
    const revisions = this.#bySubject.get(oldest.subject);
    if (revisions?.[0] !== oldest.revision) return;
    revisions.shift();
    if (revisions.length === 0) this.#bySubject.delete(oldest.subject);
    this.#drop(oldest.revision);
  }

  /** Those above `revision` and not above `upTo` that are still kept, oldest first. */
  between(revision: Revision, upTo: Revision): { readonly subject: string; readonly revision: Revision }[] {
    const found: { readonly subject: string; readonly revision: Revision }[] = [];
    for (let i = this.#order.length - 1; i >= 0; i -= 1) {
      const noted = this.#order.at(i)!;
      if (noted.revision <= revision) break;
      if (upTo < noted.revision) continue;
      const kept = this.#bySubject.get(noted.subject)?.[0];
      if (kept !== undefined && kept <= noted.revision) found.push(noted);
    }
    return found.reverse();
  }

  /** Newest first, none above `upTo`. */
  newest(subject: string, limit: number, upTo: Revision): Revision[] {
    const found: Revision[] = [];
    const revisions = this.#bySubject.get(subject) ?? [];
    for (let i = revisions.length - 1; i >= 0 && found.length < limit; i -= 1) {
      if (revisions[i]! <= upTo) found.push(revisions[i]!);
    }
    return found;
  }
}
