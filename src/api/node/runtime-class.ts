import { ageColumn, column, nameColumn } from "../columns.ts";
import type { RuntimeClass } from "../generated/node-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";
import { validateImmutable } from "../validation/immutable.ts";
import { validateLabels } from "../validation/labels.ts";
import { isDns1123Label } from "../validation/names.ts";
import { validateTolerations } from "../validation/pod-spec/scheduling.ts";
import { validateContainerResourceName, validateResourceQuantity } from "../validation/quantities.ts";

function validate(errors: FieldErrors, object: RuntimeClass): void {
  if (!object.handler) errors.required("handler");
  else errors.invalidEach("handler", object.handler, isDns1123Label(object.handler));
  for (const name in object.overhead?.podFixed) {
    validateContainerResourceName(errors, "overhead.podFixed", name);
    validateResourceQuantity(errors, `overhead.podFixed[${name}]`, name, object.overhead.podFixed[name] ?? "0");
  }
  validateLabels(errors, "scheduling.nodeSelector", object.scheduling?.nodeSelector);
  validateTolerations(errors, "scheduling.tolerations", object.scheduling?.tolerations);
}

export const runtimeClassRules: KindRules<RuntimeClass> = {
  validate: (object) => collect((errors) => validate(errors, object)),
  validateUpdate: (object, old) =>
    collect((errors) => validateImmutable(errors, "handler", object.handler, old.handler)),
  columns: [
    nameColumn,
    column(
      "Handler",
      "handler specifies the underlying runtime and configuration that the CRI implementation will use.",
    ),
    ageColumn,
  ],
  cells: (object, now) => [object.metadata.name, object.handler, ageOf(object.metadata.creationTimestamp, now)],
};
