/** What is under way besides the loop, most of it writes; bounded by who begins it. */
export class Tasks {
  readonly #ended: () => void;
  #count = 0;
  #drained: (() => void)[] = [];

  /** `ended` is called after each. */
  constructor(ended: () => void) {
    this.#ended = ended;
  }

  get count(): number {
    return this.#count;
  }

  /** Never rejects: `failed` gets what went wrong. */
  async run(task: () => Promise<void>, failed: (error: unknown) => void): Promise<void> {
    this.#count += 1;
    try {
      await task();
    } catch (error) {
      failed(error);
    }
    this.#count -= 1;
    this.#ended();
    if (this.#count === 0) for (const resolve of this.#drained.splice(0)) resolve();
  }

  /** Resolves when none is under way. */
  drained(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }
}
