import type { Event } from "../generated/core-v1.ts";
import type { FieldErrors } from "./field-errors.ts";
import { utf8Length } from "./names.ts";
import { validateImmutable } from "./immutable.ts";
import { isQualifiedName } from "./labels.ts";

const reasonLengthMax = 128;
const actionLengthMax = 128;
const noteLengthMax = 1024;
const instanceLengthMax = 128;

/** Kinds without a namespace: their events lie in `default`. */
function validateNamespace(errors: FieldErrors, event: Event): void {
  const involved = event.involvedObject?.namespace ?? "";
  const own = event.metadata.namespace ?? "";
  if (involved === "") {
    if (own !== "" && own !== "default" && own !== "kube-system") {
      errors.invalid("involvedObject.namespace", involved, "does not match event.namespace");
    }
  } else if (own !== involved) {
    errors.invalid("involvedObject.namespace", involved, "does not match event.namespace");
  }
}

/** The strict rules hold only for events of the new kind, which have an eventTime. */
export function validateEvent(errors: FieldErrors, event: Event): void {
  validateNamespace(errors, event);
  if (!event.eventTime) return;
  if (!event.reportingComponent) errors.required("reportingController");
  else errors.invalidEach("reportingController", event.reportingComponent, isQualifiedName(event.reportingComponent));
  if (!event.reportingInstance) errors.required("reportingInstance");
  else if (utf8Length(event.reportingInstance) > instanceLengthMax) {
    errors.invalid("reportingInstance", "", `can have at most ${instanceLengthMax} characters`);
  }
  if (!event.action) errors.required("action");
  else if (utf8Length(event.action) > actionLengthMax)
    errors.invalid("action", "", `can have at most ${actionLengthMax} characters`);
  if (!event.reason) errors.required("reason");
  else if (utf8Length(event.reason) > reasonLengthMax)
    errors.invalid("reason", "", `can have at most ${reasonLengthMax} characters`);
  if (utf8Length(event.message ?? "") > noteLengthMax)
    errors.invalid("message", "", `can have at most ${noteLengthMax} characters`);
  if (event.type !== "Normal" && event.type !== "Warning") {
    errors.invalid("type", "", `has invalid value: ${event.type ?? ""}`);
  }
  if (event.series !== undefined && (event.series.count ?? 0) < 2) {
    errors.invalid("series.count", event.series.count ?? 0, "should be at least 2");
  }
}

export function validateEventUpdate(errors: FieldErrors, event: Event, old: Event): void {
  if (!event.eventTime || !old.eventTime) return;
  for (const name of [
    "involvedObject",
    "reason",
    "message",
    "type",
    "action",
    "reportingComponent",
    "reportingInstance",
  ] as const) {
    validateImmutable(errors, name, event[name], old[name]);
  }
}
