import type {
  AppArmorProfile,
  PodSecurityContext,
  SeccompProfile,
  SecurityContext,
  Sysctl,
} from "../../generated/core-v1.ts";
import type { FieldErrors } from "../field-errors.ts";
import { utf8Length } from "../names.ts";

const idMax = 2 ** 31 - 1;
const idMessage = `must be between 0 and ${idMax}, inclusive`;
const seccompTypes = ["Localhost", "RuntimeDefault", "Unconfined"];
const sysctlNameLengthMax = 253;
const localhostProfileLengthMax = 4095;
const sysctlName = /^[a-z0-9]([-_a-z0-9]*[a-z0-9])?([./][a-z0-9]([-_a-z0-9]*[a-z0-9])?)*$/;
const groupSysctls = {
  ipc: [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
  ],
  net: "net.",
};

function validateId(errors: FieldErrors, field: string, id: number | undefined): void {
  if (id !== undefined && (id < 0 || id > idMax)) errors.invalid(field, id, idMessage);
}

function validateSeccomp(errors: FieldErrors, field: string, profile: SeccompProfile | undefined): void {
  if (profile === undefined) return;
  validateProfile(errors, field, profile);
  if (!profile.type) errors.required(`${field}.type`, "type is required when seccompProfile is set");
  else if (!seccompTypes.includes(profile.type)) errors.notSupported(`${field}.type`, profile.type, seccompTypes);
}

function validateProfile(errors: FieldErrors, field: string, profile: SeccompProfile | AppArmorProfile): void {
  const path = profile.localhostProfile;
  if (profile.type === "Localhost") {
    if (path === undefined || path === "") {
      errors.required(`${field}.localhostProfile`, "must be set when type is Localhost");
    } else {
      validateRelativePath(errors, `${field}.localhostProfile`, path);
    }
  } else if (path !== undefined) {
    errors.invalid(`${field}.localhostProfile`, path, "can only be set when type is Localhost");
  }
}

function validateRelativePath(errors: FieldErrors, field: string, path: string): void {
  if (path.startsWith("/")) errors.invalid(field, path, "must be a relative path");
  if (path.split("/").includes("..")) errors.invalid(field, path, "must not contain '..'");
}

function validateAppArmor(errors: FieldErrors, field: string, profile: AppArmorProfile | undefined): void {
  if (profile === undefined) return;
  validateProfile(errors, field, profile);
  if (!profile.type) errors.required(`${field}.type`, "type is required when appArmorProfile is set");
  else if (!seccompTypes.includes(profile.type)) errors.notSupported(`${field}.type`, profile.type, seccompTypes);
  if (utf8Length(profile.localhostProfile ?? "") > localhostProfileLengthMax) {
    errors.tooLong(`${field}.localhostProfile`, localhostProfileLengthMax);
  }
}

function validateSysctls(
  errors: FieldErrors,
  field: string,
  sysctls: readonly Sysctl[] | undefined,
  pod: { readonly hostNetwork: boolean; readonly hostIPC: boolean },
): void {
  const seen = new Set<string>();
  sysctls?.forEach((sysctl, index) => {
    const at = `${field}[${index}].name`;
    if (!sysctl.name) errors.required(at);
    else if (utf8Length(sysctl.name) > sysctlNameLengthMax || !sysctlName.test(sysctl.name)) {
      errors.invalid(
        at,
        sysctl.name,
        `must have at most ${sysctlNameLengthMax} characters and match regex ${sysctlName.source}`,
      );
    } else if (seen.has(sysctl.name)) errors.duplicate(at, sysctl.name);
    seen.add(sysctl.name);
    const name = sysctl.name?.replaceAll("/", ".") ?? "";
    if (pod.hostNetwork && name.startsWith(groupSysctls.net))
      errors.invalid(at, sysctl.name, "may not be specified when 'hostNetwork' is true");
    if (pod.hostIPC && (groupSysctls.ipc.includes(name) || name.startsWith("fs.mqueue."))) {
      errors.invalid(at, sysctl.name, "may not be specified when 'hostIPC' is true");
    }
  });
}

export function validatePodSecurity(
  errors: FieldErrors,
  field: string,
  security: PodSecurityContext | undefined,
  pod: { readonly hostNetwork: boolean; readonly hostIPC: boolean },
): void {
  if (security === undefined) return;
  validateId(errors, `${field}.fsGroup`, security.fsGroup);
  validateId(errors, `${field}.runAsUser`, security.runAsUser);
  validateId(errors, `${field}.runAsGroup`, security.runAsGroup);
  security.supplementalGroups?.forEach((id, index) => validateId(errors, `${field}.supplementalGroups[${index}]`, id));
  validateSysctls(errors, `${field}.sysctls`, security.sysctls, pod);
  const policy = security.fsGroupChangePolicy;
  if (policy !== undefined && policy !== "OnRootMismatch" && policy !== "Always") {
    errors.notSupported(`${field}.fsGroupChangePolicy`, policy, ["Always", "OnRootMismatch"]);
  }
  const groups = security.supplementalGroupsPolicy;
  if (groups !== undefined && groups !== "Merge" && groups !== "Strict") {
    errors.notSupported(`${field}.supplementalGroupsPolicy`, groups, ["Merge", "Strict"]);
  }
  validateSeccomp(errors, `${field}.seccompProfile`, security.seccompProfile);
  validateAppArmor(errors, `${field}.appArmorProfile`, security.appArmorProfile);
}

export function validateContainerSecurity(
  errors: FieldErrors,
  field: string,
  security: SecurityContext | undefined,
  hostUsers: boolean | undefined,
): void {
  if (security === undefined) return;
  validateId(errors, `${field}.runAsUser`, security.runAsUser);
  validateId(errors, `${field}.runAsGroup`, security.runAsGroup);
  const procMount = security.procMount;
  if (procMount !== undefined) {
    if (procMount !== "Default" && procMount !== "Unmasked") {
      errors.notSupported(`${field}.procMount`, procMount, ["Default", "Unmasked"]);
    } else if (procMount === "Unmasked" && hostUsers !== false) {
      errors.invalid(`${field}.procMount`, procMount, "`hostUsers` must be false to use `Unmasked`");
    }
  }
  validateSeccomp(errors, `${field}.seccompProfile`, security.seccompProfile);
  validateAppArmor(errors, `${field}.appArmorProfile`, security.appArmorProfile);
  if (security.allowPrivilegeEscalation === false) {
    if (security.privileged === true) {
      errors.invalid(field, security, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
    }
    if (security.capabilities?.add?.some((capability) => capability === "CAP_SYS_ADMIN")) {
      errors.invalid(
        field,
        security,
        "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
      );
    }
  }
}
