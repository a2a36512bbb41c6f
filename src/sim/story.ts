/** What was done to the cluster and when, for people: the last lines are printed when a seed fails. */
export class Story {
  readonly #now: () => number;
  readonly #lines: string[] = [];
  readonly #tell: ((line: string) => void) | undefined;

  /** `tell` gets each line at once. */
  constructor(now: () => number, tell: ((line: string) => void) | undefined) {
    this.#now = now;
    this.#tell = tell;
  }

  add(text: string): void {
    const line = `${(this.#now() / 1000).toFixed(3).padStart(9)} s  ${text}`;
    this.#lines.push(line);
    this.#tell?.(line);
  }

  last(count: number): readonly string[] {
    return this.#lines.slice(-count);
  }
}
