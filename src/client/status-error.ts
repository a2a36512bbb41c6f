/** The server's answer was a Status with `status: Failure`. */
export class ApiStatusError extends Error {
  override readonly name = "ApiStatusError";
  /** HTTP status code. */
  readonly code: number;
  /** Machine-readable reason: `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, `Expired`... */
  readonly reason: string;
  /** `Status.details`, as sent. */
  readonly details: unknown;

  constructor(status: { code: number; reason: string; message: string; details?: unknown }) {
    super(status.message);
    this.code = status.code;
    this.reason = status.reason;
    this.details = status.details;
  }
}
