/**
 * What goes wrong while an expression is evaluated: thrown, caught by `||`, `&&`, `all` and `exists` as the language says, and
 * turned into a value by `Program.evaluate`. Deliberately no Error: nobody needs its stack, and making one is slow.
 */
export class EvaluationFailure {
  readonly message: string;
  /** The cost limit is reached: no operator may go on after it. */
  readonly isFinal: boolean;

  constructor(message: string, isFinal = false) {
    this.message = message;
    this.isFinal = isFinal;
  }
}

/** Ends the evaluation of the present operand. */
export function fail(message: string): never {
  throw new EvaluationFailure(message);
}

/** Something wrong with an expression, at a character counted from 0. */
export interface Issue {
  readonly message: string;
  readonly at: number;
}

/** Ends the parsing of an expression. */
export class SyntaxFailure {
  readonly issue: Issue;

  constructor(message: string, at: number) {
    this.issue = { message, at };
  }
}

/** Issues in the form that clients know: position, message, the line, and a pointer below it. */
export function describeIssues(text: string, issues: readonly Issue[]): string {
  return issues.map((issue) => describe(text, issue)).join("\n");
}

function describe(text: string, { message, at }: Issue): string {
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  const column = at - (before.lastIndexOf("\n") + 1);
  const shown = text.split("\n")[line - 1] ?? "";
  return `ERROR: <input>:${line}:${column + 1}: ${message}\n | ${shown}\n | ${".".repeat(column)}^`;
}
