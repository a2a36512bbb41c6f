import { jobs as jobResource } from "#api/generated/resources.ts";
import type { Controller } from "#reconcile/controller.ts";
import { keyOf, splitKey } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import { ownedObjects } from "../owned-objects.ts";
import { jobDeclaration } from "../views/batch.ts";
import { podDeclaration } from "../views/pod.ts";
import { JobMeasures } from "./measures.ts";
import { planJob, planOrphanedPods } from "./plan.ts";

/** Runs Jobs to their end. */
export function createJobController(dependencies: Dependencies): Controller {
  const { client, informers, random, metrics } = dependencies;
  const measures = metrics === undefined ? undefined : new JobMeasures(metrics);
  const jobs = informers.of(jobDeclaration);
  const pods = informers.of(podDeclaration);
  return createLoop(dependencies, {
    name: "job",
    needs: [jobs, pods],
    spacingMs: limits.jobSpacingMs,
    watch: (enqueue) => [
      jobs.handle((key, old, current) => {
        measures?.jobChanged(old, current);
        enqueue(key);
      }),
      pods.handle((_key, old, current) => {
        const pod = current ?? old;
        if (pod === undefined) return;
        if (pod.controller?.kind === "Job") {
          const key = keyOf(pod.namespace, pod.controller.name);
          measures?.podChanged(jobs.get(key), old, current);
          enqueue(key);
        } else if (pod.controller === undefined) {
          for (const job of jobs.by("namespace", pod.namespace)) if (job.selector.matches(pod.labels)) enqueue(job.key);
        }
        if (old?.controller?.kind === "Job" && old.controller.uid !== pod.controller?.uid)
          enqueue(keyOf(old.namespace, old.controller.name));
      }),
    ],
    onPassed: (key, plan, isSuccess, seconds) => measures?.passed(jobs.get(key), plan, isSuccess, seconds),
    async pass(key, context) {
      const job = jobs.get(key);
      // Pods of an earlier Job of this name: it went before they were counted.
      const { namespace, name } = splitKey(key);
      const named = pods.by("pair", `${namespace}/batch.kubernetes.io/job-name=${name}`);
      const left = planOrphanedPods(
        named.filter((pod) => pod.controller?.kind === "Job" && pod.controller.uid !== job?.uid),
      );
      if (left !== undefined || job === undefined) return left;
      return planJob({ job, ...(await ownedObjects(client, jobResource, pods, job)) }, context, random);
    },
  });
}
