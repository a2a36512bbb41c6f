import type { HttpRequest } from "#world/http.ts";
import type { Failure } from "./failure.ts";
import type { RequestInfo } from "./stages/route.ts";

/** Who counts what comes in from outside. It is told what a request was read as: nobody reads a path twice. */
export interface RequestCounts {
  began(request: HttpRequest): void;
  /** `startedMs`: when it began, by the monotonic clock. */
  ended(request: HttpRequest, info: RequestInfo | Failure | undefined, status: number, startedMs: number): void;
}
