import { column, wideColumn } from "../columns.ts";
import type { Event, ObjectReference } from "../generated/core-v1.ts";
import { humanDuration } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { validateEvent, validateEventUpdate } from "../validation/event.ts";

function time(timestamp: string | undefined): number | undefined {
  return timestamp ? Date.parse(timestamp) : undefined;
}

function since(at: number | undefined, now: number): string {
  return at === undefined ? "<unknown>" : humanDuration(now - at);
}

function lastSeen(event: Event, now: number): string {
  const first = time(event.firstTimestamp) ?? time(event.eventTime);
  const firstText = since(first, now);
  const seriesLast = time(event.series?.lastObservedTime);
  if (event.series !== undefined) return seriesLast === undefined ? firstText : since(seriesLast, now);
  const last = time(event.lastTimestamp) ?? first;
  return since(last, now);
}

function objectText(reference: ObjectReference): string {
  return `${(reference.kind ?? "").toLowerCase()}/${reference.name ?? ""}`;
}

function sourceText(event: Event): string {
  const component = event.source?.component || event.reportingComponent || "";
  const host = event.source?.host || event.reportingInstance || "";
  return host === "" ? component : `${component}, ${host}`;
}

const referenceFields = ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"] as const;

function referenceSelectors(prefix: string): Record<string, (event: Event) => string> {
  const selectors: Record<string, (event: Event) => string> = {};
  for (const field of referenceFields) selectors[`${prefix}.${field}`] = (event) => event.involvedObject?.[field] ?? "";
  return selectors;
}

export const eventRules: KindRules<Event> = {
  validate: (event) => collect((errors) => validateEvent(errors, event)),
  validateUpdate: (event, old) => collect((errors) => validateEventUpdate(errors, event, old)),
  columns: [
    column("Last Seen", "Time when this event was last observed."),
    column("Type", "Type of this event (Normal, Warning), new types could be added in the future."),
    column(
      "Reason",
      "A short, machine understandable string that gives the reason for the transition into the object's current status.",
    ),
    column("Object", "The object that this event is about."),
    wideColumn("Subobject", "The part of the object that this event is about."),
    wideColumn("Source", "The component reporting this event."),
    column("Message", "A human-readable description of the status of this operation."),
    wideColumn("First Seen", "The time at which the event was first recorded."),
    wideColumn("Count", "The number of times this event has occurred."),
    { ...wideColumn("Name", "Name of the event, unique within its namespace."), format: "name" },
  ],
  cells: (event, now) => [
    lastSeen(event, now),
    event.type ?? "",
    event.reason ?? "",
    objectText(event.involvedObject),
    event.involvedObject.fieldPath ?? "",
    sourceText(event),
    (event.message ?? "").trim(),
    since(time(event.firstTimestamp) ?? time(event.eventTime), now),
    event.series?.count ?? (event.count || 1),
    event.metadata.name,
  ],
  fieldSelectors: {
    ...referenceSelectors("involvedObject"),
    // What the same reference is called in events.k8s.io.
    ...referenceSelectors("regarding"),
    reason: (event) => event.reason ?? "",
    reportingComponent: (event) => event.reportingComponent ?? "",
    reportingController: (event) => event.reportingComponent ?? "",
    source: (event) => event.source?.component || event.reportingComponent || "",
    type: (event) => event.type ?? "",
  },
};
