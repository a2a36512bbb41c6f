import type { ApiObject } from "#api/kind.ts";
import type { Entry } from "#store/store.ts";
import type { Call } from "../call.ts";
import type { Representation } from "../negotiate.ts";
import type { Served } from "../registry.ts";
import type { ObjectCache } from "./cache.ts";
import { inVersion } from "./convert.ts";

/**
 * Whether a list or watch answers values in place of their JSON: to callers of this process that ask for them. What is defined by
 * users goes as JSON, since it may have to be converted first.
 */
export function givesValues(call: Call, served: Served, { media, as }: Representation): boolean {
  const isAsked = call.inProcess && call.request.takesValues === true;
  return isAsked && served.custom === undefined && media === "json" && as === "object";
}

/** A stored object in the served version, shared by all who ask: nobody changes it. */
export function sharedValue(objects: ObjectCache, served: Served, entry: Entry): ApiObject {
  return inVersion(served, objects.shared(entry));
}
