import { daemonsets, pods as podResource } from "#api/generated/resources.ts";
import type { DaemonSet, DaemonSetStatus } from "#api/generated/apps-v1.ts";
import type { PodTemplateSpec } from "#api/generated/core-v1.ts";
import type { Resource } from "#api/resource.ts";
import type { Action, CreateAction, DeleteAction } from "#reconcile/action.ts";
import { isEqual, namedAfter, randomSuffix } from "#reconcile/canonical.ts";
import type { PassContext, Plan } from "#reconcile/controller.ts";
import { limits } from "../limits.ts";
import type { Owned, OwnedPods } from "../owned-objects.ts";
import { aboutOf, controllerReference, referenceOf, settleOwnership } from "../ownership.ts";
import { podFromTemplate } from "../pod-template.ts";
import { hashOf, planCleanUp, planHistory, revisionLabel, type History } from "../revision-history.ts";
import type { NodeView } from "../views/node.ts";
import { availableInMs, isAvailable, isFinished, type PodView } from "../views/pod.ts";
import type { DaemonSetView, RevisionView } from "../views/workload.ts";
import { daemonTolerations, eligibilityOf, type Eligibility } from "./eligible.ts";
import { rollingDeletions, surgeNodes } from "./rolling.ts";

export interface ObservedDaemonSet extends OwnedPods {
  readonly set: DaemonSetView;
  readonly nodes: readonly NodeView[];
  /** Milliseconds until a finished pod may be replaced. */
  readonly untilReplacedMs: (pod: PodView) => number;
  readonly revisions: Owned<RevisionView>;
  readonly revisionNamed: (name: string) => RevisionView | undefined;
}

/** One node as the set sees it. */
export interface Place extends Eligibility {
  readonly node: NodeView;
  /** Its pods there that have not finished, oldest first. */
  readonly pods: readonly PodView[];
  readonly finished: readonly PodView[];
}

const resource = daemonsets as Resource<unknown>;
const pods = podResource as Resource<unknown>;

/** Keeps one pod on each node that the template fits, and moves them to the current template. */
export function planDaemonSet(observed: ObservedDaemonSet, context: PassContext, ids: { float(): number }): Plan {
  const { set } = observed;
  const because = referenceOf(resource, set);
  const { kept, handOvers } = settleOwnership(pods, resource, set, observed);
  if (handOvers.length > 0) return { actions: handOvers, because };
  const history = planHistory({
    ownerResource: resource,
    owner: set,
    template: set.spec.template,
    collisionCount: set.status.collisionCount ?? 0,
    revisions: observed.revisions,
    named: observed.revisionNamed,
    countCollisions: (collisionCount) =>
      updateStatus(set, { ...set.status, collisionCount }, "the name of its revision is taken"),
  });
  if (history.actions.length > 0 || history.update === undefined) return { actions: history.actions, because };
  const hash = hashOf(history.update);
  const places = placesOf(observed, kept);
  const changes = set.deletionMs === undefined ? changePods(observed, places, hash, context.now, ids) : [];
  const strays = straysOf(set, places, kept);
  const status = statusOf(set, places, hash, context.now);
  const doomed = [...changes, ...strays];
  const actions: Action[] = [];
  if (!isEqual(status, set.status) && (doomed.length === 0 || context.refusal !== undefined)) {
    actions.push(
      updateStatus(set, status, `${status.numberReady} of ${status.desiredNumberScheduled} nodes have a ready pod`),
    );
  }
  actions.push(...doomed);
  if (actions.length === 0) actions.push(...cleanUp(set, history, kept));
  const waits = kept
    .map((pod) =>
      isFinished(pod)
        ? observed.untilReplacedMs(pod) || undefined
        : availableInMs(pod, set.spec.minReadySeconds ?? 0, context.now),
    )
    .filter((wait) => wait !== undefined);
  return { actions, because, ...(waits.length === 0 ? {} : { lookAgainMs: Math.min(...waits) }) };
}

