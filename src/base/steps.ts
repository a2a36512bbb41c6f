/**
 * Work that pauses between its steps, so that whoever waits for others' sake can do something else there: here nobody waits, and
 * it is done at once.
 */
export function allAtOnce<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
