import type { ListValue, MapValue, Value } from "./value.ts";

/** A comprehension that is under way: what it goes through, how far it has come, and what it has made of it. */
export interface Loop<State = unknown> {
  readonly range: ListValue | MapValue;
  /** Of a map; an element that was begun and not finished is `key`. */
  readonly keys: Iterator<Value> | undefined;
  key: Value | undefined;
  /** The next element's number. */
  next: number;
  readonly state: State;
  /** What the evaluation had cost after the last element. */
  cost: number;
  /** What came of it; undefined: it goes on. */
  result: Value | undefined;
  /** Loops that had been begun before it. */
  readonly before: number;
}

/**
 * How far an evaluation that was interrupted has come. It begins anew each time, and jumps over what its loops have done: expressions
 * change nothing, so that everything else comes out the same, its cost too.
 */
export class Progress {
  /** By the compiled comprehension. */
  readonly #loops = new Map<object, Loop>();
  readonly #begun: object[] = [];
  /** Since the evaluation began anew, something was done for the first time. */
  hasAdvanced = false;

  find(comprehension: object): Loop | undefined {
    return this.#loops.get(comprehension);
  }

  get count(): number {
    return this.#begun.length;
  }

  begin(comprehension: object, loop: Loop): void {
    this.#loops.set(comprehension, loop);
    this.#begun.push(comprehension);
  }

  /** An element is done, or all of them: loops inside begin anew for the next. */
  advance(loop: Loop, cost: number): void {
    loop.cost = cost;
    this.hasAdvanced = true;
    while (loop.before + 1 < this.#begun.length) this.#loops.delete(this.#begun.pop()!);
  }
}