function placesOf({ set, nodes }: ObservedDaemonSet, kept: readonly PodView[]): Place[] {
  const byNode = Map.groupBy(kept, (pod) => pod.target);
  return nodes.map((node) => {
    const here = [...(byNode.get(node.name) ?? [])].sort(
      (a, b) => a.createdMs - b.createdMs || (a.name < b.name ? -1 : 1),
    );
    const finished = here.filter(isFinished);
    return { node, ...eligibilityOf(set.spec.template, node), pods: here.filter((pod) => !isFinished(pod)), finished };
  });
}

function changePods(
  { set, untilReplacedMs }: ObservedDaemonSet,
  places: readonly Place[],
  hash: string,
  now: number,
  ids: { float(): number },
): (CreateAction | DeleteAction)[] {
  const deletions: DeleteAction[] = [];
  const creations: CreateAction[] = [];
  const surging = surgeNodes(set, places, hash, now);
  for (const place of places) {
    const alive = place.pods.filter((pod) => pod.deletionMs === undefined);
    const replaceable = place.finished.filter((pod) => pod.deletionMs === undefined && untilReplacedMs(pod) === 0);
    for (const pod of place.mayStay ? replaceable : []) {
      deletions.push(
        deletePod(
          set,
          pod,
          `the pod has finished (${pod.phase}) and its node ${place.node.name} needs one that runs`,
          true,
        ),
      );
    }
    if (!place.mayStay) {
      for (const pod of alive)
        deletions.push(deletePod(set, pod, `node ${place.node.name} does not fit the template any more`));
      continue;
    }
    // The place of a terminating pod is free only when it has gone; likewise of a finished one.
    if (place.shouldRun && place.pods.length + place.finished.length === 0)
      creations.push(createPod(set, place, hash, ids, "has no pod"));
    else if (surging.has(place))
      creations.push(createPod(set, place, hash, ids, "gets a pod of the new template before the old one goes"));
    for (const pod of surplusOf(set, alive, hash))
      deletions.push(deletePod(set, pod, `node ${place.node.name} has ${alive.length} pods`));
  }
  const rolling =
    deletions.length + creations.length > 0 && surging.size === 0 ? [] : rollingDeletions(set, places, hash, now);
  for (const pod of rolling)
    deletions.push(deletePod(set, pod, `its template is old and maxUnavailable allows one node less`));
  return [...deletions.slice(0, limits.burstReplicasMax), ...creations.slice(0, limits.burstReplicasMax)];
}

/** All but the oldest pod of each template on one node: while surging, one old and one new may stand side by side. */
function surplusOf(set: DaemonSetView, alive: readonly PodView[], hash: string): readonly PodView[] {
  if (alive.length <= 1) return [];
  const surges = set.spec.updateStrategy?.rollingUpdate?.maxSurge;
  if (surges === undefined || surges === 0 || surges === "0%") return alive.slice(1);
  const isNew = (pod: PodView): boolean => pod.labels[revisionLabel] === hash;
  return [...alive.filter(isNew).slice(1), ...alive.filter((pod) => !isNew(pod)).slice(1)];
}

/** Pods that name a node which does not exist are pod collection's; those that name none at all are too many. */
function straysOf(set: DaemonSetView, places: readonly Place[], kept: readonly PodView[]): DeleteAction[] {
  const known = new Set(places.flatMap((place) => [...place.pods, ...place.finished]));
  const strays = kept.filter((pod) => !known.has(pod) && pod.deletionMs === undefined && pod.node === "");
  return strays.map((pod) => deletePod(set, pod, `node ${pod.target} does not exist`));
}

function createPod(
  set: DaemonSetView,
  { node }: Place,
  hash: string,
  ids: { float(): number },
  why: string,
): CreateAction {
  const generateName = `${set.name}-`;
  const name = namedAfter(
    generateName,
    randomSuffix(() => ids.float()),
  );
  const about = aboutOf(resource, set);
  const labels = { [revisionLabel]: hash, "pod-template-generation": String(set.generation) };
  return {
    verb: "create",
    resource: pods,
    namespace: set.namespace,
    object: podFromTemplate(forNode(set.spec.template, node.name), {
      namespace: set.namespace,
      name,
      generateName,
      owner: controllerReference(resource, set),
      ownerAnnotations: set.annotations,
      labels,
    }),
    reason: `node ${node.name} ${why}`,
    event: { about, type: "Normal", eventReason: "SuccessfulCreate", message: `Created pod: ${name}` },
    failureEvent: { about, type: "Warning", eventReason: "FailedCreate", message: "Error creating: " },
  };
}

