import { persistentvolumeclaims, persistentvolumes } from "#api/generated/resources.ts";
import type { Client } from "#client/client.ts";
import { VolumeError } from "./payload.ts";

/** Where a claim's volume lies on this node: `local` and `hostPath` volumes only. Rejects with `VolumeError`. */
export async function claimPath(
  client: Client,
  namespace: string,
  claimName: string,
): Promise<{ readonly path: string; readonly create: boolean }> {
  const claim = await client.find(persistentvolumeclaims, { namespace, name: claimName });
  if (claim === undefined) throw new VolumeError(`persistentvolumeclaim "${claimName}" not found`);
  const volumeName = claim.spec.volumeName ?? "";
  if (claim.status.phase !== "Bound" || volumeName === "")
    throw new VolumeError(`persistentvolumeclaim "${claimName}" is not bound`);
  const volume = await client.find(persistentvolumes, { name: volumeName });
  if (volume === undefined) throw new VolumeError(`persistentvolume "${volumeName}" not found`);
  if (volume.spec.claimRef?.uid !== claim.metadata.uid)
    throw new VolumeError(`persistentvolume "${volumeName}" is bound to another claim`);
  if (volume.spec.local !== undefined) return { path: volume.spec.local.path, create: false };
  const hostPath = volume.spec.hostPath;
  if (hostPath !== undefined) return { path: hostPath.path, create: hostPath.type === "DirectoryOrCreate" };
  throw new VolumeError(`persistentvolume "${volumeName}" is neither local nor hostPath`);
}
