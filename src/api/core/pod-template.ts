import { ageColumn, nameColumn, column, templateCells } from "../columns.ts";
import { defaultPodTemplate } from "../defaults/pod-spec.ts";
import type { PodTemplate } from "../generated/core-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { formatLabels } from "../selectors.ts";
import { collect } from "../validation/field-errors.ts";
import { validatePodTemplate } from "../validation/pod.ts";

export const podTemplateRules: KindRules<PodTemplate> = {
  defaults: (template) => defaultPodTemplate(template.template),
  validate: (template) => collect((errors) => validatePodTemplate(errors, "template", template.template)),
  countsGeneration: true,
  columns: [
    nameColumn,
    column("Containers", "Names of each container in the template."),
    column("Images", "Images referenced by each container in the template."),
    column("Pod Labels", "The labels for the pod template."),
    ageColumn,
  ],
  cells: (template, now) => [
    template.metadata.name,
    ...templateCells(template.template?.spec?.containers),
    formatLabels(template.template?.metadata?.labels),
    ageOf(template.metadata.creationTimestamp, now),
  ],
};