/** The template, bound to one node by affinity, so that the scheduler places it like any other pod. */
function forNode(template: PodTemplateSpec, node: string): PodTemplateSpec {
  const spec = template.spec ?? { containers: [] };
  const matchFields = [{ key: "metadata.name", operator: "In", values: [node] }];
  const old = spec.affinity?.nodeAffinity;
  const terms = old?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const nodeSelectorTerms =
    terms === undefined || terms.length === 0 ? [{ matchFields }] : terms.map((term) => ({ ...term, matchFields }));
  const nodeAffinity = { ...old, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
  const tolerations = [...(spec.tolerations ?? []), ...daemonTolerations(spec)];
  return { ...template, spec: { ...spec, affinity: { ...spec.affinity, nodeAffinity }, tolerations } };
}

function deletePod(set: DaemonSetView, pod: PodView, reason: string, failed = false): DeleteAction {
  const about = aboutOf(resource, set);
  const event =
    failed && pod.phase === "Failed"
      ? {
          about,
          type: "Warning" as const,
          eventReason: "FailedDaemonPod",
          message: `Found failed daemon pod ${pod.key} on node ${pod.node}, will try to kill it`,
        }
      : { about, type: "Normal" as const, eventReason: "SuccessfulDelete", message: `Deleted pod: ${pod.name}` };
  return { verb: "delete", resource: pods, namespace: pod.namespace, name: pod.name, uid: pod.uid, reason, event };
}

function statusOf(set: DaemonSetView, places: readonly Place[], hash: string, now: number): DaemonSetStatus {
  const minReadySeconds = set.spec.minReadySeconds ?? 0;
  let current = 0;
  let misscheduled = 0;
  let desired = 0;
  let ready = 0;
  let updated = 0;
  let available = 0;
  for (const place of places) {
    const alive = place.pods.filter((pod) => pod.deletionMs === undefined);
    if (!place.shouldRun) {
      if (alive.length > 0) misscheduled++;
      continue;
    }
    desired++;
    if (place.pods.length > 0) current++;
    if (alive.some((pod) => pod.ready)) ready++;
    if (alive.some((pod) => isAvailable(pod, minReadySeconds, now))) available++;
    if (alive.some((pod) => pod.labels[revisionLabel] === hash)) updated++;
  }
  const unavailable = desired - available;
  const { collisionCount, conditions } = set.status;
  return {
    currentNumberScheduled: current,
    numberMisscheduled: misscheduled,
    desiredNumberScheduled: desired,
    numberReady: ready,
    observedGeneration: set.generation,
    ...(updated === 0 ? {} : { updatedNumberScheduled: updated }),
    ...(available === 0 ? {} : { numberAvailable: available }),
    ...(unavailable === 0 ? {} : { numberUnavailable: unavailable }),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    ...(conditions === undefined ? {} : { conditions }),
  };
}

function updateStatus(set: DaemonSetView, status: DaemonSetStatus, reason: string): Action {
  const { name, namespace, uid, resourceVersion } = set;
  const metadata = { name, namespace, uid, resourceVersion };
  const object: DaemonSet = { apiVersion: "apps/v1", kind: "DaemonSet", metadata, spec: set.spec, status };
  return { verb: "update", resource, namespace, name, subresource: "status", object, reason };
}

function cleanUp(set: DaemonSetView, history: History, kept: readonly PodView[]): Action[] {
  const used = new Set(kept.map((pod) => pod.labels[revisionLabel] ?? ""));
  return planCleanUp(history, set.spec.revisionHistoryLimit ?? 10, used);
}
