import { ageColumn, column, nameColumn, templateCells, templateColumns } from "../columns.ts";
import { defaultPodTemplate } from "../defaults/pod-spec.ts";
import type { Deployment } from "../generated/apps-v1.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { formatLabelSelector } from "../selectors.ts";
import { separateStatus } from "../strategy.ts";
import { collect } from "../validation/field-errors.ts";
import { semanticallyEqual } from "../validation/immutable.ts";
import { validateDeployment, validateDeploymentUpdate } from "../validation/apps/deployment.ts";

const status = separateStatus<Deployment>(() => ({}));

export const deploymentRules: KindRules<Deployment> = {
  prepareCreate: status.prepareCreate,
  prepareUpdate(deployment, old, context) {
    status.prepareUpdate(deployment, old, context);
    // Annotations travel to the ReplicaSets, so the controller must notice that it has not acted on a change of them yet.
    if (
      context.subresource === "status" ||
      semanticallyEqual(deployment.metadata.annotations, old.metadata.annotations)
    )
      return;
    deployment.metadata.generation = (old.metadata.generation ?? 0) + 1;
  },
  defaults(deployment) {
    const { spec } = deployment;
    spec.replicas ??= 1;
    spec.strategy ??= {};
    if (!spec.strategy.type) spec.strategy.type = "RollingUpdate";
    if (spec.strategy.type === "RollingUpdate") {
      spec.strategy.rollingUpdate ??= {};
      spec.strategy.rollingUpdate.maxUnavailable ??= "25%";
      spec.strategy.rollingUpdate.maxSurge ??= "25%";
    }
    spec.revisionHistoryLimit ??= 10;
    spec.progressDeadlineSeconds ??= 600;
    defaultPodTemplate(spec.template);
  },
  validate: (deployment) => collect((errors) => validateDeployment(errors, deployment)),
  validateUpdate: (deployment, old, context) =>
    collect((errors) => validateDeploymentUpdate(errors, deployment, old, context)),
  columns: [
    nameColumn,
    column("Ready", "Number of the pod with ready state"),
    column(
      "Up-to-date",
      "Total number of non-terminating pods targeted by this deployment that have the desired template spec.",
    ),
    column("Available", "Total number of available non-terminating pods targeted by this deployment."),
    ageColumn,
    ...templateColumns,
  ],
  cells: (deployment, now) => [
    deployment.metadata.name,
    `${deployment.status?.readyReplicas ?? 0}/${deployment.spec.replicas ?? 0}`,
    deployment.status?.updatedReplicas ?? 0,
    deployment.status?.availableReplicas ?? 0,
    ageOf(deployment.metadata.creationTimestamp, now),
    ...templateCells(deployment.spec.template?.spec?.containers),
    formatLabelSelector(deployment.spec.selector),
  ],
};
