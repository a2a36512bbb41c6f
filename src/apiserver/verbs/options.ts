import { badRequest, Failure, invalid } from "../failure.ts";
import type { Call } from "../call.ts";

/** Options that all writes share, from the query. */
export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly force: boolean | undefined;
}

/** Reads and judges the query of a create, update or patch. */
export function writeOptions(call: Call): WriteOptions | Failure {
  const query = call.info.query;
  const validation = query.get("fieldValidation");
  if (
    validation !== null &&
    validation !== "" &&
    validation !== "Strict" &&
    validation !== "Warn" &&
    validation !== "Ignore"
  ) {
    return invalid("meta.k8s.io", "CreateOptions", "", [
      {
        field: "fieldValidation",
        reason: "FieldValueNotSupported",
        message: `Unsupported value: ${JSON.stringify(validation)}: supported values: "Ignore", "Strict", "Warn"`,
      },
    ]);
  }
  const dryRun = readDryRun(query.getAll("dryRun"));
  if (dryRun instanceof Failure) return dryRun;
  const manager = query.get("fieldManager") ?? "";
  if (128 < manager.length) return badRequest("fieldManager: Too long: may not be more than 128 bytes");
  const force = query.get("force");
  return {
    dryRun,
    fieldManager: manager === "" ? managerOfAgent(call.request.headers["user-agent"] ?? "") : manager,
    force: force === null ? undefined : force === "true" || force === "1",
  };
}

/** `dryRun` may be given as All, once or several times. */
export function readDryRun(values: readonly string[]): boolean | Failure {
  for (const value of values) {
    if (value === "All") return true;
    if (value !== "") {
      return invalid("meta.k8s.io", "CreateOptions", "", [
        {
          field: "dryRun",
          reason: "FieldValueNotSupported",
          message: `Unsupported value: ${JSON.stringify(value)}: supported values: "All"`,
        },
      ]);
    }
  }
  return false;
}

/** Upstream names a manager after the client's program when it gives no name. */
function managerOfAgent(agent: string): string {
  const name = agent.split("/", 1)[0]!.slice(0, 128);
  return name === "" ? "unknown" : name;
}
