import type { Controller } from "#reconcile/controller.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { cronJobDeclaration, jobDeclaration } from "../views/batch.ts";
import { planCronJob } from "./plan.ts";

/** Starts Jobs by the clock. */
export function createCronJobController(dependencies: Dependencies): Controller {
  const { informers } = dependencies;
  const cronJobs = informers.of(cronJobDeclaration);
  const jobs = informers.of(jobDeclaration);
  return createLoop(dependencies, {
    name: "cronjob",
    needs: [cronJobs, jobs],
    watch: (enqueue) => [
      cronJobs.handle((key) => enqueue(key)),
      jobs.handle((_key, old, current) => {
        const job = current ?? old;
        if (job?.controller?.kind === "CronJob") enqueue(keyOf(job.namespace, job.controller.name));
      }),
    ],
    pass(key, { now }) {
      const cronJob = cronJobs.get(key);
      if (cronJob === undefined) return undefined;
      const owned = jobs.by("owner", cronJob.uid).filter((job) => job.controller?.uid === cronJob.uid);
      return planCronJob(
        { cronJob, jobs: owned, jobExists: (name) => jobs.get(keyOf(cronJob.namespace, name)) !== undefined },
        now,
      );
    },
  });
}
