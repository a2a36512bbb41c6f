import type { Call, Outcome } from "../call.ts";
import { noSuchResource } from "../failure.ts";

/** /openapi/v2 and /openapi/v3. */
export function openApi(_call: Call, _path: string): Outcome {
  return noSuchResource();
}
