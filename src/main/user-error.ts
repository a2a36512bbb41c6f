/** Something the user can mend. Shown as two sentences, without a stack trace; the program exits with 1. */
export class UserError extends Error {
  override readonly name = "UserError";
  /** `problem` says what is wrong, `remedy` what to do. */
  constructor(problem: string, remedy: string) {
    super(`${problem} ${remedy}`);
  }
}

/** What the machine refuses, or a server that is down, as a sentence for the user, who alone can mend it; undefined for defects of ours. */
export function machineRefusal(error: unknown): UserError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, path = "" } = error as NodeJS.ErrnoException;
  const it = path === "" ? "a file" : path;
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return new UserError(`Cannot write ${it}: the disk is full.`, "Free some space, then run this again.");
    case "EROFS":
      return new UserError(
        `Cannot write ${it}: its file system is read-only.`,
        "Choose another place with --data-dir.",
      );
    case "EACCES":
    case "EPERM":
      // Without a path it is no file: nothing that the user could mend.
      if (path === "") return undefined;
      return new UserError(`This user may not use ${it}.`, "Become the user that owns it, or name another --data-dir.");
    case "ENOTDIR":
      return new UserError(`Cannot use ${it}: a part of this path is a file.`, "Name a folder with --data-dir.");
    case "ECONNREFUSED":
    case "ECONNRESET":
    case "ETIMEDOUT":
      return new UserError(
        `The cluster's API does not answer: ${error.message}.`,
        "./steer status says what runs; ./steer up starts what does not.",
      );
    default:
      return undefined;
  }
}
