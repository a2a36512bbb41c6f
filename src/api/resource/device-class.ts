import { ageColumn, nameColumn } from "../columns.ts";
import type { DeviceClass } from "../generated/resource-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { isExtendedResource } from "../validation/quantities.ts";
import { validateDeviceSelectors, validateOpaque } from "../validation/resource-claim.ts";

const configurationsMax = 32;

export const deviceClassRules: KindRules<DeviceClass> = {
  validate: (object) =>
    collect((errors) => {
      validateDeviceSelectors(errors, "spec.selectors", object.spec?.selectors);
      const configurations = object.spec?.config ?? [];
      if (configurations.length > configurationsMax)
        errors.tooMany("spec.config", configurations.length, configurationsMax);
      configurations.forEach((configuration, index) =>
        validateOpaque(errors, `spec.config[${index}].opaque`, configuration.opaque),
      );
      const name = object.spec?.extendedResourceName;
      if (name !== undefined && !isExtendedResource(name)) {
        errors.invalid("spec.extendedResourceName", name, "must be a valid extended resource name");
      }
    }),
  countsGeneration: true,
  columns: [nameColumn, ageColumn],
  cells: (object, now) => [object.metadata.name, ageOf(object.metadata.creationTimestamp, now)],
};
