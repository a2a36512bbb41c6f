import { ageColumn, column, nameColumn } from "../columns.ts";
import type { VolumeAttributesClass } from "../generated/storage-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { collect } from "../validation/field-errors.ts";
import { semanticallyEqual, validateImmutable } from "../validation/immutable.ts";
import { isQualifiedName } from "../validation/labels.ts";
import { validateParameters } from "./storage-class.ts";

export const volumeAttributesClassRules: KindRules<VolumeAttributesClass> = {
  validate: (object) =>
    collect((errors) => {
      if (!object.driverName) errors.required("driverName");
      else errors.invalidEach("driverName", object.driverName, isQualifiedName(object.driverName.toLowerCase()));
      if (Object.keys(object.parameters ?? {}).length === 0)
        errors.required("parameters", "must contain at least one key/value pair");
      validateParameters(errors, "parameters", object.parameters);
    }),
  validateUpdate: (object, old) =>
    collect((errors) => {
      validateImmutable(errors, "driverName", object.driverName, old.driverName);
      if (!semanticallyEqual(object.parameters, old.parameters))
        errors.forbidden("parameters", "updates to parameters are forbidden.");
    }),
  columns: [nameColumn, column("DriverName", "Name of the CSI driver"), ageColumn],
  cells: (object, now) => [object.metadata.name, object.driverName, ageOf(object.metadata.creationTimestamp, now)],
};
