import type { PersistentVolumeClaimSpec, Volume } from "../generated/core-v1.ts";

/** rw-r--r--, in the decimal form that the API carries. */
const fileMode = 0o644;

/** A volume without a source is an emptyDir; modes, types and token lifetimes get their usual values. */
export function defaultVolume(volume: Volume): void {
  if (!hasSource(volume)) volume.emptyDir = {};
  if (volume.secret !== undefined) volume.secret.defaultMode ??= fileMode;
  if (volume.configMap !== undefined) volume.configMap.defaultMode ??= fileMode;
  if (volume.hostPath !== undefined) volume.hostPath.type ??= "";
  if (volume.downwardAPI !== undefined) {
    volume.downwardAPI.defaultMode ??= fileMode;
    volume.downwardAPI.items?.forEach(defaultDownwardFile);
  }
  if (volume.projected !== undefined) defaultProjected(volume.projected);
  if (volume.iscsi !== undefined && !volume.iscsi.iscsiInterface) volume.iscsi.iscsiInterface = "default";
  if (volume.azureDisk !== undefined) defaultAzureDisk(volume.azureDisk);
  if (volume.ephemeral?.volumeClaimTemplate !== undefined) {
    volume.ephemeral.volumeClaimTemplate.metadata ??= {};
    defaultClaimSpec(volume.ephemeral.volumeClaimTemplate.spec);
  }
  if (volume.image !== undefined && !volume.image.pullPolicy) {
    const reference = volume.image.reference ?? "";
    const latest = !/:[^/]*$/.test(reference.split("@")[0] ?? "")
      ? !reference.includes("@")
      : reference.endsWith(":latest");
    volume.image.pullPolicy = latest ? "Always" : "IfNotPresent";
  }
}

/** All that a volume says besides its name is where it comes from. */
function hasSource(volume: Volume): boolean {
  for (const member in volume) if (member !== "name" && volume[member as keyof Volume] !== undefined) return true;
  return false;
}

function defaultDownwardFile(file: {
  fieldRef?: { apiVersion?: string };
  resourceFieldRef?: { divisor?: string };
}): void {
  if (file.fieldRef !== undefined && !file.fieldRef.apiVersion) file.fieldRef.apiVersion = "v1";
  if (file.resourceFieldRef !== undefined) file.resourceFieldRef.divisor ??= "0";
}

function defaultProjected(projected: NonNullable<Volume["projected"]>): void {
  projected.defaultMode ??= fileMode;
  for (const source of projected.sources ?? []) {
    source.downwardAPI?.items?.forEach(defaultDownwardFile);
    if (source.serviceAccountToken !== undefined) source.serviceAccountToken.expirationSeconds ??= 3600;
    if (source.podCertificate !== undefined) source.podCertificate.maxExpirationSeconds ??= 86400;
  }
}

function defaultAzureDisk(disk: NonNullable<Volume["azureDisk"]>): void {
  if (!disk.cachingMode || disk.cachingMode.startsWith("ref(")) disk.cachingMode = "ReadWrite";
  if (!disk.kind || disk.kind.startsWith("ref(")) disk.kind = "Shared";
  disk.fsType ??= "ext4";
  disk.readOnly ??= false;
}

/** What the spec of every claim gets, in a PersistentVolumeClaim or a template for one. */
export function defaultClaimSpec(spec: PersistentVolumeClaimSpec): void {
  spec.resources ??= {};
  spec.volumeMode ??= "Filesystem";
}
