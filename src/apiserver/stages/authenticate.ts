import type { Authentication } from "../authenticator.ts";
import type { Call, Outcome } from "../call.ts";
import { unauthorized } from "../failure.ts";
import type { User } from "../user.ts";

/** Who asks until somebody said who. */
export const anonymous: User = { name: "system:anonymous", uid: "", groups: ["system:unauthenticated"], extra: {} };

/** Sets the call's user. Calls from inside the process carry theirs already. */
export function authenticate(call: Call): Outcome | Promise<Outcome> {
  if (call.inProcess) return undefined;
  const sinceMs = call.parts.measures?.now();
  const result = call.parts.authenticator.authenticate(call.request, call.peer);
  return result instanceof Promise
    ? result.then((settled) => accept(call, settled, sinceMs))
    : accept(call, result, sinceMs);
}

function accept(call: Call, result: Authentication, sinceMs: number | undefined): Outcome {
  if (sinceMs !== undefined) {
    const word = result.ok ? "success" : result.reason === "none" ? "failure" : "error";
    call.parts.measures?.checked("authentication", word, sinceMs);
  }
  if (result.ok) {
    call.user = result.user;
    return undefined;
  }
  // Nobody is asked for here: whatever roles were given to system:anonymous, only the authenticator lets it in.
  if (result.reason === "invalid") call.parts.log("cannot authenticate a request", result.detail);
  return unauthorized();
}
