import type { Expected } from "../objects/read-body.ts";
import type { Served } from "../registry.ts";

/** The body that a served resource takes. */
export function expectedOf(served: Served): Expected {
  return {
    apiVersion: served.apiVersion,
    kind: served.resource.kind,
    schema: served.schema,
    custom: served.custom !== undefined,
  };
}
