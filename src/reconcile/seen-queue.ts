/** Tasks that wait for a revision, released in revision order. */
export interface SeenQueue {
  add(revision: number, task: () => void): void;
  /** Runs the tasks waiting for `revision` or less. */
  release(revision: number): void;
}

export function createSeenQueue(): SeenQueue {
  // Sorted by revision. Own writes come with growing revisions, so that adding is nearly always at the end.
  let waiting: { revision: number; task: () => void }[] = [];
  return {
    add(revision, task) {
      let at = waiting.length;
      while (at > 0 && waiting[at - 1]!.revision > revision) at--;
      waiting.splice(at, 0, { revision, task });
    },
    release(revision) {
      let count = 0;
      while (count < waiting.length && waiting[count]!.revision <= revision) count++;
      if (count === 0) return;
      const due = waiting.slice(0, count);
      waiting = waiting.slice(count);
      for (const { task } of due) task();
    },
  };
}
