import { holdAnnotation, holdOf, holdText } from "#api/apps/hold.ts";
import { deployments } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { EventText, PatchAction } from "#reconcile/action.ts";
import type { Plan } from "#reconcile/controller.ts";
import { findNew, revisionOf } from "../deployment/revisions.ts";
import { aboutOf, referenceOf } from "../ownership.ts";
import type { DeploymentView, ReplicaSetView } from "../views/workload.ts";

/** On a Deployment, `"true"`: an update that passes its progress deadline is taken back. */
const optInAnnotation = "steersman.dev/rollback-on-deadline";
const holder = "rollback-on-deadline";
const resource = deployments as Resource<unknown>;

/**
 * Takes an update back that has passed its progress deadline: a hold keeps the ReplicaSet that served before and marks the new
 * template as rejected, so that the template itself stays as its author wrote it. The next template ends the hold. Pure.
 */
export function planDeadlineRollback(deployment: DeploymentView, owned: readonly ReplicaSetView[]): Plan | undefined {
  const hold = holdOf(deployment.annotations);
  if (deployment.deletionMs !== undefined || (hold !== undefined && hold.by !== holder)) return undefined;
  const isWanted = deployment.annotations[optInAnnotation] === "true";
  const because = referenceOf(resource, deployment);
  const newSet = findNew(deployment, owned);
  if (hold !== undefined) {
    if (isWanted && newSet?.name === hold.rejected) return undefined;
    const reason = isWanted
      ? `the template is not that of ${hold.rejected} any more`
      : `${optInAnnotation} is not asked for any more`;
    return { because, actions: [annotate(deployment, null, reason)] };
  }
  if (!isWanted || newSet === undefined || !hasPassedDeadline(deployment, newSet)) return undefined;
  const before = lastThatServed(owned.filter((set) => set !== newSet && set.deletionMs === undefined));
  if (before === undefined) return undefined;
  const reason = `the update to ${newSet.name} passed its progress deadline and ${before.name} served before`;
  const event: EventText = {
    about: aboutOf(resource, deployment),
    type: "Warning",
    eventReason: "RolledBack",
    message: `Update to ${newSet.name} passed its progress deadline: back to ${before.name} (revision ${revisionOf(before)})`,
  };
  const text = holdText({ keep: before.name, rejected: newSet.name, by: holder });
  return { because, actions: [{ ...annotate(deployment, text, reason), event }] };
}

/** The condition outlives the update that it tells of: it must name the one that is under way. */
function hasPassedDeadline({ status, generation }: DeploymentView, newSet: ReplicaSetView): boolean {
  const progressing = status.conditions?.find(({ type }) => type === "Progressing");
  const isOver = progressing?.status === "False" && progressing.reason === "ProgressDeadlineExceeded";
  return (
    status.observedGeneration === generation && isOver && progressing.message?.includes(`"${newSet.name}"`) === true
  );
}

/** The one with the most pods that serve; among equals the younger. */
function lastThatServed(sets: readonly ReplicaSetView[]): ReplicaSetView | undefined {
  const order = (set: ReplicaSetView): readonly [number, number] => [
    set.status.availableReplicas ?? 0,
    Number(revisionOf(set)),
  ];
  return [...sets].sort((a, b) => order(b)[0] - order(a)[0] || order(b)[1] - order(a)[1])[0];
}

function annotate(deployment: DeploymentView, hold: string | null, reason: string): PatchAction {
  const { namespace, name, uid, resourceVersion } = deployment;
  const patch = { metadata: { uid, resourceVersion, annotations: { [holdAnnotation]: hold } } };
  return { verb: "patch", resource, namespace, name, type: "merge", patch, reason };
}
