import type { PersistentVolumeClaimStatus } from "#api/generated/core-v1.ts";
import { persistentvolumeclaims, persistentvolumes } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import { compareQuantities, quantityOf } from "#codec/quantity.ts";
import type { Action, EventAction } from "#reconcile/action.ts";
import { isEqual } from "#reconcile/canonical.ts";
import type { Plan } from "#reconcile/controller.ts";
import { aboutOf, referenceOf } from "../ownership.ts";
import type { NodeView } from "../views/node.ts";
import { selectedNodeAnnotation, type ClaimView, type StorageClassView, type VolumeView } from "../views/storage.ts";
import { smallestMatch } from "./match.ts";
import { isLocallyProvisioned, localProvisioner, planProvisioning } from "./provision.ts";

const claims = persistentvolumeclaims as Resource<unknown>;
const volumes = persistentvolumes as Resource<unknown>;
const boundByController = "pv.kubernetes.io/bound-by-controller";
const bindCompleted = "pv.kubernetes.io/bind-completed";
const provisionerAnnotations = [
  "volume.kubernetes.io/storage-provisioner",
  "volume.beta.kubernetes.io/storage-provisioner",
];

export interface ObservedClaim {
  readonly claim: ClaimView;
  readonly storageClass: StorageClassView | undefined;
  /** The class for claims that name none; undefined when there is none. */
  readonly defaultClass: string | undefined;
  /** The volume that the claim names; undefined when it names none, or there is none such. */
  readonly volume: VolumeView | undefined;
  /** Volumes that are bound to the claim or kept for it. */
  readonly kept: readonly VolumeView[];
  /** Volumes of its class that nobody claimed. */
  readonly free: readonly VolumeView[];
  /** Where its first pod is to run, or any node for classes that do not wait. */
  readonly node: NodeView | undefined;
}

/** One step towards a claim that is bound to a volume, both saying so. Pure. */
export function planClaim(observed: ObservedClaim): Plan | undefined {
  const { claim } = observed;
  if (claim.deletionMs !== undefined) return undefined;
  const because = referenceOf(claims, claim);
  return { because, actions: (claim.spec.volumeName ?? "") === "" ? planUnbound(observed) : planBound(observed) };
}

function planUnbound(observed: ObservedClaim): Action[] {
  const { claim, kept, free, storageClass } = observed;
  const mine = kept.find(({ spec }) => spec.claimRef?.uid === claim.uid);
  if (mine !== undefined) return [nameVolume(claim, mine)];
  const reserved = kept.find(({ spec, deletionMs }) => spec.claimRef?.uid === undefined && deletionMs === undefined);
  if (reserved !== undefined) return [claimVolume(claim, reserved, false)];
  const waits = storageClass?.waits === true && claim.annotations[selectedNodeAnnotation] === undefined;
  if (waits) {
    const message = "waiting for first consumer to be created before binding";
    return [...pending(claim), tell(claim, "Normal", "WaitForFirstConsumer", message)];
  }
  // A pod's node is known: the scheduler has looked at existing volumes already and found none there.
  const match = storageClass?.waits === true ? undefined : smallestMatch(claim, free);
  if (match !== undefined) return [claimVolume(claim, match, true)];
  return [...pending(claim), ...provision(observed)];
}

function provision({ claim, storageClass, defaultClass, node }: ObservedClaim): Action[] {
  if (claim.wantsDefault && defaultClass !== undefined) {
    const reason = `the claim names no class, and ${defaultClass} is the default one now`;
    return [patchClaim(claim, { spec: { storageClassName: defaultClass } }, reason)];
  }
  if (claim.className === "") {
    const message = "no persistent volumes available for this claim and no storage class is set";
    return [tell(claim, "Normal", "FailedBinding", message)];
  }
  if (storageClass === undefined) {
    const message = `storageclass.storage.k8s.io "${claim.className}" not found`;
    return [tell(claim, "Warning", "ProvisioningFailed", message)];
  }
  const { provisioner } = storageClass;
  if (provisioner === localProvisioner) return planProvisioning(claim, storageClass, node);
  if (provisioner === "kubernetes.io/no-provisioner") {
    return [tell(claim, "Normal", "FailedBinding", "no persistent volumes available for this claim")];
  }
  const message =
    `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system ` +
    "administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.";
  const event = tell(claim, "Normal", "ExternalProvisioning", message);
  if (provisionerAnnotations.every((name) => claim.annotations[name] === provisioner)) return [event];
  const annotations = Object.fromEntries(provisionerAnnotations.map((name) => [name, provisioner]));
  return [
    patchClaim(claim, { metadata: { annotations } }, `${provisioner} makes volumes of class ${claim.className}`),
    event,
  ];
}

