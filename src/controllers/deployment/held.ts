import { holdOf, onHoldAnnotation, type Hold } from "#api/apps/hold.ts";
import { replicasets as replicaSetResource } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import type { DeploymentView, ReplicaSetView } from "../views/workload.ts";
import { sizeOf, type Bounds } from "./observed.ts";
import { sizeAnnotations } from "./revisions.ts";
import { onHoldReason, type NewCondition } from "./status.ts";

const replicaSets = replicaSetResource as Resource<unknown>;

/** The hold that governs a Deployment now; undefined when there is none, or when what it keeps is the template or is gone. */
export function governingHold(
  deployment: DeploymentView,
  all: readonly ReplicaSetView[],
  newSet: ReplicaSetView | undefined,
): Hold | undefined {
  const hold = holdOf(deployment.annotations);
  if (hold === undefined || all.every((set) => set.name !== hold.keep || set.deletionMs !== undefined))
    return undefined;
  return newSet?.name === hold.keep && hold.bring === undefined ? undefined : hold;
}

/** Brings each set to what the hold says of it. While the Deployment is paused only the kept set follows its size. */
export function heldActions(
  deployment: DeploymentView,
  hold: Hold,
  all: readonly ReplicaSetView[],
  bounds: Bounds,
): Action[] {
  return all.flatMap((set) => {
    const isKept = set.name === hold.keep;
    const isFrozen = !isKept && deployment.spec.paused === true;
    const size = isFrozen ? sizeOf(set) : isKept ? bounds.replicas : set.name === hold.bring ? (hold.size ?? 0) : 0;
    const wanted: Record<string, string | undefined> = {
      ...(size > 0 ? sizeAnnotations(bounds) : {}),
      // A set that shrinks keeps its mark: its last pods must not serve everybody.
      ...(isKept ? { [onHoldAnnotation]: undefined } : size > 0 ? { [onHoldAnnotation]: "true" } : {}),
    };
    const reason = isKept
      ? `the hold${byWhom(hold)} keeps ${set.name} whole: ${size}`
      : `the hold${byWhom(hold)} brings ${set.name} to ${size} beside ${hold.keep}`;
    return changeSet(set, wanted, size, reason);
  });
}

function byWhom({ by }: Hold): string {
  return by === undefined ? "" : ` of ${by}`;
}

/** One patch for size and annotations; none when all is as it should be. */
function changeSet(
  set: ReplicaSetView,
  annotations: Readonly<Record<string, string | undefined>>,
  size: number,
  reason: string,
): Action[] {
  const changed = Object.fromEntries(
    Object.entries(annotations)
      .filter(([key, value]) => set.annotations[key] !== value)
      .map(([key, value]) => [key, value ?? null]),
  );
  const isResized = sizeOf(set) !== size;
  if (!isResized && Object.keys(changed).length === 0) return [];
  const { namespace, name, uid, resourceVersion } = set;
  return [
    {
      verb: "patch",
      resource: replicaSets,
      namespace,
      name,
      type: "merge",
      patch: {
        metadata: { uid, resourceVersion, annotations: changed },
        ...(isResized ? { spec: { replicas: size } } : {}),
      },
      reason,
    },
  ];
}

/** A set that is no longer on hold serves everybody again. */
export function endHold(newSet: ReplicaSetView | undefined): Action[] {
  if (newSet?.annotations[onHoldAnnotation] === undefined) return [];
  const reason = `${newSet.name} has the current template and nothing holds it any more`;
  return changeSet(newSet, { [onHoldAnnotation]: undefined }, sizeOf(newSet), reason);
}

/** What Progressing says of a hold; undefined when it says so already. A rejected template ends the rollout as failed. */
export function holdCondition(
  deployment: DeploymentView,
  hold: Hold,
  newSet: ReplicaSetView,
): NewCondition | undefined {
  const isRejected = hold.rejected === newSet.name;
  const wanted: NewCondition = isRejected
    ? {
        type: "Progressing",
        status: "False",
        // The one reason by which kubectl and others know a rollout that will not end well.
        reason: "ProgressDeadlineExceeded",
        message: `ReplicaSet "${newSet.name}" was rejected${hold.by === undefined ? "" : ` by ${hold.by}`}; "${hold.keep}" stays.`,
      }
    : {
        type: "Progressing",
        status: "True",
        reason: onHoldReason,
        message: `ReplicaSet "${newSet.name}" is on hold${byWhom(hold)} beside "${hold.keep}".`,
      };
  if (newSet.name === hold.keep) return undefined;
  const current = deployment.status.conditions?.find((condition) => condition.type === "Progressing");
  return current?.reason === wanted.reason && current.message === wanted.message ? undefined : wanted;
}
