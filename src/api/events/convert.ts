import type * as core from "../generated/core-v1.ts";
import type * as events from "../generated/events-v1.ts";
import type { ApiObject } from "../kind.ts";

/** Fields of a core event, and what the same fields are called in events.k8s.io. */
const names = {
  involvedObject: "regarding",
  message: "note",
  source: "deprecatedSource",
  firstTimestamp: "deprecatedFirstTimestamp",
  lastTimestamp: "deprecatedLastTimestamp",
  count: "deprecatedCount",
  reportingComponent: "reportingController",
} as const satisfies Partial<Record<keyof core.Event, keyof events.Event>>;

const toNew: ReadonlyMap<string, string> = new Map(Object.entries(names));
const toCore: ReadonlyMap<string, string> = new Map(Object.entries(names).map(([old, renamed]) => [renamed, old]));

/** The conversion between the two groups that serve events, for `Kind.convert`: only names differ. */
export function convertEvent(object: ApiObject, from: { group: string }, to: { group: string }): ApiObject {
  if (from.group === to.group) return object;
  const renamed = to.group === "" ? toCore : toNew;
  const converted: ApiObject = { metadata: object.metadata };
  for (const field in object) converted[renamed.get(field) ?? field] = object[field];
  converted.apiVersion = to.group === "" ? "v1" : "events.k8s.io/v1";
  return converted;
}
