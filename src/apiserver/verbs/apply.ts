import type { HttpResponse } from "#world/http.ts";
import type { Call } from "../call.ts";
import { Failure, unsupportedMediaType } from "../failure.ts";
import type { Served } from "../registry.ts";
import type { WriteOptions } from "./options.ts";
import type { PatchBody } from "./patch.ts";

/** Server-side apply. */
export function applyPatch(_call: Call, _served: Served, _body: PatchBody, _options: WriteOptions): HttpResponse | Failure {
  return unsupportedMediaType(["application/json-patch+json", "application/merge-patch+json"]);
}
