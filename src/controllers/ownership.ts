import type { OwnerReference } from "#api/generated/meta-v1.ts";
import { apiVersionOf, type Resource } from "#api/resource.ts";
import type { PatchAction } from "#reconcile/action.ts";
import type { ObjectView } from "#reconcile/object-view.ts";

/** The reference by which a controller marks what it owns. */
export function controllerReference(resource: Resource<unknown>, owner: ObjectView): OwnerReference {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name: owner.name,
    uid: owner.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** `apps/deployments/default/web@1000000000042`: an object at the revision that was judged. */
export function referenceOf(resource: Resource<unknown>, view: ObjectView): string {
  const group = resource.group === "" ? "core" : resource.group;
  return `${group}/${resource.resource}/${view.key}@${view.resourceVersion}`;
}

/** What an Event is about. */
export function aboutOf(
  resource: Resource<unknown>,
  view: ObjectView,
): { apiVersion: string; kind: string; namespace?: string; name: string; uid: string } {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    ...(view.namespace === "" ? {} : { namespace: view.namespace }),
    name: view.name,
    uid: view.uid,
  };
}

/** Adds the controller reference to a dependent that nobody controls, if it is still as it was judged. */
export function adopt(
  dependents: Resource<unknown>,
  dependent: ObjectView,
  ownerResource: Resource<unknown>,
  owner: ObjectView,
): PatchAction {
  const reason = `the labels of ${dependent.name} match the selector of ${ownerResource.kind} ${owner.name} and nobody controls it`;
  return patchReference(dependents, dependent, controllerReference(ownerResource, owner), reason);
}

/** Removes the controller reference from a dependent that the selector no longer matches. */
export function release(
  dependents: Resource<unknown>,
  dependent: ObjectView,
  ownerResource: Resource<unknown>,
  owner: ObjectView,
): PatchAction {
  const reason = `the labels of ${dependent.name} no longer match the selector of ${ownerResource.kind} ${owner.name}`;
  return patchReference(dependents, dependent, { $patch: "delete", uid: owner.uid }, reason);
}

function patchReference(
  dependents: Resource<unknown>,
  { namespace, name, uid, resourceVersion }: ObjectView,
  ownerReference: object,
  reason: string,
): PatchAction {
  const patch = { metadata: { uid, resourceVersion, ownerReferences: [ownerReference] } };
  return { verb: "patch", resource: dependents, namespace, name, type: "strategic", patch, reason };
}

/** Of an owner of this kind and name that was there before: it is about to be left to us, or to go. */
export function isOfPredecessor(dependent: ObjectView, kind: string, owner: ObjectView): boolean {
  const { controller } = dependent;
  const isNamesake = controller?.kind === kind && controller.name === owner.name && controller.uid !== owner.uid;
  return isNamesake && dependent.deletionMs === undefined;
}

/** Which dependents are owned, which are to be adopted, which released. */
export function claim<V extends ObjectView>(
  owner: ObjectView & {
    readonly selector: { matches(labels: Readonly<Record<string, string>>): boolean; readonly nothing: boolean };
  },
  owned: readonly V[],
  orphans: readonly V[],
): { readonly kept: readonly V[]; readonly released: readonly V[]; readonly adoptable: readonly V[] } {
  const kept: V[] = [];
  const released: V[] = [];
  for (const dependent of owned) {
    if (dependent.controller?.uid !== owner.uid) continue;
    if (owner.selector.matches(dependent.labels)) kept.push(dependent);
    else if (owner.deletionMs === undefined && dependent.deletionMs === undefined) released.push(dependent);
  }
  const mayAdopt = owner.deletionMs === undefined && !owner.selector.nothing;
  const adoptable = mayAdopt
    ? orphans.filter((orphan) => orphan.deletionMs === undefined && owner.selector.matches(orphan.labels))
    : [];
  return { kept, released, adoptable };
}

/** What is kept, and the patches by which dependents change hands: while there are any, nothing else is to be decided. */
export function settleOwnership<V extends ObjectView>(
  dependents: Resource<unknown>,
  resource: Resource<unknown>,
  owner: Parameters<typeof claim>[0],
  {
    owned,
    orphans,
    mayAdopt,
  }: { readonly owned: readonly V[]; readonly orphans: readonly V[]; readonly mayAdopt: boolean },
): { readonly kept: readonly V[]; readonly handOvers: readonly PatchAction[] } {
  const { kept, released, adoptable } = claim(owner, owned, orphans);
  const releases = released.map((dependent) => release(dependents, dependent, resource, owner));
  const adoptions = mayAdopt ? adoptable.map((dependent) => adopt(dependents, dependent, resource, owner)) : [];
  return { kept, handOvers: [...releases, ...adoptions] };
}
