import type { FieldTerm } from "#api/field-selectors.ts";
import { parseFieldSelector } from "#api/field-selectors.ts";
import type { Selector } from "#api/selectors.ts";
import { parseLabelSelector } from "#api/selectors.ts";
import type { Entry } from "#store/store.ts";
import type { Call } from "../call.ts";
import { badRequest, Failure } from "../failure.ts";
import type { ObjectCache } from "../objects/cache.ts";
import type { Served } from "../registry.ts";

/** Which objects of a resource a list or watch wants. */
export interface Selection {
  readonly served: Served;
  readonly namespace: string;
  /** Set when one name is asked for. */
  readonly name: string;
  readonly labels: Selector | undefined;
  readonly fields: readonly FieldTerm[];
}

/** Reads both selectors of the query. */
export function selectionOf(call: Call, served: Served): Selection | Failure {
  const { query, namespace } = call.info;
  const labelText = query.get("labelSelector") ?? "";
  const fieldText = query.get("fieldSelector") ?? "";
  let labels: Selector | undefined;
  let fields: readonly FieldTerm[] = [];
  if (labelText !== "") {
    const parsed = parseLabelSelector(labelText);
    if (!parsed.ok) return badRequest(parsed.message);
    if (!parsed.selector.everything) labels = parsed.selector;
  }
  if (fieldText !== "") {
    const parsed = parseFieldSelector(fieldText, served.kind);
    if (!parsed.ok) return badRequest(parsed.message);
    fields = parsed.selector.terms;
  }
  const named = fields.find((term) => term.field === "metadata.name" && term.equal);
  return { served, namespace, name: named?.value ?? "", labels, fields };
}

/** Whether an entry of the resource (and namespace) is wanted. Selectors see only what is cached beside the bytes. */
export function selects(selection: Selection, entry: Entry, objects: ObjectCache): boolean {
  if (selection.labels !== undefined && !selection.labels.matches(objects.labels(entry))) return false;
  if (selection.fields.length === 0) return true;
  const values = objects.fieldsOnce(entry, selection.served.kind);
  for (const term of selection.fields) if ((values[term.field] === term.value) !== term.equal) return false;
  return true;
}
