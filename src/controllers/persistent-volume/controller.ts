import { persistentvolumeclaims, pods as podResource } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import { defaultClass } from "#api/storage/storage-class.ts";
import type { Action } from "#reconcile/action.ts";
import type { Controller, Plan } from "#reconcile/controller.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import { aboutOf } from "../ownership.ts";
import { ToldEvents } from "../told-events.ts";
import { nodeDeclaration, type NodeView } from "../views/node.ts";
import { podDeclaration, type PodView } from "../views/pod.ts";
import {
  claimDeclaration,
  selectedNodeAnnotation,
  storageClassDeclaration,
  volumeDeclaration,
  type ClaimView,
  type VolumeView,
} from "../views/storage.ts";
import { planClaim } from "./plan-claim.ts";
import { planVolume } from "./plan-volume.ts";

/**
 * Binds claims to volumes, makes local ones, and frees or deletes those whose claims are gone. Keys: `NAME` of a volume,
 * `NAMESPACE/NAME` of a claim.
 */
export function createPersistentVolumeController(dependencies: Dependencies): Controller {
  const { client, informers } = dependencies;
  const claims = informers.of(claimDeclaration);
  const volumes = informers.of(volumeDeclaration);
  const classes = informers.of(storageClassDeclaration);
  const nodes = informers.of(nodeDeclaration);
  const pods = informers.of(podDeclaration);
  const told = new ToldEvents();

  const nodeFor = (claim: ClaimView, waits: boolean): NodeView | undefined => {
    const selected = claim.annotations[selectedNodeAnnotation];
    if (selected !== undefined) return nodes.get(selected);
    return waits ? undefined : nodes.list().find((node) => !node.unschedulable && isReady(node));
  };

  const passClaim = (claim: ClaimView): Plan | undefined => {
    const storageClass = classes.get(claim.className);
    const name = claim.spec.volumeName ?? "";
    const plan = planClaim({
      claim,
      storageClass,
      defaultClass: defaultClass(classes.list()),
      volume: name === "" ? undefined : volumes.get(name),
      kept: volumes.by("claim", claim.key),
      free: volumes.by("free", claim.className),
      node: nodeFor(claim, storageClass?.waits === true),
    });
    if (plan === undefined) return undefined;
    const waiting = pods.by("claim", claim.key).filter((pod) => pod.node === "" && pod.deletionMs === undefined);
    const actions = plan.actions.flatMap((action) => [action, ...toldToPods(action, claim, waiting)]);
    return { ...plan, actions: told.fresh(actions) };
  };

  const passVolume = async (volume: VolumeView): Promise<Plan | undefined> => {
    const reference = volume.spec.claimRef;
    if (reference?.uid === undefined) return planVolume(volume, undefined);
    const at = { namespace: reference.namespace ?? "", name: reference.name ?? "" };
    const cached = claims.get(keyOf(at.namespace, at.name))?.uid;
    if (cached === reference.uid) return planVolume(volume, cached);
    // Data is at stake: the server is asked, not the cache.
    const fresh = await client.find(persistentvolumeclaims, at);
    return planVolume(volume, fresh?.metadata.uid);
  };

  return createLoop(dependencies, {
    name: "persistent-volume",
    eventSource: "persistentvolume-controller",
    needs: [claims, volumes, classes, nodes, pods],
    spacingMs: limits.statefulSetSpacingMs,
    watch: (enqueue) => [
      claims.handle((key, old, current) => {
        if (current === undefined) told.forget(old?.uid);
        enqueue(key);
        for (const volume of volumes.by("claim", key)) enqueue(volume.key);
      }),
      volumes.handle((key, _old, current) => {
        enqueue(key);
        // Whoever names it may have been looked at before it was known.
        for (const claim of claims.by("volume", key)) enqueue(claim.key);
        if (current?.spec.claimRef === undefined) enqueueWaiting(current, claims, enqueue);
        else enqueue(keyOf(current.spec.claimRef.namespace ?? "", current.spec.claimRef.name ?? ""));
      }),
      pods.handle((_key, old, current) => {
        if (current === undefined) told.forget(old?.uid);
        else if (old === undefined) for (const name of current.claims) enqueue(keyOf(current.namespace, name));
      }),
      classes.handle((key, _old, current) => {
        if (current === undefined) return;
        for (const claim of [...claims.by("class", key), ...claims.by("class", "")])
          if (isUnbound(claim)) enqueue(claim.key);
      }),
    ],
    pass(key) {
      const volume = key.includes("/") ? undefined : volumes.get(key);
      if (volume !== undefined) return passVolume(volume);
      const claim = claims.get(key);
      return claim === undefined ? undefined : passClaim(claim);
    },
  });
}

/** A volume came free: claims of its class that wait may have it now. */
function enqueueWaiting(
  volume: VolumeView | undefined,
  claims: { by(index: string, value: string): readonly ClaimView[] },
  enqueue: (key: string) => void,
): void {
  if (volume === undefined) return;
  for (const claim of claims.by("class", volume.className)) if (isUnbound(claim)) enqueue(claim.key);
}

function isUnbound(claim: ClaimView): boolean {
  return claim.status.phase !== "Bound" && claim.deletionMs === undefined;
}

function isReady(node: NodeView): boolean {
  return node.conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

/** Whoever looks at a pod that waits for its claim should see why, too. */
function toldToPods(action: Action, claim: ClaimView, waiting: readonly PodView[]): Action[] {
  if (action.verb !== "event" || action.type !== "Warning") return [];
  const message = `claim ${claim.name}: ${action.message}`;
  return waiting
    .slice(0, limits.podsToldMax)
    .map((pod) => ({ ...action, about: aboutOf(podResource as Resource<unknown>, pod), message }));
}
