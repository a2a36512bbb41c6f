import type { Resource } from "#api/resource.ts";
import type { Selector } from "#api/selectors.ts";
import type { Client } from "#client/client.ts";
import type { Informer } from "#reconcile/informer.ts";
import { keyOf, type ObjectView } from "#reconcile/object-view.ts";
import { claim } from "./ownership.ts";
import type { PodView } from "./views/pod.ts";
import type { RevisionView } from "./views/workload.ts";

/** A workload that owns pods by a selector. */
export interface PodOwner extends ObjectView {
  readonly selector: Selector;
}

/** The pods of a workload, those that nobody controls, and whether these may be adopted. */
export interface OwnedPods {
  readonly owned: readonly PodView[];
  readonly orphans: readonly PodView[];
  readonly mayAdopt: boolean;
}

/** Looks up what belongs to a workload. Before adopting, the server is asked: the workload may be gone, or a new one of its name. */
export async function ownedPods(
  client: Client,
  resource: Resource<{ readonly metadata: { readonly uid?: string; readonly deletionTimestamp?: string } }>,
  pods: Informer<PodView>,
  owner: PodOwner,
): Promise<OwnedPods> {
  const owned = pods.by("owner", owner.uid);
  const orphans = pods.by("orphan", owner.namespace);
  const wantsToAdopt = claim(owner, owned, orphans).adoptable.length > 0;
  const fresh = wantsToAdopt ? await client.find(resource, owner) : undefined;
  const mayAdopt = fresh?.metadata.uid === owner.uid && fresh.metadata.deletionTimestamp === undefined;
  return { owned, orphans, mayAdopt };
}

/** Calls `enqueue` with the workload of each pod that changed, and with all that select a pod which nobody controls. */
export function followPods(
  pods: Informer<PodView>,
  owners: Informer<PodOwner>,
  kind: string,
  enqueue: (key: string) => void,
): { close(): void } {
  return pods.handle((_key, old, current) => {
    for (const pod of [old, current]) {
      if (pod?.controller?.kind === kind) enqueue(keyOf(pod.namespace, pod.controller.name));
      if (pod === undefined || pod.controller !== undefined) continue;
      for (const owner of owners.by("namespace", pod.namespace))
        if (owner.selector.matches(pod.labels)) enqueue(owner.key);
    }
  });
}

/** Calls `enqueue` with the workload of each kept template that changed. */
export function followRevisions(
  revisions: Informer<RevisionView>,
  kind: string,
  enqueue: (key: string) => void,
): { close(): void } {
  return revisions.handle((_key, old, current) => {
    const revision = current ?? old;
    if (revision?.controller?.kind === kind) enqueue(keyOf(revision.namespace, revision.controller.name));
  });
}
