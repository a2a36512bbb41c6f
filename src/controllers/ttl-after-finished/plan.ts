import { jobs } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Plan } from "#reconcile/controller.ts";
import { referenceOf } from "../ownership.ts";
import { finishedMs, type JobView } from "../views/batch.ts";

const resource = jobs as Resource<unknown>;

/** Deletes a finished Job `ttlSecondsAfterFinished` seconds after its end, with its pods. */
export function planExpiry(job: JobView, now: number): Plan | undefined {
  const endMs = finishedMs(job);
  const ttl = job.spec.ttlSecondsAfterFinished;
  if (endMs === undefined || ttl === undefined || job.deletionMs !== undefined) return undefined;
  const because = referenceOf(resource, job);
  const leftMs = endMs + ttl * 1000 - now;
  if (leftMs > 0) return { actions: [], because, lookAgainMs: leftMs };
  const { namespace, name, uid, resourceVersion } = job;
  const reason = `the Job finished more than its ttlSecondsAfterFinished of ${ttl} s ago`;
  return {
    actions: [{ verb: "delete", resource, namespace, name, uid, resourceVersion, propagation: "Foreground", reason }],
    because,
  };
}
