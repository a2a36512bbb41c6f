import { isRecord, PlainRecord } from "#codec/record.ts";
import { patchDepthMax } from "./limits.ts";
import { PatchError, patched, recordOf, type PatchResult } from "./result.ts";

/**
 * Applies a JSON Merge Patch (RFC 7386): null removes, objects merge, everything else replaces. The result shares what did not
 * change with `document`, which stays as it is.
 */
export function applyMergePatch(
  document: Record<string, unknown>,
  patch: unknown,
): PatchResult<Record<string, unknown>> {
  return patched(() => {
    return merge(document, recordOf(patch), 0);
  });
}

function merge(target: unknown, patch: Record<string, unknown>, depth: number): Record<string, unknown> {
  if (depth > patchDepthMax) throw new PatchError(400, "exceeded max depth");
  const result = new PlainRecord();
  const old = isRecord(target) ? target : undefined;
  for (const key in old) {
    const value = patch[key];
    if (value === undefined) result[key] = old[key];
    else if (value !== null) result[key] = isRecord(value) ? merge(old[key], value, depth + 1) : value;
  }
  for (const key in patch) {
    const value = patch[key];
    if (old?.[key] !== undefined || value === null || value === undefined) continue;
    result[key] = isRecord(value) ? merge(undefined, value, depth + 1) : value;
  }
  return result;
}
