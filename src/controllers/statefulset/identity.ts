import { statefulsets, persistentvolumeclaims, pods as podResource } from "#api/generated/resources.ts";
import type { PersistentVolumeClaim, PodTemplateSpec, Volume } from "#api/generated/core-v1.ts";
import type { Draft, Resource } from "#api/resource.ts";
import type { Action, CreateAction, DeleteAction, EventText } from "#reconcile/action.ts";
import type { ObjectView } from "#reconcile/object-view.ts";
import { aboutOf, controllerReference } from "../ownership.ts";
import { podFromTemplate } from "../pod-template.ts";
import { revisionLabel } from "../revision-history.ts";
import type { PodView } from "../views/pod.ts";
import type { StatefulSetView } from "../views/workload.ts";

const resource = statefulsets as Resource<unknown>;
const pods = podResource as Resource<unknown>;
const claims = persistentvolumeclaims as Resource<unknown>;

export function podName(set: StatefulSetView, ordinal: number): string {
  return `${set.name}-${ordinal}`;
}

/** The ordinal in a pod's name; -1 when the name is not of this set's form. */
export function ordinalOf(set: StatefulSetView, pod: PodView): number {
  const prefix = `${set.name}-`;
  const text = pod.name.startsWith(prefix) ? pod.name.slice(prefix.length) : "";
  return /^(0|[1-9][0-9]{0,8})$/.test(text) ? Number(text) : -1;
}

export function claimName(template: PersistentVolumeClaim, set: StatefulSetView, ordinal: number): string {
  return `${template.metadata.name ?? ""}-${set.name}-${ordinal}`;
}

/** Claims that the pod of this ordinal needs and that do not exist yet. A claim is made once and stays with its ordinal. */
export function missingClaims(
  set: StatefulSetView,
  ordinal: number,
  claimNamed: (name: string) => ObjectView | undefined,
): CreateAction[] {
  return (set.spec.volumeClaimTemplates ?? []).flatMap((template) => {
    const name = claimName(template, set, ordinal);
    if (claimNamed(name) !== undefined) return [];
    const deleted = set.spec.persistentVolumeClaimRetentionPolicy?.whenDeleted === "Delete";
    const { creationTimestamp: _none, uid: _uid, resourceVersion: _revision, ...metadata } = template.metadata;
    const object: Draft<PersistentVolumeClaim> = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: {
        ...metadata,
        name,
        namespace: set.namespace,
        labels: { ...metadata.labels, ...set.spec.selector?.matchLabels },
        ...(deleted ? { ownerReferences: [controllerReference(resource, set)] } : {}),
      },
      spec: template.spec,
    };
    const about = aboutOf(resource, set);
    const message = `create Claim ${name} Pod ${podName(set, ordinal)} in StatefulSet ${set.name} success`;
    const failed = `create Claim ${name} for Pod ${podName(set, ordinal)} in StatefulSet ${set.name} failed error: `;
    return [
      {
        verb: "create" as const,
        resource: claims,
        namespace: set.namespace,
        object,
        existingIsFine: true,
        reason: `pod ${podName(set, ordinal)} needs claim ${name}, which does not exist`,
        event: { about, type: "Normal" as const, eventReason: "SuccessfulCreate", message },
        failureEvent: { about, type: "Warning" as const, eventReason: "FailedCreate", message: failed },
      },
    ];
  });
}

/** The pod of an ordinal, with its stable name, host name and claims. */
export function createPod(
  set: StatefulSetView,
  ordinal: number,
  template: PodTemplateSpec,
  hash: string,
  reason: string,
): CreateAction {
  const name = podName(set, ordinal);
  const about = aboutOf(resource, set);
  return {
    verb: "create",
    resource: pods,
    namespace: set.namespace,
    object: podFromTemplate(withIdentity(set, ordinal, template), {
      namespace: set.namespace,
      name,
      generateName: `${set.name}-`,
      owner: controllerReference(resource, set),
      ownerAnnotations: set.annotations,
      labels: {
        [revisionLabel]: hash,
        "statefulset.kubernetes.io/pod-name": name,
        "apps.kubernetes.io/pod-index": String(ordinal),
      },
    }),
    reason,
    event: {
      about,
      type: "Normal",
      eventReason: "SuccessfulCreate",
      message: `create Pod ${name} in StatefulSet ${set.name} successful`,
    },
    failureEvent: {
      about,
      type: "Warning",
      eventReason: "FailedCreate",
      message: `create Pod ${name} in StatefulSet ${set.name} failed error: `,
    },
  };
}

