import { parseCron } from "../../cron-schedule.ts";
import type { CronJob } from "../../generated/batch-v1.ts";
import type { RuleContext } from "../../kind.ts";
import type { FieldErrors } from "../field-errors.ts";
import { validateJobSpec } from "./job.ts";

const policies = ["Allow", "Forbid", "Replace"];
/** Names of jobs are the cron job's name and eleven characters for the time. */
const nameLengthMax = 52;
const timeZoneName = /^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+)*$/;

function validateSchedule(errors: FieldErrors, job: CronJob): void {
  const { schedule, timeZone } = job.spec;
  if (!schedule) {
    errors.required("spec.schedule");
  } else {
    if (/TZ=/.test(schedule)) {
      errors.invalid("spec.schedule", schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    } else {
      const parsed = parseCron(schedule);
      if (!parsed.ok) errors.invalid("spec.schedule", schedule, parsed.message);
    }
  }
  if (timeZone === undefined) return;
  if (timeZone === "") errors.invalid("spec.timeZone", timeZone, "timeZone must be nil or non-empty string");
  else if (timeZone.toLowerCase() === "local")
    errors.invalid(
      "spec.timeZone",
      timeZone,
      "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
    );
  else if (!isTimeZone(timeZone)) errors.invalid("spec.timeZone", timeZone, `unknown time zone ${timeZone}`);
}

function isTimeZone(name: string): boolean {
  if (!timeZoneName.test(name)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

export function validateCronJob(errors: FieldErrors, job: CronJob, _context: RuleContext): void {
  if ((job.metadata.name ?? "").length > nameLengthMax) {
    errors.invalid("metadata.name", job.metadata.name, `must be no more than ${nameLengthMax} characters`);
  }
  validateSchedule(errors, job);
  const { spec } = job;
  errors.nonNegative("spec.startingDeadlineSeconds", spec.startingDeadlineSeconds);
  errors.oneOf("spec.concurrencyPolicy", spec.concurrencyPolicy, policies);
  errors.nonNegative("spec.successfulJobsHistoryLimit", spec.successfulJobsHistoryLimit);
  errors.nonNegative("spec.failedJobsHistoryLimit", spec.failedJobsHistoryLimit);
  const template = spec.jobTemplate.spec;
  if (template.selector !== undefined) {
    errors.invalid("spec.jobTemplate.spec.selector", template.selector, "`selector` will be auto-generated");
  }
  if (template.manualSelector === true) {
    errors.notSupported("spec.jobTemplate.spec.manualSelector", template.manualSelector, ["nil", "false"]);
  }
  validateJobSpec(errors, "spec.jobTemplate.spec", {
    ...template,
    completionMode: template.completionMode ?? "NonIndexed",
  });
}
