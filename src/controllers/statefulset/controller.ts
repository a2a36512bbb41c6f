import { statefulsets } from "#api/generated/resources.ts";
import type { Controller } from "#reconcile/controller.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import { claim } from "../ownership.ts";
import { podDeclaration } from "../views/pod.ts";
import { claimDeclaration } from "../views/storage.ts";
import { revisionDeclaration, statefulSetDeclaration } from "../views/workload.ts";
import { planStatefulSet } from "./plan.ts";

/** Keeps the pods of StatefulSets. */
export function createStatefulSetController(dependencies: Dependencies): Controller {
  const { client, informers } = dependencies;
  const sets = informers.of(statefulSetDeclaration);
  const pods = informers.of(podDeclaration);
  const revisions = informers.of(revisionDeclaration);
  const claims = informers.of(claimDeclaration);
  return createLoop(dependencies, {
    name: "statefulset",
    needs: [sets, pods, revisions, claims],
    spacingMs: limits.statefulSetSpacingMs,
    watch: (enqueue) => [
      sets.handle((key) => enqueue(key)),
      revisions.handle((_key, old, current) => {
        const revision = current ?? old;
        if (revision?.controller?.kind === "StatefulSet") enqueue(keyOf(revision.namespace, revision.controller.name));
      }),
      pods.handle((_key, old, current) => {
        for (const pod of [old, current]) {
          if (pod?.controller?.kind === "StatefulSet") enqueue(keyOf(pod.namespace, pod.controller.name));
          if (pod === undefined || pod.controller !== undefined) continue;
          for (const set of sets.by("namespace", pod.namespace)) if (set.selector.matches(pod.labels)) enqueue(set.key);
        }
      }),
    ],
    async pass(key, context) {
      const set = sets.get(key);
      if (set === undefined) return undefined;
      const owned = pods.by("owner", set.uid);
      const orphans = pods.by("orphan", set.namespace);
      const wantsToAdopt = claim(set, owned, orphans).adoptable.length > 0;
      const fresh = wantsToAdopt ? await client.find(statefulsets, set) : undefined;
      const mayAdopt = fresh?.metadata.uid === set.uid && fresh.metadata.deletionTimestamp === undefined;
      const observed = {
        set,
        owned,
        orphans,
        mayAdopt,
        revisions: revisions.by("owner", set.uid),
        revisionNamed: (name: string) => revisions.get(keyOf(set.namespace, name)),
        claimNamed: (name: string) => claims.get(keyOf(set.namespace, name)),
      };
      return planStatefulSet(observed, context);
    },
  });
}
