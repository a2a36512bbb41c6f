import type { Deployment, DeploymentSpec, DeploymentStatus, ReplicaSet, ReplicaSetSpec, ReplicaSetStatus } from "#api/generated/apps-v1.ts";
import { deployments, replicasets } from "#api/generated/resources.ts";
import { selectorOfObject, type Selector } from "#api/selectors.ts";
import type { InformerDeclaration } from "#reconcile/informer.ts";
import { objectIndexes, objectView, type ObjectView } from "#reconcile/object-view.ts";

/** A Deployment as its controller keeps it: all but managed fields. */
export interface DeploymentView extends ObjectView {
  readonly spec: DeploymentSpec;
  readonly status: DeploymentStatus;
  readonly selector: Selector;
}

export interface ReplicaSetView extends ObjectView {
  readonly spec: ReplicaSetSpec;
  readonly status: ReplicaSetStatus;
  readonly selector: Selector;
}

const orphansByNamespace = (view: ObjectView): readonly string[] => (view.controller === undefined ? [view.namespace] : []);

export const deploymentDeclaration: InformerDeclaration<Deployment, DeploymentView> = {
  resource: deployments,
  project: projectDeployment,
  indexes: objectIndexes,
};

export const replicaSetDeclaration: InformerDeclaration<ReplicaSet, ReplicaSetView> = {
  resource: replicasets,
  project: projectReplicaSet,
  indexes: { ...objectIndexes, orphan: orphansByNamespace },
};

export function projectDeployment(object: Deployment): DeploymentView {
  const view = objectView(object.metadata);
  return { ...view, spec: object.spec, status: object.status ?? {}, selector: selectorOfObject(object.spec.selector) };
}

export function projectReplicaSet(object: ReplicaSet): ReplicaSetView {
  const view = objectView(object.metadata);
  return { ...view, spec: object.spec, status: object.status ?? { replicas: 0 }, selector: selectorOfObject(object.spec.selector) };
}
