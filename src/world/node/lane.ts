/**
 * Tasks run for this long before the sockets get their turn, in milliseconds. With 5 the slowest hundredth of GETs beside a busy
 * scheduler waited 17, with 2 it waits 14.
 */
const sliceMs = 2;
/** Tasks that have run leave the array when there are so many. */
const compactAfter = 1_024;

/**
 * Runs tasks in order, each in a macrotask of its own, for at most `sliceMs` milliseconds a turn of the event loop: then the
 * sockets get their turn. Node alone runs all immediates that are due before it looks at a socket, and a request of a user
 * would wait behind hundreds of tasks of the loops.
 */
export interface Lane {
  /** Runs the task in a later turn. */
  add(task: () => void): void;
  /** Runs the task now when the turn has time left, else in a later one, behind what waits. */
  enter(task: () => void): void;
}

export function createLane(): Lane {
  const waiting: (() => void)[] = [];
  let first = 0;
  let sliceEnd: number | undefined;

  const closeSlice = (): void => {
    sliceEnd = undefined;
  };
  const hasTime = (): boolean => {
    const now = performance.now();
    if (sliceEnd === undefined) {
      sliceEnd = now + sliceMs;
      // Comes first in the next turn: what this turn adds is behind it.
      setImmediate(closeSlice);
    }
    return now < sliceEnd;
  };
  /** One of these is under way for each waiting task; which one runs which task does not matter. */
  const turn = (): void => {
    if (!hasTime()) {
      setImmediate(turn);
      return;
    }
    const task = waiting[first]!;
    first += 1;
    if (first === waiting.length) {
      waiting.length = 0;
      first = 0;
    } else if (first === compactAfter) {
      waiting.splice(0, first);
      first = 0;
    }
    task();
  };
  return {
    add(task) {
      waiting.push(task);
      setImmediate(turn);
    },
    enter(task) {
      if (waiting.length === 0 && hasTime()) {
        task();
        return;
      }
      waiting.push(task);
      setImmediate(turn);
    },
  };
}
