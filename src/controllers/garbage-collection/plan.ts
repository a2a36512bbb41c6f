import type { OwnerReference } from "#api/generated/meta-v1.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import type { Plan } from "#reconcile/controller.ts";
import type { ObjectView } from "#reconcile/object-view.ts";
import { referenceOf } from "../ownership.ts";

export const foregroundFinalizer = "foregroundDeletion";
export const orphanFinalizer = "orphan";

/** `solid`: it exists and stays. `absent`: a fresh read found no object of this uid. `waiting`: it goes once its dependents went. */
export type OwnerState = "solid" | "absent" | "waiting";

export interface Dependent {
  readonly resource: Resource<unknown>;
  readonly view: ObjectView;
}

export interface ObservedItem {
  readonly resource: Resource<unknown>;
  readonly item: ObjectView;
  readonly owners: readonly { readonly reference: OwnerReference; readonly state: OwnerState }[];
  /** Objects that name the item as an owner by its uid. */
  readonly dependents: readonly Dependent[];
}

/** What garbage collection does about one object, as an owner and as a dependent. */
export function planCollection(observed: ObservedItem): Plan {
  const { item, resource } = observed;
  const because = referenceOf(resource, item);
  if (item.deletionMs !== undefined) {
    if (item.finalizers.includes(orphanFinalizer)) return { actions: orphanDependents(observed), because };
    if (item.finalizers.includes(foregroundFinalizer)) return { actions: finishForeground(observed), because };
  }
  return { actions: judgeDependent(observed), because };
}

/** Dependents lose their reference first; then the owner may go. */
function orphanDependents({ item, resource, dependents }: ObservedItem): Action[] {
  const releases = dependents.map((dependent) =>
    setOwners(
      dependent.resource,
      dependent.view,
      dependent.view.owners.filter((owner) => owner.uid !== item.uid),
      `its owner ${resource.kind} ${item.name} is being deleted and orphans its dependents`,
    ),
  );
  if (releases.length > 0) return releases;
  return [dropFinalizer(resource, item, orphanFinalizer, "no object names it as its owner any more")];
}

/** The owner goes when nothing that blocks it is left; deleting the dependents is their own turn. */
function finishForeground({ item, resource, dependents }: ObservedItem): Action[] {
  const blocking = dependents.filter((dependent) => isBlocking(dependent.view, item.uid));
  if (blocking.length > 0) return [];
  return [dropFinalizer(resource, item, foregroundFinalizer, "no dependent that blocks its deletion is left")];
}

function isBlocking(dependent: ObjectView, ownerUid: string): boolean {
  return dependent.owners.some((owner) => owner.uid === ownerUid && owner.blockOwnerDeletion === true);
}

function judgeDependent(observed: ObservedItem): Action[] {
  const { item, resource, owners, dependents } = observed;
  const solid = owners.filter((owner) => owner.state === "solid");
  const gone = owners.filter((owner) => owner.state !== "solid");
  if (gone.length === 0) return [];
  const names = gone.map(({ reference }) => `${reference.kind} ${reference.name}`).join(", ");
  if (solid.length > 0) {
    const rest = solid.map((owner) => owner.reference);
    return [setOwners(resource, item, rest, `of its owners ${names} went and ${rest.length} stay`)];
  }
  if (item.deletionMs !== undefined) return [];
  const isWaitedFor = gone.some((owner) => owner.state === "waiting");
  if (!isWaitedFor) {
    const propagation = item.finalizers.includes(orphanFinalizer)
      ? "Orphan"
      : item.finalizers.includes(foregroundFinalizer)
        ? "Foreground"
        : "Background";
    return [remove(resource, item, propagation, `none of its owners exists any more: ${names}`)];
  }
  if (dependents.length === 0)
    return [remove(resource, item, "Background", `its owner is being deleted with its dependents: ${names}`)];
  // In a circle of owners that wait for each other nobody would ever go.
  const isCircle = dependents.some(
    ({ view }) => view.deletionMs !== undefined && view.finalizers.includes(foregroundFinalizer),
  );
  if (isCircle && item.owners.some((owner) => owner.blockOwnerDeletion === true)) {
    const unblocked = item.owners.map((owner) => ({ ...owner, blockOwnerDeletion: false }));
    return [setOwners(resource, item, unblocked, `owners wait for each other in a circle: ${names}`)];
  }
  return [remove(resource, item, "Foreground", `its owner is being deleted with its dependents: ${names}`)];
}

function remove(
  resource: Resource<unknown>,
  item: ObjectView,
  propagation: "Background" | "Foreground" | "Orphan",
  reason: string,
): Action {
  const { name, uid, resourceVersion } = item;
  return { verb: "delete", resource, ...at(item), name, uid, resourceVersion, propagation, reason };
}

function setOwners(
  resource: Resource<unknown>,
  item: ObjectView,
  owners: readonly OwnerReference[],
  reason: string,
): Action {
  const { name, uid, resourceVersion } = item;
  const patch = { metadata: { uid, resourceVersion, ownerReferences: owners.length === 0 ? null : owners } };
  return { verb: "patch", resource, ...at(item), name, type: "merge", patch, reason };
}

function dropFinalizer(resource: Resource<unknown>, item: ObjectView, finalizer: string, reason: string): Action {
  const { name, uid, resourceVersion } = item;
  const rest = item.finalizers.filter((other) => other !== finalizer);
  const patch = { metadata: { uid, resourceVersion, finalizers: rest.length === 0 ? null : rest } };
  return { verb: "patch", resource, ...at(item), name, type: "merge", patch, reason };
}

function at(item: ObjectView): { namespace?: string } {
  return item.namespace === "" ? {} : { namespace: item.namespace };
}
