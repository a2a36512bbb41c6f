import type { Call, Parts } from "./call.ts";
import { Failure } from "./failure.ts";
import { routeOf } from "./stages/route.ts";

/** A call that a part of the API server makes itself; `actor` names it in the reason's record. */
export function internalCall(parts: Parts, method: string, target: string, actor: string): Call {
  const info = routeOf(method, target);
  if (info instanceof Failure) throw new Error(`Cannot make a request for ${target}: ${info.message}`);
  return {
    parts,
    request: { method, target, headers: { "steersman-actor": actor }, body: new Uint8Array(0) },
    peer: { address: "", port: 0 },
    info,
    user: { name: "system:apiserver", uid: "", groups: ["system:masters"], extra: {} },
    inProcess: true,
    served: undefined,
    warnings: [],
    auditAnnotations: {},
    finished: undefined,
  };
}
