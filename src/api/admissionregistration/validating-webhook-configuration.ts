import type { ValidatingWebhookConfiguration } from "../generated/admissionregistration-v1.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { defaultWebhook, validateWebhooks, webhookCells, webhookColumns } from "./webhooks.ts";

export const validatingWebhookConfigurationRules: KindRules<ValidatingWebhookConfiguration> = {
  defaults(configuration) {
    configuration.webhooks?.forEach(defaultWebhook);
  },
  validate: (configuration) => collect((errors) => validateWebhooks(errors, configuration.webhooks)),
  countsGeneration: true,
  columns: webhookColumns,
  cells: webhookCells,
};
