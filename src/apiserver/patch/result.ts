import { isRecord } from "#codec/record.ts";

/** Why a patch made nothing. */
export interface PatchProblem {
  readonly ok: false;
  readonly code: 400 | 413 | 422;
  readonly reason: "BadRequest" | "RequestEntityTooLarge" | "Invalid";
  readonly message: string;
}

/** What became of a patch. */
export type PatchResult<T = unknown> = { readonly ok: true; readonly value: T } | PatchProblem;

/** Thrown inside this folder only; becomes a result at its border. */
export class PatchError extends Error {
  override readonly name = "PatchError";
  readonly code: 400 | 413 | 422;
  constructor(code: 400 | 413 | 422, message: string) {
    super(message);
    this.code = code;
  }
}

/** Runs a patch; `PatchError` becomes a failure, anything else is a defect and goes on. */
export function patched<T>(work: () => T): PatchResult<T> {
  try {
    return { ok: true, value: work() };
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    if (error.code === 400) return { ok: false, code: 400, reason: "BadRequest", message: error.message };
    if (error.code === 413) return { ok: false, code: 413, reason: "RequestEntityTooLarge", message: error.message };
    return { ok: false, code: 422, reason: "Invalid", message: error.message };
  }
}

/** A patch that merges must be an object. */
export function recordOf(patch: unknown): Record<string, unknown> {
  if (isRecord(patch)) return patch;
  const what = Array.isArray(patch) ? "array" : patch === null ? "null" : typeof patch;
  throw new PatchError(400, `json: cannot unmarshal ${what} into Go value of type map[string]interface {}`);
}
