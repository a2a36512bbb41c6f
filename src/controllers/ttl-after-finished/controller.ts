import { jobs as jobResource } from "#api/generated/resources.ts";
import type { Controller } from "#reconcile/controller.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { jobDeclaration } from "../views/batch.ts";
import { planExpiry } from "./plan.ts";

/** Deletes finished Jobs once their time to live is over. */
export function createTtlAfterFinishedController(dependencies: Dependencies): Controller {
  const jobs = dependencies.informers.of(jobDeclaration);
  return createLoop(dependencies, {
    name: "ttl-after-finished",
    needs: [jobs],
    watch: (enqueue) => [
      jobs.handle((key, _old, current) => current?.spec.ttlSecondsAfterFinished !== undefined && enqueue(key)),
    ],
    async pass(key, { now }) {
      const job = jobs.get(key);
      if (job === undefined) return undefined;
      const plan = planExpiry(job, now);
      if (plan === undefined || plan.actions.length === 0) return plan;
      // The time to live may have been prolonged since: ask before anything is deleted.
      const fresh = await dependencies.client.find(jobResource, job);
      return fresh?.metadata.resourceVersion === job.resourceVersion ? plan : undefined;
    },
  });
}
