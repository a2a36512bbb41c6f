import { encodeJson } from "#codec/json.ts";
import type { HttpResponse } from "#world/http.ts";
import { Failure } from "./failure.ts";

/** The one place where a failure becomes what the client sees. */
export function statusResponse(failure: Failure, warnings: readonly string[] = []): HttpResponse {
  const headers: Record<string, string> = { "content-type": "application/json", "cache-control": "no-cache, private" };
  const retryAfter = failure.details?.retryAfterSeconds;
  if (retryAfter !== undefined) headers["retry-after"] = String(retryAfter);
  if (warnings.length > 0) headers.warning = warningHeader(warnings);
  const body = encodeJson(statusObject(failure));
  return { status: failure.code, headers, body };
}

/** The Status object of a failure, also what an ERROR event of a watch carries. */
export function statusObject(failure: Failure): Record<string, unknown> {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: failure.continueToken === undefined ? {} : { continue: failure.continueToken },
    status: "Failure",
    message: failure.message,
    reason: failure.reason,
    ...(failure.details !== undefined && { details: failure.details }),
    code: failure.code,
  };
}

/** A Status of success, as deletions, bindings and evictions answer; `more` is what they say beyond that. */
export function successStatus(more: Record<string, unknown>): Record<string, unknown> {
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", ...more };
}

/** RFC 7234 warnings: code 299, no agent, quoted text. Control characters would end the header. */
export function warningHeader(warnings: readonly string[]): string {
  return warnings
    .map(
      (text) =>
        `299 - "${text
          .replace(/[^\x20-\x7e\u00a0-\uffff]/g, " ")
          .replace(/[\\"]/g, "\\$&")
          .replace(/[^\x20-\x7e]/g, "?")}"`,
    )
    .join(", ");
}

/** What an unexpected exception becomes: its text stays inside. */
export const internalFailure: Failure = new Failure(500, "InternalError", "Internal error occurred", {
  causes: [{ message: "the server could not complete the request" }],
});