function withIdentity(set: StatefulSetView, ordinal: number, template: PodTemplateSpec): PodTemplateSpec {
  const spec = template.spec ?? { containers: [] };
  const templates = set.spec.volumeClaimTemplates ?? [];
  const own = new Set(templates.map((claim) => claim.metadata.name));
  const volumes: Volume[] = [
    ...templates.map((claim): Volume => ({
      name: claim.metadata.name ?? "",
      persistentVolumeClaim: { claimName: claimName(claim, set, ordinal) },
    })),
    ...(spec.volumes ?? []).filter((volume) => !own.has(volume.name)),
  ];
  const subdomain =
    set.spec.serviceName === undefined || set.spec.serviceName === "" ? {} : { subdomain: set.spec.serviceName };
  return {
    ...template,
    spec: { ...spec, hostname: podName(set, ordinal), ...subdomain, ...(volumes.length === 0 ? {} : { volumes }) },
  };
}

export function deletePod(set: StatefulSetView, pod: PodView, reason: string): DeleteAction {
  const about = aboutOf(resource, set);
  const message = `delete Pod ${pod.name} in StatefulSet ${set.name} successful`;
  const event = { about, type: "Normal" as const, eventReason: "SuccessfulDelete", message };
  return { verb: "delete", resource: pods, namespace: pod.namespace, name: pod.name, uid: pod.uid, reason, event };
}

/** Removes a pod that has finished, so that the next one can take its name. */
export function removeFinished(set: StatefulSetView, pod: PodView): DeleteAction {
  const hasFailed = pod.phase === "Failed";
  const event: EventText = {
    about: aboutOf(resource, set),
    type: hasFailed ? "Warning" : "Normal",
    eventReason: hasFailed ? "RecreatingFailedPod" : "RecreatingTerminatedPod",
    message: `StatefulSet ${set.key} is recreating ${hasFailed ? "failed" : "terminated"} Pod ${pod.name}`,
  };
  return { ...deletePod(set, pod, `pod ${pod.name} has finished (${pod.phase}) and is to be made anew`), event };
}

/**
 * Owners of a pod's claims as the set's retention has it now: the set, when claims go with it; the pod, when it is beyond the
 * replicas and claims go when the set shrinks. Who else owns them stays.
 * https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention
 */
export function ownClaims(
  set: StatefulSetView,
  pod: PodView,
  isSurplus: boolean,
  claimNamed: (name: string) => ObjectView | undefined,
): Action[] {
  const { whenDeleted, whenScaled } = set.spec.persistentVolumeClaimRetentionPolicy ?? {};
  const isOfPod = isSurplus && whenScaled === "Delete";
  const isOfSet = whenDeleted === "Delete" && !isOfPod;
  const ordinal = ordinalOf(set, pod);
  return (set.spec.volumeClaimTemplates ?? []).flatMap((template) => {
    const claim = claimNamed(claimName(template, set, ordinal));
    if (claim === undefined || claim.deletionMs !== undefined) return [];
    const others = claim.owners.filter(
      ({ kind, name, uid }) => uid !== set.uid && !(kind === "Pod" && name === pod.name),
    );
    // Somebody else's claim is left to them: nothing has two controllers.
    const isForeign = others.some(({ controller }) => controller === true);
    const hasSet = claim.owners.some(({ uid }) => uid === set.uid);
    const hasPod = claim.owners.some(({ uid }) => uid === pod.uid);
    const isLeft = claim.owners.length === others.length + Number(isOfSet && hasSet) + Number(isOfPod && hasPod);
    if (isLeft && hasSet === isOfSet && hasPod === isOfPod) return [];
    if (isForeign) return [];
    const ofPod = { apiVersion: "v1", kind: "Pod", name: pod.name, uid: pod.uid, blockOwnerDeletion: true };
    const ownerReferences = [
      ...others,
      ...(isOfSet ? [controllerReference(resource, set)] : []),
      ...(isOfPod ? [ofPod] : []),
    ];
    const { uid, resourceVersion, namespace, name } = claim;
    const patch = { metadata: { uid, resourceVersion, ownerReferences } };
    const owner = isOfPod ? `pod ${pod.name}, which is beyond the replicas` : isOfSet ? "the set" : "nobody";
    const reason = `by the set's retention of claims, ${name} goes with ${owner}`;
    return [{ verb: "patch" as const, resource: claims, namespace, name, type: "merge" as const, patch, reason }];
  });
}
