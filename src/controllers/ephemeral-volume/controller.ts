import { pods as podResource } from "#api/generated/resources.ts";
import type { Controller } from "#reconcile/controller.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { isFinished, podDeclaration } from "../views/pod.ts";
import { claimDeclaration } from "../views/storage.ts";
import { planEphemeralClaims } from "./plan.ts";

/** Makes the claims of pods' ephemeral volumes; they go with their pods. */
export function createEphemeralVolumeController(dependencies: Dependencies): Controller {
  const { client, informers } = dependencies;
  const pods = informers.of(podDeclaration);
  const claims = informers.of(claimDeclaration);
  return createLoop(dependencies, {
    name: "ephemeral-volume",
    eventSource: "ephemeral_volume",
    needs: [pods, claims],
    watch: (enqueue) => [
      pods.handle((key, old, current) => {
        if (current?.hasEphemeralClaims === true && old === undefined) enqueue(key);
      }),
      claims.handle((_key, old, current) => {
        if (current === undefined && old?.controller?.kind === "Pod")
          enqueue(keyOf(old.namespace, old.controller.name));
      }),
    ],
    async pass(key) {
      const view = pods.get(key);
      if (view === undefined || !view.hasEphemeralClaims || view.deletionMs !== undefined || isFinished(view))
        return undefined;
      const pod = await client.find(podResource, view);
      if (pod?.metadata.uid !== view.uid) return undefined;
      return planEphemeralClaims(view, pod.spec.volumes ?? [], (name) => claims.get(keyOf(view.namespace, name)));
    },
  });
}
