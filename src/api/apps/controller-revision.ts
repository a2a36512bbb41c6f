import { ageColumn, column, nameColumn } from "../columns.ts";
import type { ControllerRevision } from "../generated/apps-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { controllerOf } from "../pod-readiness.ts";
import { collect } from "../validation/field-errors.ts";
import { validateImmutable } from "../validation/immutable.ts";

/** `deployment.apps/web`: how columns name a controller. */
function controllerText(revision: ControllerRevision): string {
  const controller = controllerOf(revision);
  if (controller === undefined) return "<none>";
  const [group = ""] = controller.apiVersion.includes("/") ? controller.apiVersion.split("/") : [""];
  const kind = controller.kind.toLowerCase();
  return `${kind}${group === "" ? "" : `.${group}`}/${controller.name}`;
}

export const controllerRevisionRules: KindRules<ControllerRevision> = {
  validate: (revision) =>
    collect((errors) => {
      errors.nonNegative("revision", revision.revision);
      if (revision.data === undefined || revision.data === null) errors.required("data", "data is mandatory");
    }),
  validateUpdate: (revision, old) => collect((errors) => validateImmutable(errors, "data", revision.data, old.data)),
  columns: [
    nameColumn,
    column("Controller", "Controller of the object"),
    column("Revision", "Revision indicates the revision of the state represented by Data."),
    ageColumn,
  ],
  cells: (revision, now) => [
    revision.metadata.name,
    controllerText(revision),
    revision.revision ?? 0,
    ageOf(revision.metadata.creationTimestamp, now),
  ],
};
