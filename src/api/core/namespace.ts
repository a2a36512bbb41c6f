import { column, ageColumn, nameColumn } from "../columns.ts";
import type { Namespace } from "../generated/core-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { keepSpec, keepStatus } from "../strategy.ts";
import { collect } from "../validation/field-errors.ts";
import { validateFinalizerName } from "../validation/metadata.ts";

const nameLabel = "kubernetes.io/metadata.name";

/** The namespace's own finalizer, which stays until everything inside is gone. */
export const namespaceFinalizer = "kubernetes";

export const namespaceRules: KindRules<Namespace> = {
  nameFormat: "dns1123-label",
  defaults(namespace) {
    if (!namespace.metadata.name) return;
    namespace.metadata.labels ??= {};
    namespace.metadata.labels[nameLabel] ??= namespace.metadata.name;
  },
  prepareCreate(namespace) {
    namespace.status = { phase: "Active" };
    namespace.spec ??= {};
    const finalizers = namespace.spec.finalizers ?? [];
    namespace.spec.finalizers = finalizers.includes(namespaceFinalizer)
      ? finalizers
      : [...finalizers, namespaceFinalizer];
    if (namespace.metadata.name) {
      namespace.metadata.labels ??= {};
      namespace.metadata.labels[nameLabel] = namespace.metadata.name;
    }
  },
  prepareUpdate(namespace, old, context) {
    if (context.subresource === "status") keepSpec(namespace, old);
    else keepStatus(namespace, old);
    // Only /finalize changes the finalizers of the spec.
    if (context.subresource === undefined || context.subresource === "") namespace.spec = old.spec;
  },
  validate: (namespace) =>
    collect((errors) => {
      if (namespace.metadata.name && namespace.metadata.labels?.[nameLabel] !== namespace.metadata.name) {
        errors.invalid(
          `metadata.labels[${nameLabel}]`,
          namespace.metadata.labels?.[nameLabel] ?? "",
          `must equal ${namespace.metadata.name}`,
        );
      }
      namespace.spec?.finalizers?.forEach((finalizer) => validateFinalizerName(errors, "spec.finalizers", finalizer));
    }),
  validateUpdate: (namespace, _old, context) =>
    collect((errors) => {
      if (context.subresource !== "status") return;
      const deleting = namespace.metadata.deletionTimestamp !== undefined;
      const phase = namespace.status.phase ?? "";
      if (deleting && phase !== "Terminating") {
        errors.invalid("status.Phase", phase, "may only be 'Terminating' if `deletionTimestamp` is not empty");
      } else if (!deleting && phase !== "Active") {
        errors.invalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty");
      }
    }),
  countsGeneration: false,
  columns: [nameColumn, column("Status", "The status of the namespace"), ageColumn],
  cells: (namespace, now) => [
    namespace.metadata.name,
    namespace.status.phase ?? "",
    ageOf(namespace.metadata.creationTimestamp, now),
  ],
  fieldSelectors: {
    "status.phase": (namespace) => namespace.status.phase ?? "",
    name: (namespace) => namespace.metadata.name ?? "",
  },
};
