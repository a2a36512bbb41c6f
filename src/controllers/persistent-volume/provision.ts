import type { PersistentVolume } from "#api/generated/core-v1.ts";
import { persistentvolumeclaims, persistentvolumes } from "#api/generated/resources.ts";
import type { Draft, Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import { folderFinalizer, nodeAnnotation } from "../local-volume/plan.ts";
import { aboutOf } from "../ownership.ts";
import type { NodeView } from "../views/node.ts";
import { selectedNodeAnnotation, type ClaimView, type StorageClassView, type VolumeView } from "../views/storage.ts";

/** Makes folders of nodes into volumes: what the class `local` of every cluster names. */
export const localProvisioner = "steersman.dev/local";
/** On a Node: the folder below which it keeps such volumes. Its agent writes it. */
const folderAnnotation = "steersman.dev/volumes-folder";
const provisionedBy = "pv.kubernetes.io/provisioned-by";
const claims = persistentvolumeclaims as Resource<unknown>;
const volumes = persistentvolumes as Resource<unknown>;
/** A folder can be mounted by every pod of its node, and by no other. */
const possibleModes = new Set(["ReadWriteOnce", "ReadOnlyMany", "ReadWriteOncePod"]);

export function isLocallyProvisioned(volume: VolumeView): boolean {
  return volume.annotations[provisionedBy] === localProvisioner;
}

/** A new volume on the node of the claim's first pod, bound to the claim from the beginning. Pure. */
export function planProvisioning(
  claim: ClaimView,
  storageClass: StorageClassView,
  node: NodeView | undefined,
): Action[] {
  const about = aboutOf(claims, claim);
  const fail = (message: string): Action[] => [
    { verb: "event", about, type: "Warning", eventReason: "ProvisioningFailed", message },
  ];
  const impossible = (claim.spec.accessModes ?? []).filter((mode) => !possibleModes.has(mode));
  if (impossible.length > 0) return fail(`a folder of one node cannot be ${impossible.join(" or ")}`);
  if (claim.spec.volumeMode === "Block") return fail("a folder of a node is not a block device");
  if (claim.spec.selector !== undefined)
    return fail("claim.Spec.Selector is not supported by provisioner steersman.dev/local");
  if (node === undefined) {
    const chosen = claim.annotations[selectedNodeAnnotation];
    return fail(
      chosen === undefined ? "no node is ready to hold the volume" : `node "${chosen}" is not there any more`,
    );
  }
  const folder = node.annotations[folderAnnotation];
  if (folder === undefined) return fail(`node "${node.name}" has not said where it keeps volumes`);
  return [
    {
      verb: "create",
      resource: volumes,
      object: newVolume(claim, storageClass, node, folder),
      existingIsFine: true,
      reason: `claim ${claim.key} of class ${storageClass.name} is first used on node ${node.name} and has no volume`,
      event: {
        about,
        type: "Normal",
        eventReason: "ProvisioningSucceeded",
        message: `Successfully provisioned volume pvc-${claim.uid}`,
      },
    },
  ];
}

function newVolume(
  claim: ClaimView,
  storageClass: StorageClassView,
  node: NodeView,
  folder: string,
): Draft<PersistentVolume> {
  const { namespace, name, uid, resourceVersion } = claim;
  const hostname = node.labels["kubernetes.io/hostname"] ?? node.name;
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: {
      name: `pvc-${uid}`,
      annotations: { [provisionedBy]: localProvisioner, [nodeAnnotation]: node.name },
      finalizers: [folderFinalizer],
    },
    spec: {
      capacity: { storage: claim.spec.resources?.requests?.["storage"] ?? "1Gi" },
      accessModes: claim.spec.accessModes ?? ["ReadWriteOnce"],
      volumeMode: "Filesystem",
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy,
      storageClassName: storageClass.name,
      ...(storageClass.mountOptions.length === 0 ? {} : { mountOptions: [...storageClass.mountOptions] }),
      claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid, resourceVersion },
      hostPath: { path: `${folder}/pvc-${uid}`, type: "DirectoryOrCreate" },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [hostname] }] },
          ],
        },
      },
    },
  };
}
