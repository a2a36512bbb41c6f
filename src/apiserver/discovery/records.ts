import { parseJson } from "#codec/json.ts";
import { isRecord } from "#codec/record.ts";
import type { Attributes } from "../authorizer.ts";
import type { Call, Outcome } from "../call.ts";
import { badRequest, type Failure } from "../failure.ts";
import { recordsMax } from "../limits.ts";
import { jsonResponse } from "../objects/respond.ts";

export const recordsPath = "/apis/steersman.dev/v1/records";

/** Who may read an object may read why it is so: what the authorizer is asked for a request of records. */
export function recordAttributes(call: Call): Attributes | Failure {
  const parts = (call.info.query.get("subject") ?? "").split("/");
  const [group, resource, namespace, name] = parts;
  if (parts.length !== 4 || group === undefined || !resource || namespace === undefined || !name) {
    return badRequest("subject: Invalid value: must be <group>/<resource>/<namespace>/<name>");
  }
  return {
    user: call.user,
    verb: "get",
    isResource: true,
    group,
    version: "*",
    resource,
    subresource: "",
    namespace,
    name,
    path: "",
  };
}

/** GET of records?subject=<group>/<resource>/<namespace>/<name>&limit=n: why an object is as it is, newest first. */
export async function records(call: Call): Promise<Outcome> {
  const subject = call.info.query.get("subject") ?? "";
  const limitText = call.info.query.get("limit") ?? "";
  const limit = limitText === "" ? recordsMax : Number(limitText);
  if (!Number.isSafeInteger(limit) || limit <= 0) return badRequest("limit: Invalid value: must be a positive integer");
  const found = await call.parts.store.records(subject, Math.min(limit, recordsMax));
  const items = found.flatMap(({ revision, bytes }) => {
    const parsed = parseJson(bytes);
    if (!parsed.ok || !isRecord(parsed.value)) return [];
    // The audit entry beside the reason is for those who read the audit log, not for those who may read the object.
    const { audit: _, ...reason } = parsed.value;
    return reason["verb"] === undefined ? [] : [{ resourceVersion: String(revision), ...reason }];
  });
  return jsonResponse(call, 200, { kind: "RecordList", apiVersion: "steersman.dev/v1", metadata: {}, items });
}
