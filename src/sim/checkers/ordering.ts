import type { Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";
import { controllerOf, deletedPodOf } from "./facts.ts";

/** What stood this long, every loop has seen: streams are late and servers away, but not that long. Milliseconds. */
const seenByAllMs = 120_000;
const scheduledAnnotation = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/** 41: sets shrink from their highest pod. 48: an instant of a CronJob has one Job, and only Allow lets another one run on. */
export function orderingChecker(view: View, report: Report): Checker {
  const createdMs = new Map<string, number>();
  const instants = new Map<string, string>();
  return {
    name: "ordering",
    requested(client, request) {
      const pod = deletedPodOf(view.history, request);
      if (client === "controllers" && pod !== undefined) checkShrinking(pod, createdMs, view, report);
    },
    changed(changes) {
      for (const { resource, before, current, key } of changes) {
        if (current === undefined) createdMs.delete(key);
        else if (before === undefined) createdMs.set(key, view.now());
        if (resource === "batch/jobs" && before === undefined && current !== undefined)
          checkInstant(current, instants, view, report);
      }
    },
  };
}

function checkShrinking(pod: Stored, createdMs: ReadonlyMap<string, number>, view: View, report: Report): void {
  const uid = controllerOf(pod, "StatefulSet");
  const set = [...view.history.all("apps/statefulsets").values()].find(({ metadata }) => metadata.uid === uid);
  if (set === undefined || set.spec?.["podManagementPolicy"] === "Parallel") return;
  const ordinal = ordinalOf(pod);
  if (ordinal < Number(set.spec?.["replicas"] ?? 1)) return;
  for (const [key, other] of view.history.all("pods")) {
    if (controllerOf(other, "StatefulSet") !== uid || ordinalOf(other) <= ordinal) continue;
    if (view.now() - (createdMs.get(key) ?? 0) < seenByAllMs) continue;
    report("41 order", `${pod.metadata.name} is to go before ${other.metadata.name}, which is still there`);
  }
}

function ordinalOf({ metadata }: Stored): number {
  return Number(metadata.name.slice(metadata.name.lastIndexOf("-") + 1));
}

function isFinished({ status }: Stored): boolean {
  const conditions = (status?.["conditions"] ?? []) as { type: string; status: string }[];
  return conditions.some(({ type, status: value }) => (type === "Complete" || type === "Failed") && value === "True");
}

function checkInstant(job: Stored, instants: Map<string, string>, view: View, report: Report): void {
  const owner = controllerOf(job, "CronJob");
  if (owner === undefined) return;
  const { name } = job.metadata;
  const instant = `${owner} ${job.metadata.annotations?.[scheduledAnnotation] ?? name}`;
  const other = instants.get(instant);
  if (other !== undefined) report("48 instants", `${other} and ${name} are of the same instant`);
  instants.set(instant, name);
  const cronJob = [...view.history.all("batch/cronjobs").values()].find(({ metadata }) => metadata.uid === owner);
  const policy = cronJob?.spec?.["concurrencyPolicy"];
  if (policy !== "Forbid" && policy !== "Replace") return;
  for (const running of view.history.all("batch/jobs").values()) {
    if (running.metadata.uid === job.metadata.uid || controllerOf(running, "CronJob") !== owner || isFinished(running))
      continue;
    if (policy === "Forbid") report("48 forbid", `${name} was made while ${running.metadata.name} was not finished`);
    else if (running.metadata.deletionTimestamp === undefined)
      report("48 replace", `${name} was made while ${running.metadata.name} was neither finished nor deleted`);
  }
}
