/** Runs passes one at a time: what asks for one while another is under way gets one more after it. */
export class Passes {
  readonly #pass: () => Promise<void>;
  readonly #failed: (error: unknown) => void;
  #isWanted = false;
  #isRunning = false;

  /** `pass` looks at everything anew each time; what it throws goes to `failed`, and the next request tries again. */
  constructor(pass: () => Promise<void>, failed: (error: unknown) => void) {
    this.#pass = pass;
    this.#failed = failed;
  }

  request(): void {
    this.#isWanted = true;
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#isWanted) {
      this.#isWanted = false;
      try {
        await this.#pass();
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#isRunning = false;
  }
}
