import { impersonate as impersonatedUser } from "../authenticate/impersonate.ts";
import type { Call, Outcome } from "../call.ts";
import { Failure } from "../failure.ts";
import { attributesOf } from "./authorize.ts";
import type { User } from "../user.ts";

/** Takes on the identity that Impersonate-* headers ask for, when the real user may. */
export function impersonate(call: Call): Outcome | Promise<Outcome> {
  const user = impersonatedUser(call.request.headers, call.user, call.parts.authorizer, () => attributesOf(call));
  return user instanceof Promise ? user.then((settled) => takeOn(call, settled)) : takeOn(call, user);
}

function takeOn(call: Call, user: User | Failure): Outcome {
  if (user instanceof Failure) return user;
  if (user !== call.user) call.realUser = call.user;
  call.user = user;
  return undefined;
}
