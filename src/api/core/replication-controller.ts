import { ageColumn, column, nameColumn, templateCells, templateColumns } from "../columns.ts";
import { defaultPodTemplate } from "../defaults/pod-spec.ts";
import type { ReplicationController } from "../generated/core-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { formatLabels } from "../selectors.ts";
import { separateStatus } from "../strategy.ts";
import { validateReplicaStatus, validateTemplateForController } from "../validation/apps/replica-set.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { collect } from "../validation/field-errors.ts";
import { validateLabels } from "../validation/labels.ts";

function validate(errors: FieldErrors, controller: ReplicationController): void {
  const { spec } = controller;
  errors.nonNegative("spec.minReadySeconds", spec.minReadySeconds);
  validateLabels(errors, "spec.selector", spec.selector);
  if (Object.keys(spec.selector ?? {}).length === 0) errors.required("spec.selector");
  if (spec.replicas === undefined) errors.required("spec.replicas");
  errors.nonNegative("spec.replicas", spec.replicas);
  if (spec.template === undefined) errors.required("spec.template");
  else {
    const selector = spec.selector === undefined ? undefined : { matchLabels: spec.selector };
    validateTemplateForController(errors, "spec.template", spec.template, selector);
  }
}

export const replicationControllerRules: KindRules<ReplicationController> = {
  ...separateStatus<ReplicationController>(() => ({ replicas: 0 })),
  defaults(controller) {
    const { metadata, spec } = controller;
    const labels = spec.template?.metadata?.labels;
    if (labels !== undefined && Object.keys(labels).length > 0) {
      if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
      if (Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
    }
    spec.replicas ??= 1;
    if (spec.template !== undefined) defaultPodTemplate(spec.template);
  },
  validate: (controller) => collect((errors) => validate(errors, controller)),
  validateUpdate: (controller, _old, context) =>
    collect((errors) => {
      if (context.subresource === "status") validateReplicaStatus(errors, controller.status);
    }),
  defaultPropagation: "Orphan",
  columns: [
    nameColumn,
    column("Desired", "Replicas is the number of desired replicas.", "integer"),
    column("Current", "Replicas is the most recently observed number of replicas.", "integer"),
    column("Ready", "The number of ready replicas for this replication controller.", "integer"),
    ageColumn,
    ...templateColumns,
  ],
  cells: (controller, now) => [
    controller.metadata.name,
    controller.spec.replicas ?? 0,
    controller.status?.replicas ?? 0,
    controller.status?.readyReplicas ?? 0,
    ageOf(controller.metadata.creationTimestamp, now),
    ...templateCells(controller.spec.template?.spec?.containers),
    formatLabels(controller.spec.selector),
  ],
  fieldSelectors: { "status.replicas": (controller) => String(controller.status?.replicas ?? 0) },
};
