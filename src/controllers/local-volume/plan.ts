import { nodes, persistentvolumes } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import type { Plan } from "#reconcile/controller.ts";
import { limits } from "../limits.ts";
import { referenceOf } from "../ownership.ts";
import type { NodeView } from "../views/node.ts";
import type { VolumeView } from "../views/storage.ts";
import { volumeFinalizer } from "../volume-protection/plan.ts";

/** On a volume: the node that has its folder. */
export const nodeAnnotation = "steersman.dev/node";
/** Keeps a volume until its folder is removed. */
export const folderFinalizer = "steersman.dev/volume-folder";
/** On a Node: folders that its agent is to remove, by us; and those that it has removed, by the agent. */
const removeAnnotation = "steersman.dev/volumes-to-remove";
const removedAnnotation = "steersman.dev/volumes-removed";
const nodeResource = nodes as Resource<unknown>;
const volumeResource = persistentvolumes as Resource<unknown>;

/** A deleted volume that nothing but its folder holds. */
function awaitsFolder(volume: VolumeView): boolean {
  const { deletionMs, finalizers, phase } = volume;
  const isHeld = finalizers.includes(folderFinalizer) && !finalizers.includes(volumeFinalizer);
  return deletionMs !== undefined && isHeld && phase !== "Bound";
}

/**
 * Has the folders of deleted volumes removed by the node that has them: it is asked in an annotation and answers in another,
 * so that it needs no rights over volumes. A node that is gone took its folders with it. Pure.
 */
export function planFolders(
  name: string,
  node: NodeView | undefined,
  volumes: readonly VolumeView[],
): Plan | undefined {
  const waiting = volumes.filter(awaitsFolder).slice(0, limits.foldersRemovedMax);
  if (node === undefined) return { actions: waiting.map((volume) => release(volume, `node ${name} is gone`)) };
  const removed = new Set((node.annotations[removedAnnotation] ?? "").split(","));
  const actions: Action[] = waiting
    .filter((volume) => removed.has(volume.name))
    .map((volume) => release(volume, `node ${name} has removed its folder`));
  const wanted = waiting
    .map((volume) => volume.name)
    .sort()
    .join(",");
  if (wanted !== (node.annotations[removeAnnotation] ?? "")) {
    const patch = { metadata: { uid: node.uid, annotations: { [removeAnnotation]: wanted === "" ? null : wanted } } };
    const reason = `${waiting.length} deleted volumes have folders on the node`;
    actions.push({ verb: "patch", resource: nodeResource, name, type: "merge", patch, reason });
  }
  return { because: referenceOf(nodeResource, node), actions };
}

function release(volume: VolumeView, reason: string): Action {
  const { name, uid, resourceVersion } = volume;
  const finalizers = volume.finalizers.filter((one) => one !== folderFinalizer);
  const patch = { metadata: { uid, resourceVersion, finalizers: finalizers.length === 0 ? null : finalizers } };
  return { verb: "patch", resource: volumeResource, name, type: "merge", patch, reason };
}