function planBound({ claim, volume }: ObservedClaim): Action[] {
  const wasBound = claim.annotations[bindCompleted] !== undefined || claim.status.phase === "Bound";
  if (volume === undefined)
    return wasBound ? lost(claim, "Bound claim has lost its PersistentVolume. Data on the volume is lost!") : [];
  const holder = volume.spec.claimRef;
  if (holder === undefined) return wasBound ? lost(claim, lostReference) : [claimVolume(claim, volume, true)];
  const isOurs = holder.namespace === claim.namespace && holder.name === claim.name;
  if (isOurs && holder.uid === undefined) return [claimVolume(claim, volume, false)];
  if (holder.uid !== claim.uid) {
    if (wasBound) return lost(claim, lostReference);
    const message = `volume "${volume.name}" already bound to a different claim.`;
    return [...pending(claim), tell(claim, "Warning", "FailedBinding", message)];
  }
  return [...grow(claim, volume), ...volumeIsBound(volume, claim), ...completed(claim, volume)];
}

const lostReference = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!";

function lost(claim: ClaimView, message: string): Action[] {
  if (claim.status.phase === "Lost") return [];
  const reason = `the claim was bound to ${claim.spec.volumeName ?? ""}, which is not its volume any more`;
  return [patchStatus(claim, { phase: "Lost" }, reason), tell(claim, "Warning", "ClaimLost", message)];
}

/** A folder of a node has the size of its disk: what is asked for is granted at once. */
function grow(claim: ClaimView, volume: VolumeView): Action[] {
  const asked = claim.spec.resources?.requests?.["storage"];
  const has = volume.spec.capacity?.["storage"];
  if (asked === undefined || has === undefined || !isLocallyProvisioned(volume)) return [];
  if (compareQuantities(quantityOf(asked), quantityOf(has)) <= 0) return [];
  const reason = `claim ${claim.key} asks for ${asked} and its volume has ${has}`;
  return [patchVolume(volume, { spec: { capacity: { storage: asked } } }, reason)];
}

function volumeIsBound(volume: VolumeView, claim: ClaimView): Action[] {
  if (volume.phase === "Bound") return [];
  const { name, uid } = volume;
  const patch = { metadata: { uid }, status: { phase: "Bound" } };
  const reason = `claim ${claim.key} names volume ${name} and the volume names the claim`;
  return [{ verb: "patch", resource: volumes, name, type: "merge", subresource: "status", patch, reason }];
}

function completed(claim: ClaimView, volume: VolumeView): Action[] {
  const actions: Action[] = [];
  if (claim.annotations[bindCompleted] === undefined) {
    const reason = `volume ${volume.name} is bound to the claim`;
    actions.push(patchClaim(claim, { metadata: { annotations: { [bindCompleted]: "yes" } } }, reason));
  }
  const status: PersistentVolumeClaimStatus = {
    phase: "Bound",
    ...(volume.spec.accessModes === undefined ? {} : { accessModes: volume.spec.accessModes }),
    ...(volume.spec.capacity === undefined ? {} : { capacity: volume.spec.capacity }),
  };
  const { phase, accessModes, capacity } = claim.status;
  if (!isEqual({ phase, accessModes, capacity }, status))
    actions.push(patchStatus(claim, status, `volume ${volume.name} is bound to the claim and has what it asks for`));
  return actions;
}

/** The volume is the claim's before the claim says so: two claims cannot both take it. */
function claimVolume(claim: ClaimView, volume: VolumeView, chosen: boolean): Action {
  const { namespace, name, uid, resourceVersion } = claim;
  const claimRef = { kind: "PersistentVolumeClaim", apiVersion: "v1", namespace, name, uid, resourceVersion };
  const annotations = chosen ? { annotations: { [boundByController]: "yes" } } : {};
  const reason = chosen
    ? `volume ${volume.name} is the smallest that suits claim ${claim.key}`
    : `volume ${volume.name} is kept for claim ${claim.key}`;
  return patchVolume(volume, { metadata: annotations, spec: { claimRef } }, reason);
}

function nameVolume(claim: ClaimView, volume: VolumeView): Action {
  const annotations = { [boundByController]: "yes", [bindCompleted]: "yes" };
  const patch = { metadata: { annotations }, spec: { volumeName: volume.name } };
  return patchClaim(claim, patch, `volume ${volume.name} is bound to the claim`);
}

function pending(claim: ClaimView): Action[] {
  return (claim.status.phase ?? "Pending") === "Pending"
    ? []
    : [patchStatus(claim, { phase: "Pending" }, "no volume is bound")];
}

interface Change {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: object;
}

function patchVolume(volume: VolumeView, change: Change, reason: string): Action {
  const { name, uid, resourceVersion } = volume;
  const patch = { ...change, metadata: { ...change.metadata, uid, resourceVersion } };
  return { verb: "patch", resource: volumes, name, type: "merge", patch, reason };
}

function patchClaim(claim: ClaimView, change: Change, reason: string): Action {
  const { namespace, name, uid, resourceVersion } = claim;
  const patch = { ...change, metadata: { ...change.metadata, uid, resourceVersion } };
  return { verb: "patch", resource: claims, namespace, name, type: "merge", patch, reason };
}

function patchStatus(claim: ClaimView, status: PersistentVolumeClaimStatus, reason: string): Action {
  const { namespace, name, uid } = claim;
  const patch = { metadata: { uid }, status };
  return { verb: "patch", resource: claims, namespace, name, type: "merge", subresource: "status", patch, reason };
}

function tell(claim: ClaimView, type: EventAction["type"], eventReason: string, message: string): EventAction {
  return { verb: "event", about: aboutOf(claims, claim), type, eventReason, message };
}
