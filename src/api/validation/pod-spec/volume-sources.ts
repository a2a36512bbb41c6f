import type { Volume } from "../../generated/core-v1.ts";
import type { FieldErrors } from "../field-errors.ts";
import { isDns1123Subdomain } from "../names.ts";
import { validateLocalPath, validateNoBacksteps } from "../paths.ts";

type Check<K extends keyof Volume> = (errors: FieldErrors, field: string, source: NonNullable<Volume[K]>) => void;

const hostPathTypes = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
];
const driverNameLengthMax = 63;

/** A source that needs these fields, and has no other rule. */
function requires<T extends object>(
  ...names: (keyof T & string)[]
): (errors: FieldErrors, field: string, source: T) => void {
  return (errors, field, source) => {
    for (const name of names) {
      const value = source[name];
      if (value === undefined || value === "" || (Array.isArray(value) && value.length === 0))
        errors.required(`${field}.${name}`);
    }
  };
}

export function validateCsiDriverName(errors: FieldErrors, field: string, name: string | undefined): void {
  if (!name) {
    errors.required(field);
    return;
  }
  if (name.length > driverNameLengthMax) errors.tooLong(field, driverNameLengthMax);
  errors.invalidEach(field, name, isDns1123Subdomain(name.toLowerCase()));
}

function validateHostPath(errors: FieldErrors, field: string, source: NonNullable<Volume["hostPath"]>): void {
  if (!source.path) {
    errors.required(`${field}.path`);
    return;
  }
  validateNoBacksteps(errors, `${field}.path`, source.path);
  if (source.type !== undefined && !hostPathTypes.includes(source.type)) {
    errors.notSupported(`${field}.type`, source.type, hostPathTypes.slice(1));
  }
}

function validateNfs(errors: FieldErrors, field: string, source: NonNullable<Volume["nfs"]>): void {
  if (!source.server) errors.required(`${field}.server`);
  if (!source.path) errors.required(`${field}.path`);
  else if (!source.path.startsWith("/")) errors.invalid(`${field}.path`, source.path, "must be an absolute path");
}

function validateIscsi(
  errors: FieldErrors,
  field: string,
  source: {
    targetPortal: string;
    iqn: string;
    lun: number;
    chapAuthDiscovery?: boolean;
    chapAuthSession?: boolean;
    secretRef?: object;
  },
): void {
  if (!source.targetPortal) errors.required(`${field}.targetPortal`);
  if (!source.iqn) errors.required(`${field}.iqn`);
  else if (!/^(iqn\.\d{4}-\d{2}\.[^:]+(:.*)?|eui\.[0-9A-Fa-f]{16}|naa\.[0-9A-Fa-f]{16,32})$/.test(source.iqn)) {
    errors.invalid(`${field}.iqn`, source.iqn, "must be valid format");
  }
  if (source.lun < 0 || source.lun > 255)
    errors.invalid(`${field}.lun`, source.lun, "must be between 0 and 255, inclusive");
  if ((source.chapAuthDiscovery === true || source.chapAuthSession === true) && source.secretRef === undefined) {
    errors.required(`${field}.secretRef`);
  }
}

function validateFc(errors: FieldErrors, field: string, source: NonNullable<Volume["fc"]>): void {
  const targets = source.targetWWNs?.length ?? 0;
  const wwids = source.wwids?.length ?? 0;
  if (targets === 0 && wwids === 0) {
    errors.required(`${field}.targetWWNs`, "must specify either targetWWNs or wwids, but not both");
  } else if (targets > 0 && wwids > 0) {
    errors.invalid(
      `${field}.targetWWNs`,
      source.targetWWNs,
      "targetWWNs and wwids can not be specified simultaneously",
    );
  }
  if (targets > 0 && source.lun === undefined)
    errors.required(`${field}.lun`, "lun is required if targetWWNs is specified");
  else if (targets > 0 && (source.lun ?? 0) > 255)
    errors.invalid(`${field}.lun`, source.lun, "must be between 0 and 255, inclusive");
}

export const sourceValidators: { [K in keyof Volume]?: Check<K> } = {
  hostPath: validateHostPath,
  nfs: validateNfs,
  iscsi: validateIscsi,
  fc: validateFc,
  gcePersistentDisk: requires("pdName"),
  awsElasticBlockStore: requires("volumeID"),
  glusterfs: requires("endpoints", "path"),
  rbd: requires("monitors", "image"),
  cinder: requires("volumeID"),
  cephfs: requires("monitors"),
  azureFile: requires("secretName", "shareName"),
  azureDisk: requires("diskName", "diskURI"),
  vsphereVolume: requires("volumePath"),
  quobyte: requires("registry", "volume"),
  photonPersistentDisk: requires("pdID"),
  portworxVolume: requires("volumeID"),
  scaleIO: requires("gateway", "system", "volumeName"),
  flexVolume: requires("driver"),
  flocker(errors, field, source) {
    if (!source.datasetName && !source.datasetUUID)
      errors.required(field, "one of datasetName and datasetUUID is required");
    if (source.datasetName && source.datasetUUID) {
      errors.invalid(field, "resource", "datasetName and datasetUUID can not be specified simultaneously");
    }
  },
  csi(errors, field, source) {
    validateCsiDriverName(errors, `${field}.driver`, source.driver);
    if (source.nodePublishSecretRef !== undefined && !source.nodePublishSecretRef.name) {
      errors.required(`${field}.nodePublishSecretRef.name`);
    }
  },
  image(errors, field, source) {
    if (!source.reference) errors.required(`${field}.reference`);
    const policies = ["Always", "IfNotPresent", "Never"];
    if (source.pullPolicy && !policies.includes(source.pullPolicy)) {
      errors.notSupported(`${field}.pullPolicy`, source.pullPolicy, policies);
    }
  },
  storageos(errors, field, source) {
    if (source.volumeName !== undefined && source.volumeName !== "")
      validateLocalPath(errors, `${field}.volumeName`, source.volumeName);
  },
};
