import { ageColumn, column, nameColumn } from "../columns.ts";
import type { PriorityClass } from "../generated/scheduling-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";
import { validateImmutable } from "../validation/immutable.ts";

const systemPrefix = "system-";
/** The highest value that users may give; what is above belongs to the system's own classes. */
const userValueMax = 1_000_000_000;
const systemClasses: Readonly<Record<string, number>> = {
  "system-node-critical": 2_000_001_000,
  "system-cluster-critical": 2_000_000_000,
};

function validate(errors: FieldErrors, object: PriorityClass): void {
  const name = object.metadata.name ?? "";
  if (name.startsWith(systemPrefix)) {
    if (systemClasses[name] === undefined) {
      errors.forbidden("metadata.name", "priority class names with 'system-' prefix are reserved for system use only");
    } else if (systemClasses[name] !== object.value) {
      errors.forbidden(
        "metadata.name",
        "priority class names with 'system-' prefix are reserved for system use only. error: value of " +
          `${name} PriorityClass must be ${systemClasses[name]}`,
      );
    }
  } else if (object.value > userValueMax) {
    errors.forbidden("value", `maximum allowed value of a user defined priority is ${userValueMax}`);
  }
  const policy = object.preemptionPolicy;
  if (policy !== undefined && policy !== "PreemptLowerPriority" && policy !== "Never") {
    errors.notSupported("preemptionPolicy", policy, ["Never", "PreemptLowerPriority"]);
  }
}

export const priorityClassRules: KindRules<PriorityClass> = {
  defaults(object) {
    object.preemptionPolicy ??= "PreemptLowerPriority";
  },
  prepareCreate(object) {
    object.metadata.generation = 1;
  },
  validate: (object) => collect((errors) => validate(errors, object)),
  validateUpdate: (object, old) =>
    collect((errors) => {
      if (object.value !== old.value) errors.forbidden("value", "may not be changed in an update.");
      validateImmutable(errors, "preemptionPolicy", object.preemptionPolicy, old.preemptionPolicy);
    }),
  countsGeneration: true,
  columns: [
    nameColumn,
    column("Value", "value represents the integer value of this priority class.", "integer"),
    column(
      "Global-Default",
      "globalDefault specifies whether this PriorityClass should be considered as the default priority.",
      "boolean",
    ),
    ageColumn,
    column("PreemptionPolicy", "preemptionPolicy is the Policy for preempting pods with lower priority."),
  ],
  cells: (object, now) => [
    object.metadata.name,
    object.value ?? 0,
    object.globalDefault ?? false,
    ageOf(object.metadata.creationTimestamp, now),
    object.preemptionPolicy ?? "<unset>",
  ],
};
