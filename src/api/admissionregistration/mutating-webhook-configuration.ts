import type { MutatingWebhookConfiguration } from "../generated/admissionregistration-v1.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { defaultWebhook, validateWebhooks, webhookCells, webhookColumns } from "./webhooks.ts";

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
  columns: webhookColumns,
  cells: webhookCells,
};
