import { pods as podResource } from "#api/generated/resources.ts";
import type { Controller } from "#reconcile/controller.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { podDeclaration, projectPod, type PodView } from "../views/pod.ts";
import { claimDeclaration, volumeDeclaration } from "../views/storage.ts";
import { claimFinalizer, planClaimProtection, planVolumeProtection } from "./plan.ts";

/** Lets claims and volumes go once nobody uses them. Keys: `NAME` of a volume, `NAMESPACE/NAME` of a claim. */
export function createVolumeProtectionController(dependencies: Dependencies): Controller {
  const { client, informers } = dependencies;
  const claims = informers.of(claimDeclaration);
  const volumes = informers.of(volumeDeclaration);
  const pods = informers.of(podDeclaration);
  return createLoop(dependencies, {
    name: "volume-protection",
    needs: [claims, volumes, pods],
    watch: (enqueue) => [
      claims.handle((key, _old, current) => {
        if (current?.deletionMs !== undefined) enqueue(key);
      }),
      volumes.handle((key, _old, current) => {
        if (current?.deletionMs !== undefined) enqueue(key);
      }),
      pods.handle((_key, old, current) => {
        if (current !== undefined || old === undefined) return;
        for (const name of old.claims) {
          const key = keyOf(old.namespace, name);
          if (claims.get(key)?.deletionMs !== undefined) enqueue(key);
        }
      }),
    ],
    async pass(key) {
      const volume = key.includes("/") ? undefined : volumes.get(key);
      if (volume !== undefined) return planVolumeProtection(volume);
      const claim = claims.get(key);
      if (claim?.deletionMs === undefined || !claim.finalizers.includes(claimFinalizer)) return undefined;
      const seen = pods.by("claim", claim.key).filter(hasNode).length;
      if (seen > 0) return planClaimProtection(claim, seen);
      // The cache knows no user: the server is asked once more before data may go.
      const { items } = await client.list(podResource, { namespace: claim.namespace });
      const uses = (pod: PodView): boolean => hasNode(pod) && pod.claims.includes(claim.name);
      return planClaimProtection(claim, items.map(projectPod).filter(uses).length);
    },
  });
}

/** A pod without a node cannot be started any more once its claim is being deleted. */
function hasNode(pod: PodView): boolean {
  return pod.node !== "";
}
