/** Something the user can mend. Shown as two sentences, without a stack trace; the program exits with 1. */
export class UserError extends Error {
  override readonly name = "UserError";
  /** `problem` says what is wrong, `remedy` what to do. */
  constructor(problem: string, remedy: string) {
    super(`${problem} ${remedy}`);
  }
}
