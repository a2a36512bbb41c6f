import { ageColumn, column, nameColumn } from "../columns.ts";
import type { MutatingWebhookConfiguration } from "../generated/admissionregistration-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { defaultWebhook, validateWebhooks } from "./webhooks.ts";

export const mutatingWebhookConfigurationRules: KindRules<MutatingWebhookConfiguration> = {
  defaults(configuration) {
    for (const webhook of configuration.webhooks ?? []) {
      defaultWebhook(webhook);
      webhook.reinvocationPolicy ??= "Never";
    }
  },
  validate: (configuration) =>
    collect((errors) => {
      validateWebhooks(errors, configuration.webhooks);
      configuration.webhooks?.forEach((webhook, index) => {
        const policy = webhook.reinvocationPolicy;
        if (policy !== undefined && !["IfNeeded", "Never"].includes(policy)) {
          errors.notSupported(`webhooks[${index}].reinvocationPolicy`, policy, ["IfNeeded", "Never"]);
        }
      });
    }),
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
