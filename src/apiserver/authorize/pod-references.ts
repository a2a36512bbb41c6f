import type { Container, EphemeralContainer, Pod, Volume } from "#api/generated/core-v1.ts";

/** What a pod names besides itself, wherever in the pod it stands. */
export interface PodReferences {
  readonly secrets: Set<string>;
  readonly configMaps: Set<string>;
  readonly claims: Set<string>;
  readonly resourceClaims: Set<string>;
  readonly tokenAudiences: Set<string>;
  /** Projected service account tokens, whatever their audience. */
  hasServiceAccountToken: boolean;
  readonly csiDrivers: Set<string>;
}

/** Every container of a pod: also init and ephemeral ones, which policies must not forget (CVE-2023-2727, CVE-2024-3177). */
function allContainers(pod: Pod): (Container | EphemeralContainer)[] {
  const { containers, initContainers, ephemeralContainers } = pod.spec;
  return [...(initContainers ?? []), ...(containers ?? []), ...(ephemeralContainers ?? [])];
}

export function referencesOf(pod: Pod): PodReferences {
  const out: PodReferences = {
    secrets: new Set(),
    configMaps: new Set(),
    claims: new Set(),
    resourceClaims: new Set(),
    tokenAudiences: new Set(),
    hasServiceAccountToken: false,
    csiDrivers: new Set(),
  };
  for (const secret of pod.spec.imagePullSecrets ?? []) add(out.secrets, secret.name);
  for (const container of allContainers(pod)) addContainer(out, container);
  for (const volume of pod.spec.volumes ?? []) addVolume(out, volume, pod.metadata.name ?? "");
  for (const claim of pod.spec.resourceClaims ?? [])
    add(out.resourceClaims, claim.resourceClaimName ?? claim.resourceClaimTemplateName);
  for (const claim of pod.status?.resourceClaimStatuses ?? []) add(out.resourceClaims, claim.resourceClaimName);
  add(out.resourceClaims, pod.status?.extendedResourceClaimStatus?.resourceClaimName);
  return out;
}

function add(set: Set<string>, name: string | undefined): void {
  if (name !== undefined && name !== "") set.add(name);
}

function addContainer(out: PodReferences, container: Container | EphemeralContainer): void {
  for (const variable of container.env ?? []) {
    add(out.secrets, variable.valueFrom?.secretKeyRef?.name);
    add(out.configMaps, variable.valueFrom?.configMapKeyRef?.name);
  }
  for (const source of container.envFrom ?? []) {
    add(out.secrets, source.secretRef?.name);
    add(out.configMaps, source.configMapRef?.name);
  }
}

function addVolume(out: PodReferences, volume: Volume, podName: string): void {
  add(out.secrets, volume.secret?.secretName);
  add(out.configMaps, volume.configMap?.name);
  add(out.claims, volume.persistentVolumeClaim?.claimName);
  // The claim of a generic ephemeral volume is named after pod and volume.
  if (volume.ephemeral !== undefined) add(out.claims, `${podName}-${volume.name}`);
  add(out.secrets, volume.azureFile?.secretName);
  const withSecret = [volume.cephfs, volume.flexVolume, volume.iscsi, volume.rbd, volume.scaleIO, volume.storageos];
  for (const source of withSecret) add(out.secrets, source?.secretRef?.name);
  add(out.secrets, volume.cinder?.secretRef?.name);
  add(out.secrets, volume.csi?.nodePublishSecretRef?.name);
  add(out.csiDrivers, volume.csi?.driver);
  for (const source of volume.projected?.sources ?? []) {
    add(out.secrets, source.secret?.name);
    add(out.configMaps, source.configMap?.name);
    if (source.serviceAccountToken !== undefined) {
      out.hasServiceAccountToken = true;
      out.tokenAudiences.add(source.serviceAccountToken.audience ?? "");
    }
  }
}
