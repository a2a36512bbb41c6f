import { ageColumn, column, nameColumn } from "../columns.ts";
import type { ValidatingWebhookConfiguration } from "../generated/admissionregistration-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { defaultWebhook, validateWebhooks } from "./webhooks.ts";

export const validatingWebhookConfigurationRules: KindRules<ValidatingWebhookConfiguration> = {
  defaults(configuration) {
    configuration.webhooks?.forEach(defaultWebhook);
  },
  validate: (configuration) => collect((errors) => validateWebhooks(errors, configuration.webhooks)),
  countsGeneration: true,
  columns: [
    nameColumn,
    column("Webhooks", "Webhooks indicates the number of webhooks registered in this configuration", "integer"),
    ageColumn,
  ],
  cells: (configuration, now) => [
    configuration.metadata.name,
    configuration.webhooks?.length ?? 0,
    ageOf(configuration.metadata.creationTimestamp, now),
  ],
};
