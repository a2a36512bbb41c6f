import { ageColumn, nameColumn } from "../columns.ts";
import type { ResourceClaimTemplate } from "../generated/resource-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { semanticallyEqual } from "../validation/immutable.ts";
import { validateDeviceClaim } from "../validation/resource-claim.ts";
import { defaultDeviceClaim } from "./resource-claim.ts";

export const resourceClaimTemplateRules: KindRules<ResourceClaimTemplate> = {
  defaults: (template) => defaultDeviceClaim(template.spec.spec?.devices),
  validate: (template) =>
    collect((errors) => validateDeviceClaim(errors, "spec.spec.devices", template.spec.spec?.devices)),
  validateUpdate: (template, old) =>
    collect((errors) => {
      if (!semanticallyEqual(template.spec, old.spec)) errors.invalid("spec", template.spec, "field is immutable");
    }),
  columns: [nameColumn, ageColumn],
  cells: (template, now) => [template.metadata.name, ageOf(template.metadata.creationTimestamp, now)],
};
