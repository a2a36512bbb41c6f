import { FieldErrors } from "#api/validation/field-errors.ts";
import { badRequest, invalid, type Failure } from "../failure.ts";

const field = "resourceVersionMatch";

/**
 * What is wrong with how a list asks for a revision. The combinations in the table of KEP-2340 are bad requests, what belongs to
 * watches or to nobody is invalid.
 */
export function listOptionsProblem(query: URLSearchParams): Failure | undefined {
  const match = query.get(field) ?? "";
  const version = query.get("resourceVersion") ?? "";
  const isContinued = (query.get("continue") ?? "") !== "";
  const errors = new FieldErrors();
  if (match !== "" && match !== "Exact" && match !== "NotOlderThan")
    errors.notSupported(field, match, ["Exact", "NotOlderThan"]);
  // Whoever lists with it expects a stream.
  if (query.has("sendInitialEvents")) errors.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list");
  if (errors.list.length > 0) return invalidOptions(errors);
  if (match === "") return undefined;
  if (isContinued) return forbiddenMatch("is forbidden when continue is provided");
  if (version === "") return forbiddenMatch("is forbidden unless resourceVersion is provided");
  if (match === "Exact" && version === "0") return forbiddenMatch('"Exact" is forbidden for resourceVersion "0"');
  return undefined;
}

/** What is wrong with how a watch asks for initial events (KEP-3157). */
export function watchOptionsProblem(query: URLSearchParams): Failure | undefined {
  const match = query.get(field) ?? "";
  const asksForInitial = query.has("sendInitialEvents");
  const errors = new FieldErrors();
  if (asksForInitial && match !== "NotOlderThan")
    errors.forbidden(field, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
  if (match !== "") {
    if (!asksForInitial)
      errors.forbidden(field, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    if (match !== "NotOlderThan") errors.notSupported(field, match, ["NotOlderThan"]);
    if ((query.get("continue") ?? "") !== "")
      errors.forbidden(field, "resourceVersionMatch is forbidden when continue is provided");
  }
  return errors.list.length === 0 ? undefined : invalidOptions(errors);
}

/** A parameter that is a whole number, 0 where it is not given. What cannot be read is refused in Go's words. */
export function wholeNumber(query: URLSearchParams, name: string): number | Failure {
  const text = query.get(name) ?? "";
  if (text === "") return 0;
  const value = Number(text);
  if (!/^[-+]?[0-9]+$/.test(text))
    return badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (Number.isSafeInteger(value)) return value;
  return badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`);
}

function invalidOptions({ list }: FieldErrors): Failure {
  return invalid("meta.k8s.io", "ListOptions", "", list);
}

function forbiddenMatch(why: string): Failure {
  return badRequest(`${field}: Forbidden: ${field} ${why}`);
}
