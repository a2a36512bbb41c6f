import type { StatefulSet } from "../../generated/apps-v1.ts";
import type { RuleContext } from "../../kind.ts";
import { selectorOfObject } from "../../selectors.ts";
import type { FieldErrors } from "../field-errors.ts";
import { semanticallyEqual } from "../immutable.ts";
import { intOrPercentValue, validateNotMoreThan100Percent, validatePositiveIntOrPercent } from "../int-or-percent.ts";
import { isDns1123Subdomain } from "../names.ts";
import { validatePodTemplate } from "../pod.ts";
import { validateReplicaStatus, validateRequiredSelector } from "./replica-set.ts";

const updateMessage =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', " +
  "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

const mutable = [
  "replicas",
  "template",
  "updateStrategy",
  "minReadySeconds",
  "ordinals",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
] as const;

function validateStrategy(errors: FieldErrors, set: StatefulSet): void {
  const strategy = set.spec.updateStrategy ?? {};
  const field = "spec.updateStrategy";
  switch (strategy.type ?? "") {
    case "":
      errors.required(field);
      break;
    case "OnDelete":
      if (strategy.rollingUpdate !== undefined) {
        errors.invalid(
          `${field}.rollingUpdate`,
          strategy.rollingUpdate,
          `only allowed for updateStrategy 'RollingUpdate'`,
        );
      }
      break;
    case "RollingUpdate": {
      const { partition, maxUnavailable } = strategy.rollingUpdate ?? {};
      errors.nonNegative(`${field}.rollingUpdate.partition`, partition);
      if (maxUnavailable === undefined) break;
      validatePositiveIntOrPercent(errors, `${field}.rollingUpdate.maxUnavailable`, maxUnavailable);
      if (intOrPercentValue(maxUnavailable) === 0)
        errors.invalid(`${field}.rollingUpdate.maxUnavailable`, maxUnavailable, "cannot be 0");
      validateNotMoreThan100Percent(errors, `${field}.rollingUpdate.maxUnavailable`, maxUnavailable);
      break;
    }
    default:
      errors.invalid(field, strategy, "must be 'RollingUpdate' or 'OnDelete'");
  }
}

export function validateStatefulSet(errors: FieldErrors, set: StatefulSet): void {
  const { spec } = set;
  if (!spec.podManagementPolicy) errors.required("spec.podManagementPolicy");
  else if (spec.podManagementPolicy !== "OrderedReady" && spec.podManagementPolicy !== "Parallel") {
    errors.invalid("spec.podManagementPolicy", spec.podManagementPolicy, "must be 'OrderedReady' or 'Parallel'");
  }
  validateStrategy(errors, set);
  const retention = spec.persistentVolumeClaimRetentionPolicy;
  for (const name of ["whenDeleted", "whenScaled"] as const) {
    const policy = retention?.[name];
    if (policy !== undefined && policy !== "Retain" && policy !== "Delete") {
      errors.notSupported(`spec.persistentVolumeClaimRetentionPolicy.${name}`, policy, ["Delete", "Retain"]);
    }
  }
  errors.nonNegative("spec.replicas", spec.replicas);
  errors.nonNegative("spec.minReadySeconds", spec.minReadySeconds);
  errors.nonNegative("spec.ordinals.start", spec.ordinals?.start);
  errors.nonNegative("spec.revisionHistoryLimit", spec.revisionHistoryLimit);
  if (spec.serviceName) errors.invalidEach("spec.serviceName", spec.serviceName, isDns1123Subdomain(spec.serviceName));
  validateRequiredSelector(errors, "spec.selector", spec.selector, "statefulset");
  if (spec.selector !== undefined && !selectorOfObject(spec.selector).matches(spec.template.metadata?.labels ?? {})) {
    errors.invalid(
      "spec.template.metadata.labels",
      spec.template.metadata?.labels ?? {},
      "`selector` does not match template `labels`",
    );
  }
  validatePodTemplate(errors, "spec.template", withClaimVolumes(set));
  if (spec.template.spec.restartPolicy !== "Always") {
    errors.notSupported("spec.template.spec.restartPolicy", spec.template.spec.restartPolicy ?? "", ["Always"]);
  }
  if (spec.template.spec.activeDeadlineSeconds !== undefined) {
    errors.forbidden(
      "spec.template.spec.activeDeadlineSeconds",
      "activeDeadlineSeconds in StatefulSet is not Supported",
    );
  }
}

/** Containers may mount the claims that each pod gets, which no volume of the template names. */
function withClaimVolumes(set: StatefulSet): StatefulSet["spec"]["template"] {
  const { template, volumeClaimTemplates } = set.spec;
  if (volumeClaimTemplates === undefined || volumeClaimTemplates.length === 0) return template;
  const own = new Set((template.spec.volumes ?? []).map((volume) => volume.name));
  const claims = volumeClaimTemplates
    .map((claim) => claim.metadata?.name ?? "")
    .filter((name) => name !== "" && !own.has(name))
    .map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
  return { ...template, spec: { ...template.spec, volumes: [...(template.spec.volumes ?? []), ...claims] } };
}

export function validateStatefulSetUpdate(
  errors: FieldErrors,
  set: StatefulSet,
  old: StatefulSet,
  context: RuleContext,
): void {
  if (context.subresource === "status") {
    validateReplicaStatus(errors, set.status);
    errors.nonNegative("status.currentReplicas", set.status.currentReplicas);
    errors.nonNegative("status.updatedReplicas", set.status.updatedReplicas);
    return;
  }
  const copy: Record<string, unknown> = { ...set.spec };
  const before: Record<string, unknown> = { ...old.spec };
  for (const name of mutable) {
    delete copy[name];
    delete before[name];
  }
  if (!semanticallyEqual(copy, before)) errors.forbidden("spec", updateMessage);
}
