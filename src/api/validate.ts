import type { ApiObject, FieldError, Kind, RuleContext } from "./kind.ts";
import { FieldErrors } from "./validation/field-errors.ts";
import { validateMetadata, validateMetadataUpdate } from "./validation/metadata.ts";

/** Groups that upstream serves by servers of their own: their finalizers need no domain, as those of custom resources. */
const apartFromTheHouse: ReadonlySet<string> = new Set(["apiextensions.k8s.io", "apiregistration.k8s.io"]);

/**
 * Everything that is wrong with `object`, which is about to be created, or to replace `old`. Updates of the status
 * subresource are judged only by the kind's update rules, which look at `context.subresource`.
 */
export function validateObject(
  kind: Kind,
  object: ApiObject,
  old: ApiObject | undefined,
  context: RuleContext,
): FieldError[] {
  const errors = new FieldErrors();
  // Reviews and bindings are questions and orders, not objects: nothing is stored, and their metadata says nothing.
  if (!kind.storage.verbs.includes("get")) return kind.rules.validate?.(object, context) ?? [];
  validateMetadata(errors, "metadata", object.metadata, {
    namespaced: kind.storage.namespaced,
    nameFormat: kind.rules.nameFormat,
    custom: kind.storage.type === "" || apartFromTheHouse.has(kind.storage.group),
  });
  if (old === undefined) {
    addAll(errors, kind.rules.validate?.(object, context));
    addAll(errors, kind.rules.validateCreate?.(object, context));
    return errors.list;
  }
  validateMetadataUpdate(errors, "metadata", object.metadata, old.metadata);
  if (context.subresource !== "status") addAll(errors, kind.rules.validate?.(object, context));
  addAll(errors, kind.rules.validateUpdate?.(object, old, context));
  return errors.list;
}

function addAll(errors: FieldErrors, found: FieldError[] | undefined): void {
  if (found !== undefined) errors.list.push(...found);
}
