import type { Resource } from "#api/resource.ts";
import type { Selector } from "#api/selectors.ts";
import type { Client } from "#client/client.ts";
import type { Informer } from "#reconcile/informer.ts";
import { keyOf, type ObjectView } from "#reconcile/object-view.ts";
import { claim } from "./ownership.ts";
import type { PodView } from "./views/pod.ts";

/** A workload that owns others by a selector. */
export interface Owner extends ObjectView {
  readonly selector: Selector;
}

/** What a workload owns of one kind, what nobody controls, and whether that may be adopted. */
export interface Owned<V extends ObjectView> {
  readonly owned: readonly V[];
  readonly orphans: readonly V[];
  /** A fresh read has shown that the owner still exists under this uid and is not being deleted. */
  readonly mayAdopt: boolean;
}

export type OwnedPods = Owned<PodView>;

/** Looks up what belongs to a workload. Before adopting, the server is asked: the workload may be gone, or a new one of its name. */
export async function ownedObjects<V extends ObjectView>(
  client: Client,
  resource: Resource<{ readonly metadata: { readonly uid?: string; readonly deletionTimestamp?: string } }>,
  dependents: Informer<V>,
  owner: Owner,
): Promise<Owned<V>> {
  const owned = dependents.by("owner", owner.uid);
  const orphans = dependents.by("orphan", owner.namespace);
  const wantsToAdopt = claim(owner, owned, orphans).adoptable.length > 0;
  const fresh = wantsToAdopt ? await client.find(resource, owner) : undefined;
  const mayAdopt = fresh?.metadata.uid === owner.uid && fresh.metadata.deletionTimestamp === undefined;
  return { owned, orphans, mayAdopt };
}

/** Calls `enqueue` with the workload of each dependent that changed, and with all that select one which nobody controls. */
export function followOwned<V extends ObjectView>(
  dependents: Informer<V>,
  owners: Informer<Owner>,
  kind: string,
  enqueue: (key: string) => void,
): { close(): void } {
  return dependents.handle((_key, old, current) => {
    for (const dependent of [old, current]) {
      if (dependent?.controller?.kind === kind) enqueue(keyOf(dependent.namespace, dependent.controller.name));
      if (dependent === undefined || dependent.controller !== undefined) continue;
      for (const owner of owners.by("namespace", dependent.namespace))
        if (owner.selector.matches(dependent.labels)) enqueue(owner.key);
    }
  });
}
