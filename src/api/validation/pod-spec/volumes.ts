import type { DownwardAPIVolumeFile, KeyToPath, PodSpec, Volume, VolumeProjection } from "../../generated/core-v1.ts";
import type { FieldErrors } from "../field-errors.ts";
import { validateLabelSelector } from "../label-selector.ts";
import { isDns1123Label } from "../names.ts";
import { validateFileMode, validateLocalPath } from "../paths.ts";
import { isNegative } from "../quantities.ts";
import { validateClaimSpec } from "../persistent-volume-claim.ts";
import { validateResourceFieldRef, validateVolumeFieldRef } from "./environment.ts";
import { sourceValidators } from "./volume-sources.ts";

export const tokenLifetimeMinSeconds = 600;
const tokenLifetimeMaxSeconds = 2 ** 32;

type SourceName = Exclude<keyof Volume, "name">;

function validateKeysToPaths(errors: FieldErrors, field: string, items: readonly KeyToPath[] | undefined): void {
  items?.forEach((item, index) => {
    const at = `${field}[${index}]`;
    if (!item.key) errors.required(`${at}.key`);
    if (!item.path) errors.required(`${at}.path`);
    else validateLocalPath(errors, `${at}.path`, item.path);
    validateFileMode(errors, `${at}.mode`, item.mode);
  });
}

