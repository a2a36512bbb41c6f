import type { Pod, PodSpec, PodTemplateSpec } from "../generated/core-v1.ts";
import type { FieldErrors } from "./field-errors.ts";
import { isQualifiedName, validateAnnotations, validateLabels } from "./labels.ts";
import { isDns1123Label, isDns1123Subdomain } from "./names.ts";
import { validateContainers } from "./pod-spec/containers.ts";
import { validateNaming } from "./pod-spec/naming.ts";
import { validatePodLevelResources } from "./pod-spec/resources.ts";
import { validateAffinity, validateTolerations, validateTopologySpread } from "./pod-spec/scheduling.ts";
import { validatePodSecurity } from "./pod-spec/security.ts";
import { validateVolumes } from "./pod-spec/volumes.ts";
import { validateContainerResourceName, validateResourceQuantity } from "./quantities.ts";

const restartPolicies = ["Always", "Never", "OnFailure"];
const preemptionPolicies = ["Never", "PreemptLowerPriority"];
const deadlineMax = 2 ** 31 - 1;

export function validatePod(errors: FieldErrors, pod: Pod): void {
  validatePodSpec(errors, "spec", pod.spec);
}

/** What holds only at a pod's creation. */
export function validateNewPod(errors: FieldErrors, pod: Pod): void {
  if ((pod.spec.ephemeralContainers ?? []).length > 0)
    errors.forbidden("spec.ephemeralContainers", "cannot be set on create");
  if ((pod.spec.schedulingGates ?? []).length > 0 && pod.spec.nodeName) {
    errors.forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared");
  }
}

/** The template of a controller: labels, annotations and the spec. */
export function validatePodTemplate(errors: FieldErrors, field: string, template: PodTemplateSpec): void {
  validateLabels(errors, `${field}.labels`, template.metadata?.labels);
  validateAnnotations(errors, `${field}.annotations`, template.metadata?.annotations);
  validatePodSpec(errors, `${field}.spec`, template.spec);
  if ((template.spec.ephemeralContainers ?? []).length > 0) {
    errors.forbidden(`${field}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template");
  }
}

function validatePodSpec(errors: FieldErrors, field: string, spec: PodSpec): void {
  const graceSeconds = spec.terminationGracePeriodSeconds ?? 30;
  errors.nonNegative(`${field}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds);
  const volumes = validateVolumes(errors, `${field}.volumes`, spec.volumes);
  const claims = validateResourceClaims(errors, `${field}.resourceClaims`, spec);
  validateContainers(errors, field, { volumes, claims, spec, graceSeconds });
  validatePodLevelResources(errors, `${field}.resources`, spec.resources);
  if (!spec.restartPolicy) errors.required(`${field}.restartPolicy`);
  else if (!restartPolicies.includes(spec.restartPolicy)) {
    errors.notSupported(`${field}.restartPolicy`, spec.restartPolicy, restartPolicies);
  }
  validateNaming(errors, field, spec);
  validateLabels(errors, `${field}.nodeSelector`, spec.nodeSelector);
  validatePodSecurity(errors, `${field}.securityContext`, spec.securityContext, {
    hostNetwork: spec.hostNetwork === true,
    hostIPC: spec.hostIPC === true,
  });
  if (spec.shareProcessNamespace === true && spec.hostPID === true) {
    errors.invalid(`${field}.shareProcessNamespace`, true, "ShareProcessNamespace and HostPID cannot both be enabled");
  }
  validateHostUsers(errors, field, spec);
  spec.imagePullSecrets?.forEach((secret, index) => {
    if (!secret.name) errors.required(`${field}.imagePullSecrets[${index}].name`);
  });
  validateAffinity(errors, `${field}.affinity`, spec.affinity);
  validateTopologySpread(errors, `${field}.topologySpreadConstraints`, spec.topologySpreadConstraints);
  validateTolerations(errors, `${field}.tolerations`, spec.tolerations);
  validateReferences(errors, field, spec);
  if (spec.activeDeadlineSeconds !== undefined) {
    errors.inRange(`${field}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, 1, deadlineMax);
  }
}

function validateHostUsers(errors: FieldErrors, field: string, spec: PodSpec): void {
  if (spec.hostUsers !== false) return;
  for (const name of ["hostNetwork", "hostPID", "hostIPC"] as const) {
    if (spec[name] === true) errors.forbidden(`${field}.${name}`, "when `hostUsers` is false");
  }
}

function validateReferences(errors: FieldErrors, field: string, spec: PodSpec): void {
  for (const name of ["serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"] as const) {
    if (spec[name]) errors.invalidEach(`${field}.${name}`, spec[name], isDns1123Subdomain(spec[name]));
  }
  spec.readinessGates?.forEach((gate, index) =>
    errors.invalidEach(
      `${field}.readinessGates[${index}].conditionType`,
      gate.conditionType,
      isQualifiedName(gate.conditionType),
    ),
  );
  const gates = new Set<string>();
  spec.schedulingGates?.forEach((gate, index) => {
    const at = `${field}.schedulingGates[${index}]`;
    errors.invalidEach(at, gate.name, isQualifiedName(gate.name ?? ""));
    if (gates.has(gate.name)) errors.duplicate(at, gate.name);
    gates.add(gate.name);
  });
  if (spec.preemptionPolicy !== undefined && !preemptionPolicies.includes(spec.preemptionPolicy)) {
    errors.notSupported(`${field}.preemptionPolicy`, spec.preemptionPolicy, preemptionPolicies);
  }
  for (const name in spec.overhead) {
    validateContainerResourceName(errors, `${field}.overhead`, name);
    validateResourceQuantity(errors, `${field}.overhead[${name}]`, name, spec.overhead[name] ?? "0");
  }
  const os = spec.os?.name;
  if (spec.os !== undefined) {
    if (!os) errors.required(`${field}.os.name`);
    else if (os !== "linux" && os !== "windows") errors.notSupported(`${field}.os`, os, ["linux", "windows"]);
  }
}

function validateResourceClaims(errors: FieldErrors, field: string, spec: PodSpec): Set<string> {
  const names = new Set<string>();
  spec.resourceClaims?.forEach((claim, index) => {
    const at = `${field}[${index}]`;
    if (!claim.name) errors.required(`${at}.name`);
    else errors.invalidEach(`${at}.name`, claim.name, isDns1123Label(claim.name));
    if (names.has(claim.name)) errors.duplicate(`${at}.name`, claim.name);
    names.add(claim.name);
    if (claim.resourceClaimName !== undefined && claim.resourceClaimTemplateName !== undefined) {
      errors.invalid(at, claim, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified");
    } else if (claim.resourceClaimName === undefined && claim.resourceClaimTemplateName === undefined) {
      errors.invalid(at, claim, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`");
    }
    for (const name of ["resourceClaimName", "resourceClaimTemplateName"] as const) {
      if (claim[name] !== undefined) errors.invalidEach(`${at}.${name}`, claim[name], isDns1123Subdomain(claim[name]));
    }
  });
  return names;
}
