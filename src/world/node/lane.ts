/** Tasks that have run leave the array when there are so many. */
const compactAfter = 1_024;
/** So many tasks are planned at a time: when a turn is over, those that it had no time for are planned again, one by one. */
const plannedMax = 32;

/**
 * Runs tasks in order, each in a macrotask of its own, for some time of each turn of the event loop: then the sockets get their
 * turn. Node alone runs all immediates that are due before it looks at a socket, and a request of a user would wait behind
 * hundreds of tasks of the loops.
 */
export interface Lane {
  /** Runs the task in a later turn. */
  add(task: () => void): void;
  /** Runs the task now when the turn has time left, else in a later one, behind what waits. */
  enter(task: () => void): void;
}

/** `sliceMs`: when tasks have run for so long in a turn the others wait for the next, in milliseconds. */
export function createLane(sliceMs: number): Lane {
  const waiting: (() => void)[] = [];
  let first = 0;
  let planned = 0;
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
  const plan = (): void => {
    planned += 1;
    setImmediate(turn);
  };
  const turn = (): void => {
    planned -= 1;
    if (!hasTime()) {
      plan();
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
    if (planned < waiting.length - first) plan();
    task();
  };
  const add = (task: () => void): void => {
    waiting.push(task);
    if (planned < plannedMax) plan();
  };
  return {
    add,
    enter(task) {
      if (waiting.length === 0 && hasTime()) task();
      else add(task);
    },
  };
}
