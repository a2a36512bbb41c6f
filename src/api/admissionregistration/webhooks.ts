import { ageColumn, column, nameColumn } from "../columns.ts";
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from "../generated/admissionregistration-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { Cell } from "../kind.ts";
import {
  defaultRule,
  validateClientConfig,
  validateFailurePolicy,
  validateMatchConditions,
  validateMatchPolicy,
  validateReviewVersions,
  validateRule,
  validateTimeout,
} from "../validation/admission-registration.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { validateLabelSelector } from "../validation/label-selector.ts";
import { isDns1123Subdomain } from "../validation/names.ts";

export const webhookColumns = [
  nameColumn,
  column("Webhooks", "Webhooks indicates the number of webhooks registered in this configuration", "integer"),
  ageColumn,
];

export function webhookCells(
  { metadata, webhooks }: MutatingWebhookConfiguration | ValidatingWebhookConfiguration,
  now: number,
): Cell[] {
  return [metadata.name, webhooks?.length ?? 0, ageOf(metadata.creationTimestamp, now)];
}

const timeoutSeconds = 10;
const sideEffects = ["None", "NoneOnDryRun"];

/** What clients may leave out of a webhook of either sort. */
export function defaultWebhook(webhook: ValidatingWebhook | MutatingWebhook): void {
  webhook.failurePolicy ??= "Fail";
  webhook.matchPolicy ??= "Equivalent";
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= timeoutSeconds;
  webhook.rules?.forEach(defaultRule);
  if (webhook.clientConfig?.service !== undefined) webhook.clientConfig.service.port ??= 443;
}

export function validateWebhooks(
  errors: FieldErrors,
  webhooks: readonly (ValidatingWebhook | MutatingWebhook)[] | undefined,
): void {
  const names = new Set<string>();
  webhooks?.forEach((webhook, index) => {
    const at = `webhooks[${index}]`;
    const name = webhook.name ?? "";
    errors.invalidEach(`${at}.name`, name, isDns1123Subdomain(name));
    if (name.split(".").length < 3) {
      errors.invalid(`${at}.name`, name, "should be a domain with at least three segments separated by dots");
    }
    if (names.has(name)) errors.duplicate(`${at}.name`, name);
    names.add(name);
    webhook.rules?.forEach((rule, position) => validateRule(errors, `${at}.rules[${position}]`, rule));
    validateFailurePolicy(errors, `${at}.failurePolicy`, webhook.failurePolicy);
    validateMatchPolicy(errors, `${at}.matchPolicy`, webhook.matchPolicy);
    if (webhook.sideEffects === undefined)
      errors.required(`${at}.sideEffects`, `must specify one of ${sideEffects.join(", ")}`);
    else if (!sideEffects.includes(webhook.sideEffects))
      errors.notSupported(`${at}.sideEffects`, webhook.sideEffects, sideEffects);
    validateTimeout(errors, `${at}.timeoutSeconds`, webhook.timeoutSeconds);
    validateLabelSelector(errors, `${at}.namespaceSelector`, webhook.namespaceSelector);
    validateLabelSelector(errors, `${at}.objectSelector`, webhook.objectSelector);
    validateClientConfig(errors, `${at}.clientConfig`, webhook.clientConfig);
    validateReviewVersions(errors, `${at}.admissionReviewVersions`, webhook.admissionReviewVersions);
    validateMatchConditions(errors, `${at}.matchConditions`, webhook.matchConditions);
  });
}
