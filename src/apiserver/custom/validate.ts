import type { CustomResourceDefinition } from "#api/generated/apiextensions-v1.ts";
import type { ApiObject, FieldError } from "#api/kind.ts";
import { FieldErrors } from "#api/validation/field-errors.ts";
import { expressionErrors } from "../admission/policies/check-expressions.ts";
import type { Parts } from "../call.ts";
import { sliceMs } from "../limits.ts";
import type { Served } from "../registry.ts";
import { definitionErrors } from "./check-definition.ts";
import { checkResource } from "./check-value.ts";
import { errorsMax } from "./limits.ts";
import { rulesOfSchema } from "./rules.ts";
import { RuleRun } from "./run-rules.ts";

/**
 * What the schema of a custom resource says against an object: its structure, then its rules. `old` is what the object replaces:
 * what was wrong before and has not been touched is let through. Built-in kinds have no such schema, but definitions of custom
 * resources are checked here too, and the expressions of what configures admission. A promise where the rules take so long that
 * other requests get their turn between them.
 */
export function customErrors(
  { clock, timers }: Pick<Parts, "clock" | "timers">,
  served: Served,
  object: ApiObject,
  old?: ApiObject,
  subresource = "",
): readonly FieldError[] | Promise<readonly FieldError[]> {
  const { resource } = served;
  if (resource.resource === "customresourcedefinitions" && resource.group === "apiextensions.k8s.io") {
    if (subresource !== "") return [];
    const definition: unknown = object;
    return definitionErrors(definition as CustomResourceDefinition, old as CustomResourceDefinition | undefined);
  }
  if (resource.group === "admissionregistration.k8s.io")
    return subresource === "" ? expressionErrors(resource.resource, object, old) : [];
  const schema = served.custom?.schema;
  if (schema === undefined) return [];
  const errors = new FieldErrors();
  checkResource(errors, schema, object, old);
  const tree = rulesOfSchema(schema);
  if (tree === undefined) return errors.list.slice(0, errorsMax);
  if (errors.list.some(({ reason }) => blocking.has(reason))) {
    errors.invalid("<nil>", null, rulesNotChecked);
    return errors.list.slice(0, errorsMax);
  }
  const run = new RuleRun(errors, tree, object, old, clock);
  const found = (): FieldError[] => errors.list.slice(0, errorsMax);
  if (run.go(sliceMs)) return found();
  const goOn = async (): Promise<readonly FieldError[]> => {
    do await timers.yield();
    while (!run.go(sliceMs));
    return found();
  };
  return goOn();
}

/** Rules are written for values that have the schema's form; they do not run on others. */
const blocking: ReadonlySet<FieldError["reason"]> = new Set<FieldError["reason"]>([
  "FieldValueRequired",
  "FieldValueNotSupported",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueTypeInvalid",
]);
const rulesNotChecked =
  "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
