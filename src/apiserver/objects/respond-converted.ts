import type { ApiObject } from "#api/kind.ts";
import type { Entry } from "#store/store.ts";
import type { HttpResponse } from "#world/http.ts";
import type { Call } from "../call.ts";
import { ensureConverted } from "../custom/conversion.ts";
import { Failure } from "../failure.ts";
import type { Served } from "../registry.ts";
import { inVersion, servedVersion } from "./convert.ts";
import { entryResponse, valueResponse } from "./respond.ts";

type Response = HttpResponse | Failure | Promise<HttpResponse | Failure>;

/** `entryResponse` in the served version, by its webhook where one converts. */
export function entryInVersion(call: Call, served: Served, status: number, entry: Entry): Response {
  if (served.custom?.conversion === undefined) return entryResponse(call, served, status, entry);
  const asked = ensureConverted(call, served, [call.parts.objects.decoded(entry)]);
  return asked.then((failure) => failure ?? entryResponse(call, served, status, entry));
}

/** `valueResponse` of an object of the stored version, in the served one. */
export function valueInVersion(call: Call, served: Served, status: number, object: ApiObject): Response {
  if (served.custom?.conversion === undefined) return valueResponse(call, served, status, inVersion(served, object));
  // A copy: what is remembered of the object itself may be older than it.
  return Promise.resolve(servedVersion(call, served, { ...object })).then((converted) =>
    converted instanceof Failure ? converted : valueResponse(call, served, status, converted),
  );
}
