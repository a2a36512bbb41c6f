import type { HttpResponse } from "#world/http.ts";
import type { Call } from "../call.ts";
import { Failure, notFound } from "../failure.ts";
import { keyOf } from "../keys.ts";
import { entryInVersion } from "../objects/respond-converted.ts";
import { askedRevision, waitForRevision } from "../reads/revisions.ts";
import type { Served } from "../registry.ts";

/** GET of one object: its stored bytes. */
export function get(call: Call, served: Served): HttpResponse | Failure | Promise<HttpResponse | Failure> {
  if (call.info.query.size > 0) {
    const asked = askedRevision(call.info.query.get("resourceVersion"));
    if (asked instanceof Failure) return asked;
    if (asked !== undefined && call.parts.store.visible < asked) {
      return waitForRevision(call, asked).then((failure) => failure ?? getNow(call, served));
    }
  }
  return getNow(call, served);
}

function getNow(call: Call, served: Served): HttpResponse | Failure | Promise<HttpResponse | Failure> {
  const { namespace, name } = call.info;
  const entry = call.parts.store.snapshot().get(keyOf(served.prefix, namespace, name));
  return entry === undefined ? notFound(served.resource, name) : entryInVersion(call, served, 200, entry);
}
