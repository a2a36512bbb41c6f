import { FieldErrors } from "#api/validation/field-errors.ts";
import { utf8Length } from "#api/validation/names.ts";
import { invalid, type Failure } from "../failure.ts";
import type { Call } from "../call.ts";

/** Options that all writes share, from the query. */
export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly force: boolean | undefined;
}

type OptionsKind = "CreateOptions" | "UpdateOptions" | "PatchOptions" | "DeleteOptions";

const kindOfVerb: Readonly<Record<string, OptionsKind>> = { update: "UpdateOptions", patch: "PatchOptions" };

const fieldManagerLengthMax = 128;
/** What Go's unicode.IsPrint takes. */
const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu;

/** Reads and judges the query of a create, update or patch; only an apply must say who applies, and may force. */
export function writeOptions(call: Call, isApply = false): WriteOptions | Failure {
  const { query, verb } = call.info;
  const errors = new FieldErrors();
  const manager = query.get("fieldManager") ?? "";
  const force = query.get("force");
  if (isApply && manager === "") errors.required("fieldManager", "is required for apply patch");
  if (verb === "patch" && !isApply && force !== null)
    errors.forbidden("force", "may not be specified for non-apply patch");
  if (fieldManagerLengthMax < utf8Length(manager)) errors.tooLong("fieldManager", fieldManagerLengthMax);
  for (const { 0: odd, index } of manager.matchAll(unprintable)) {
    errors.invalid("fieldManager", manager, `invalid character ${JSON.stringify(odd)} (at position ${index})`);
  }
  const dryRun = readDryRun(query.getAll("dryRun"), errors);
  const validation = query.get("fieldValidation") ?? "";
  const modes = ["Ignore", "Strict", "Warn"];
  if (validation !== "" && !modes.includes(validation)) errors.notSupported("fieldValidation", validation, modes);
  if (errors.list.length > 0) return invalidOptions(kindOfVerb[verb] ?? "CreateOptions", errors);
  return {
    dryRun,
    fieldManager: manager === "" ? managerOfAgent(call.request.headers["user-agent"] ?? "") : manager,
    force: force === null ? undefined : force === "true" || force === "1",
  };
}

/** `dryRun` may be given as All, once or several times. */
export function readDryRun(values: readonly string[], errors: FieldErrors): boolean {
  const given = values.filter((value) => value !== "");
  const unknown = given.find((value) => value !== "All");
  if (unknown !== undefined) errors.notSupported("dryRun", unknown, ["All"]);
  return given.length > 0;
}

/** 422 with all that is wrong with a request's options. */
export function invalidOptions(kind: OptionsKind, errors: FieldErrors): Failure {
  return invalid("meta.k8s.io", kind, "", errors.list);
}

/** Upstream names a manager after the client's program when it gives no name. */
function managerOfAgent(agent: string): string {
  const name = agent.split("/", 1)[0]!.replaceAll(unprintable, "").slice(0, fieldManagerLengthMax);
  return name === "" ? "unknown" : name;
}
