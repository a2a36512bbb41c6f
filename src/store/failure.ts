/** The store can no longer keep what it accepts: the process must end, so that nothing is answered that is not durable. */
export class StoreFailedError extends Error {
  override readonly name = "StoreFailedError";
}

/** The store cannot be opened as it is: damaged, newer than this program, or in use. The message says what to do. */
export class StoreRefusedError extends Error {
  override readonly name = "StoreRefusedError";
}
