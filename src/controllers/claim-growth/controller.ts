import type { Controller } from "#reconcile/controller.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { ToldEvents } from "../told-events.ts";
import { claimDeclaration } from "../views/storage.ts";
import { statefulSetDeclaration } from "../views/workload.ts";
import { planClaimGrowth, sizesAnnotation } from "./plan.ts";

/** Grows the claims of StatefulSets that ask for larger ones than their templates say. */
export function createClaimGrowthController(dependencies: Dependencies): Controller {
  const { informers } = dependencies;
  const sets = informers.of(statefulSetDeclaration);
  const claims = informers.of(claimDeclaration);
  const told = new ToldEvents();
  return createLoop(dependencies, {
    name: "claim-growth",
    needs: [sets, claims],
    watch: (enqueue) => [
      sets.handle((key, old, current) => {
        if (current?.annotations[sizesAnnotation] !== undefined) enqueue(key);
        else told.forget(old?.uid);
      }),
      claims.handle((_key, old, current) => {
        // A claim that has just been bound may have to grow.
        if (current?.status.phase !== "Bound" || old?.status.phase === "Bound") return;
        for (const set of sets.by("namespace", current.namespace)) {
          const isAsked = set.annotations[sizesAnnotation] !== undefined;
          if (isAsked && current.name.includes(`-${set.name}-`)) enqueue(set.key);
        }
      }),
    ],
    pass(key) {
      const set = sets.get(key);
      const plan = set && planClaimGrowth(set, (name) => claims.get(keyOf(set.namespace, name)));
      return plan && { ...plan, actions: told.fresh(plan.actions) };
    },
  });
}
