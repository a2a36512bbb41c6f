import type { HttpRequest, Peer } from "#world/http.ts";
import type { User } from "./user.ts";

export type Authentication =
  | { readonly ok: true; readonly user: User; readonly audiences?: readonly string[] }
  /** No credentials: the caller is system:anonymous where that is allowed. */
  | { readonly ok: false; readonly reason: "none" }
  /** Credentials that do not hold: 401. `detail` goes to the log only. */
  | { readonly ok: false; readonly reason: "invalid"; readonly detail: string };

/** Stage `authenticate`. Synchronous for certificates and our own tokens; a promise only for remote checks. */
export interface Authenticator {
  authenticate(request: HttpRequest, peer: Peer): Authentication | Promise<Authentication>;
  /** Checks a bearer token for TokenReview. */
  checkToken(token: string, audiences: readonly string[]): Authentication | Promise<Authentication>;
}