function validateDownwardFiles(
  errors: FieldErrors,
  field: string,
  files: readonly DownwardAPIVolumeFile[] | undefined,
): void {
  files?.forEach((file, index) => {
    const at = `${field}[${index}]`;
    if (!file.path) errors.required(`${at}.path`);
    else validateLocalPath(errors, `${at}.path`, file.path);
    if (file.fieldRef !== undefined) {
      validateVolumeFieldRef(errors, `${at}.fieldRef`, file.fieldRef);
      if (file.resourceFieldRef !== undefined)
        errors.invalid(at, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
    } else if (file.resourceFieldRef !== undefined) {
      validateResourceFieldRef(errors, `${at}.resourceFieldRef`, file.resourceFieldRef, true);
    } else {
      errors.required(at, "one of fieldRef and resourceFieldRef is required");
    }
    validateFileMode(errors, `${at}.mode`, file.mode);
  });
}

function validateProjection(errors: FieldErrors, at: string, projection: VolumeProjection): void {
  let count = 0;
  const isFirst = (name: string): boolean => {
    if (++count === 1) return true;
    errors.forbidden(`${at}.${name}`, "may not specify more than 1 volume type per source");
    return false;
  };
  if (projection.secret !== undefined && isFirst("secret")) {
    if (!projection.secret.name) errors.required(`${at}.secret.name`);
    validateKeysToPaths(errors, `${at}.secret.items`, projection.secret.items);
  }
  if (projection.configMap !== undefined && isFirst("configMap")) {
    if (!projection.configMap.name) errors.required(`${at}.configMap.name`);
    validateKeysToPaths(errors, `${at}.configMap.items`, projection.configMap.items);
  }
  if (projection.downwardAPI !== undefined && isFirst("downwardAPI")) {
    validateDownwardFiles(errors, `${at}.downwardAPI`, projection.downwardAPI.items);
  }
  const token = projection.serviceAccountToken;
  if (token !== undefined && isFirst("serviceAccountToken")) {
    const seconds = token.expirationSeconds ?? 3600;
    if (seconds < tokenLifetimeMinSeconds)
      errors.invalid(
        `${at}.serviceAccountToken.expirationSeconds`,
        seconds,
        "may not specify a duration less than 10 minutes",
      );
    if (seconds > tokenLifetimeMaxSeconds)
      errors.invalid(
        `${at}.serviceAccountToken.expirationSeconds`,
        seconds,
        "may not specify a duration larger than 2^32 seconds",
      );
    if (!token.path) errors.required(`${at}.serviceAccountToken.path`);
    else validateLocalPath(errors, `${at}.serviceAccountToken.path`, token.path);
  }
  const bundle = projection.clusterTrustBundle;
  if (bundle !== undefined && isFirst("clusterTrustBundle")) {
    if (bundle.name !== undefined && bundle.signerName !== undefined) {
      errors.invalid(`${at}.clusterTrustBundle`, bundle, "only one of name and signerName may be used");
    } else if (!bundle.name && !bundle.signerName) {
      errors.required(`${at}.clusterTrustBundle`, "either name or signerName must be specified");
    }
    validateLabelSelector(errors, `${at}.clusterTrustBundle.labelSelector`, bundle.labelSelector);
    if (!bundle.path) errors.required(`${at}.clusterTrustBundle.path`);
    else validateLocalPath(errors, `${at}.clusterTrustBundle.path`, bundle.path);
  }
  if (projection.podCertificate !== undefined && isFirst("podCertificate")) {
    if (!projection.podCertificate.signerName) errors.required(`${at}.podCertificate.signerName`);
    if (!projection.podCertificate.keyType) errors.required(`${at}.podCertificate.keyType`);
  }
  if (count === 0) errors.required(at, "must specify exactly one projection source");
}

function eachPath(projection: VolumeProjection, found: (path: string) => void): void {
  const { secret, configMap, downwardAPI, serviceAccountToken, clusterTrustBundle } = projection;
  const ofItem = ({ path }: KeyToPath | DownwardAPIVolumeFile): void => found(path);
  secret?.items?.forEach(ofItem);
  configMap?.items?.forEach(ofItem);
  downwardAPI?.items?.forEach(ofItem);
  if (serviceAccountToken !== undefined) found(serviceAccountToken.path);
  if (clusterTrustBundle !== undefined) found(clusterTrustBundle.path);
}

function validateProjected(errors: FieldErrors, field: string, projected: NonNullable<Volume["projected"]>): void {
  validateFileMode(errors, `${field}.defaultMode`, projected.defaultMode);
  const seen = new Set<string>();
  projected.sources?.forEach((projection, index) => {
    const at = `${field}.sources[${index}]`;
    validateProjection(errors, at, projection);
    eachPath(projection, (path) => {
      if (path !== "" && seen.has(path)) errors.invalid(`${at}.path`, path, "conflicting duplicate paths");
      seen.add(path);
    });
  });
}

type VolumeCheck<K extends SourceName> = (
  errors: FieldErrors,
  field: string,
  source: NonNullable<Volume[K]>,
  name: string,
) => void;

const checks: { [K in SourceName]?: VolumeCheck<K> } = {
  ...sourceValidators,
  emptyDir(errors, field, source) {
    const limit = source.sizeLimit;
    if (limit !== undefined && isNegative(limit))
      errors.forbidden(`${field}.sizeLimit`, "SizeLimit field must be a valid resource quantity");
  },
  secret(errors, field, source) {
    if (!source.secretName) errors.required(`${field}.secretName`);
    validateFileMode(errors, `${field}.defaultMode`, source.defaultMode);
    validateKeysToPaths(errors, `${field}.items`, source.items);
  },
  configMap(errors, field, source) {
    if (!source.name) errors.required(`${field}.name`);
    validateFileMode(errors, `${field}.defaultMode`, source.defaultMode);
    validateKeysToPaths(errors, `${field}.items`, source.items);
  },
  downwardAPI(errors, field, source) {
    validateFileMode(errors, `${field}.defaultMode`, source.defaultMode);
    validateDownwardFiles(errors, field, source.items);
  },
  projected: validateProjected,
  gitRepo(errors, field) {
    // The in-tree driver ran git on the node with what the pod's author wrote (CVE-2024-10220, CVE-2025-1767).
    errors.forbidden(field, "gitRepo volumes are not supported");
  },
  persistentVolumeClaim(errors, field, source) {
    if (!source.claimName) errors.required(`${field}.claimName`);
  },
  ephemeral(errors, field, source) {
    if (source.volumeClaimTemplate === undefined) errors.required(`${field}.volumeClaimTemplate`);
    else validateClaimSpec(errors, `${field}.volumeClaimTemplate.spec`, source.volumeClaimTemplate.spec);
  },
};

function validateSource(errors: FieldErrors, at: string, volume: Volume): void {
  let count = 0;
  for (const member in volume) {
    const name = member as keyof Volume;
    const source = volume[name];
    if (name === "name" || source === undefined || source === null) continue;
    if (++count > 1) {
      errors.forbidden(`${at}.${name}`, "may not specify more than 1 volume type");
      continue;
    }
    const check = checks[name] as VolumeCheck<SourceName> | undefined;
    check?.(errors, `${at}.${name}`, source as NonNullable<Volume[SourceName]>, volume.name);
  }
  if (count === 0) errors.required(at, "must specify a volume type");
}

/** Checks the volumes and answers those with a usable name, for the mounts to be checked against. */
export function validateVolumes(errors: FieldErrors, field: string, volumes: PodSpec["volumes"]): Map<string, Volume> {
  const byName = new Map<string, Volume>();
  volumes?.forEach((volume, index) => {
    const at = `${field}[${index}]`;
    validateSource(errors, at, volume);
    const name = volume.name ?? "";
    if (name === "") errors.required(`${at}.name`);
    else {
      const problems = isDns1123Label(name);
      errors.invalidEach(`${at}.name`, name, problems);
      if (byName.has(name)) errors.duplicate(`${at}.name`, name);
    }
    byName.set(name, volume);
  });
  return byName;
}
