import type { Resource } from "#api/resource.ts";
import type { Informer } from "#reconcile/informer.ts";
import type { ObjectView } from "#reconcile/object-view.ts";
import { limits } from "../limits.ts";
import type { MetadataInformers } from "../views/metadata.ts";
import { foregroundFinalizer, orphanFinalizer, type Dependent } from "./plan.ts";

/** Objects of all kinds by uid, and who names whom as owner. */
export interface Graph {
  find(uid: string): Dependent | undefined;
  dependentsOf(uid: string): Dependent[];
  /** The names on the way from an object over its owners back to itself; undefined when there is none. */
  cycleOf(uid: string): string[] | undefined;
  /**
   * Listens to informers that joined since the last call, and forgets what it knew by those that left. Calls `look` with the uid
   * of each object to judge. Answers who joined.
   */
  follow(look: (uid: string) => void): readonly Informer<ObjectView>[];
  close(): void;
  /** Calls `look` for each object with an owner that nobody has seen. */
  lookAtUnknown(look: (uid: string) => void): void;
}

export function createGraph(metadata: MetadataInformers): Graph {
  const byUid = new Map<string, { resource: Resource<unknown>; informer: Informer<ObjectView>; key: string }>();
  /** Owner uid to dependents' uids, also for owners that nobody has seen. */
  const dependents = new Map<string, Set<string>>();
  const followed = new Map<Informer<ObjectView>, { close(): void }>();

  const link = (view: ObjectView): void => {
    for (const owner of view.owners) {
      const known = dependents.get(owner.uid);
      if (known === undefined) dependents.set(owner.uid, new Set([view.uid]));
      else known.add(view.uid);
    }
  };
  const unlink = (view: ObjectView): void => {
    for (const owner of view.owners) {
      const known = dependents.get(owner.uid);
      known?.delete(view.uid);
      if (known?.size === 0) dependents.delete(owner.uid);
    }
  };
  const find = (uid: string): Dependent | undefined => {
    const place = byUid.get(uid);
    const view = place?.informer.get(place.key);
    return place === undefined || view === undefined || view.uid !== uid
      ? undefined
      : { resource: place.resource, view };
  };
  const changed = (
    { resource, informer }: { resource: Resource<unknown>; informer: Informer<ObjectView> },
    key: string,
    old: ObjectView | undefined,
    current: ObjectView | undefined,
    look: (uid: string) => void,
  ): void => {
    if (old !== undefined) unlink(old);
    if (current === undefined) {
      if (old === undefined) return;
      byUid.delete(old.uid);
      for (const uid of dependents.get(old.uid) ?? []) look(uid);
      // Whoever waits for it in the foreground may go now.
      for (const owner of old.owners) if (isWaiting(find(owner.uid)?.view)) look(owner.uid);
      return;
    }
    byUid.set(current.uid, { resource, informer, key });
    link(current);
    // All owners known and staying: nothing to judge. That is nearly every event there is.
    if (current.owners.some((owner) => isInQuestion(find(owner.uid)?.view, current))) look(current.uid);
    else if (current.owners.length > 0 && old?.owners !== current.owners && cycleOf(current.uid) !== undefined)
      look(current.uid);
    for (const owner of old?.owners ?? []) if (isWaiting(find(owner.uid)?.view)) look(owner.uid);
    if (isWaiting(current) && current.deletionMs !== undefined) {
      look(current.uid);
      for (const uid of dependents.get(current.uid) ?? []) look(uid);
    }
  };
  const cycleOf = (uid: string): string[] | undefined => {
    const path: string[] = [];
    const seen = new Set<string>();
    const follow = (at: string): boolean => {
      const view = seen.has(at) || seen.size > limits.ownersFollowedMax ? undefined : find(at)?.view;
      if (view === undefined) return false;
      seen.add(at);
      path.push(view.name);
      if (view.owners.some((owner) => owner.uid === uid || follow(owner.uid))) return true;
      path.pop();
      return false;
    };
    return follow(uid) ? path : undefined;
  };
  return {
    find,
    cycleOf,
    dependentsOf: (uid) => [...(dependents.get(uid) ?? [])].map(find).filter((found) => found !== undefined),
    lookAtUnknown: (look) => {
      for (const [owner, uids] of dependents) if (!byUid.has(owner)) uids.forEach(look);
    },
    follow(look) {
      const present = metadata.all();
      const informers = new Set(present.map(({ informer }) => informer));
      for (const [informer, subscription] of followed) {
        if (informers.has(informer)) continue;
        subscription.close();
        followed.delete(informer);
        for (const view of informer.list()) {
          unlink(view);
          byUid.delete(view.uid);
        }
      }
      const joined = present.filter(({ informer }) => !followed.has(informer));
      for (const entry of joined) {
        const told = entry.informer.handle((key, old, current) => changed(entry, key, old, current, look));
        followed.set(entry.informer, told);
      }
      return joined.map(({ informer }) => informer);
    },
    close() {
      for (const subscription of followed.values()) subscription.close();
      followed.clear();
    },
  };
}

/** Not known, on its way out, or in another namespace, where no owner of the object can be. */
function isInQuestion(owner: ObjectView | undefined, dependent: ObjectView): boolean {
  return owner === undefined || isWaiting(owner) || isElsewhere(owner, dependent);
}

export function isElsewhere(owner: ObjectView, dependent: ObjectView): boolean {
  return owner.namespace !== "" && owner.namespace !== dependent.namespace;
}

/** Being deleted, and something is to be done about its dependents first. */
function isWaiting(view: ObjectView | undefined): boolean {
  if (view?.deletionMs === undefined) return false;
  return view.finalizers.includes(foregroundFinalizer) || view.finalizers.includes(orphanFinalizer);
}
