import type { HttpRequest, HttpResponse } from "#world/http.ts";
import type { Failure } from "./failure.ts";
import type { RequestInfo } from "./stages/route.ts";

/** What a request was read as; undefined where not even that was possible. */
export type Counted = RequestInfo | Failure | undefined;

/** Who counts what comes in from outside. It is told what a request was read as: nobody reads a path twice. */
export interface RequestCounts {
  began(request: HttpRequest): void;
  /**
   * The request has its answer; the answer to send, whose end is noted where it goes on. `startedMs`: when it began, by the
   * monotonic clock; `outsideMs`: for how long it waited for its turn or for webhooks.
   */
  ended(
    request: HttpRequest,
    info: Counted,
    response: HttpResponse,
    startedMs: number,
    outsideMs: number,
  ): HttpResponse;
  /** A connection was handed over to somebody: to be called when it ends. */
  connected(info: Counted): () => void;
}
