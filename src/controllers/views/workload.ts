import type {
  ControllerRevision,
  DaemonSet,
  DaemonSetSpec,
  DaemonSetStatus,
  Deployment,
  DeploymentSpec,
  DeploymentStatus,
  ReplicaSet,
  ReplicaSetSpec,
  ReplicaSetStatus,
  StatefulSet,
  StatefulSetSpec,
  StatefulSetStatus,
} from "#api/generated/apps-v1.ts";
import { controllerrevisions, daemonsets, deployments, replicasets, statefulsets } from "#api/generated/resources.ts";
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

const orphansByNamespace = (view: ObjectView): readonly string[] =>
  view.controller === undefined ? [view.namespace] : [];

interface Templated {
  readonly namespace: string;
  readonly spec: {
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly template?: { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> } };
  };
}

/** `namespace/key=value`: of all labels of the template, and of the first that the selector asks for. */
const pairIndexes = {
  templatePair: ({ namespace, spec }: Templated): readonly string[] =>
    Object.entries(spec.template?.metadata?.labels ?? {}).map(([key, value]) => `${namespace}/${key}=${value}`),
  selectorPair: ({ namespace, spec }: Templated): readonly string[] =>
    Object.entries(spec.selector?.matchLabels ?? {})
      .slice(0, 1)
      .map(([key, value]) => `${namespace}/${key}=${value}`),
};

export const deploymentDeclaration: InformerDeclaration<Deployment, DeploymentView> = {
  resource: deployments,
  project: projectDeployment,
  indexes: { ...objectIndexes, ...pairIndexes },
};

export const replicaSetDeclaration: InformerDeclaration<ReplicaSet, ReplicaSetView> = {
  resource: replicasets,
  project: projectReplicaSet,
  indexes: { ...objectIndexes, orphan: orphansByNamespace },
};

function projectDeployment(object: Deployment): DeploymentView {
  const view = objectView(object.metadata);
  return { ...view, spec: object.spec, status: object.status ?? {}, selector: selectorOfObject(object.spec.selector) };
}

function projectReplicaSet(object: ReplicaSet): ReplicaSetView {
  const view = objectView(object.metadata);
  return {
    ...view,
    spec: object.spec,
    status: object.status ?? { replicas: 0 },
    selector: selectorOfObject(object.spec.selector),
  };
}

export interface DaemonSetView extends ObjectView {
  readonly spec: DaemonSetSpec;
  readonly status: DaemonSetStatus;
  readonly selector: Selector;
}

export interface StatefulSetView extends ObjectView {
  readonly spec: StatefulSetSpec;
  readonly status: StatefulSetStatus;
  readonly selector: Selector;
}

/** A kept template of a DaemonSet or StatefulSet. */
export interface RevisionView extends ObjectView {
  readonly revision: number;
  readonly data: unknown;
}

export const daemonSetDeclaration: InformerDeclaration<DaemonSet, DaemonSetView> = {
  resource: daemonsets,
  indexes: { ...objectIndexes, ...pairIndexes },
  project: (set) => ({
    ...objectView(set.metadata),
    spec: set.spec,
    status: set.status ?? {
      currentNumberScheduled: 0,
      numberMisscheduled: 0,
      desiredNumberScheduled: 0,
      numberReady: 0,
    },
    selector: selectorOfObject(set.spec.selector),
  }),
};

export const statefulSetDeclaration: InformerDeclaration<StatefulSet, StatefulSetView> = {
  resource: statefulsets,
  indexes: { ...objectIndexes, ...pairIndexes },
  project: (set) => ({
    ...objectView(set.metadata),
    spec: set.spec,
    status: set.status ?? { replicas: 0, availableReplicas: 0 },
    selector: selectorOfObject(set.spec.selector),
  }),
};

export const revisionDeclaration: InformerDeclaration<ControllerRevision, RevisionView> = {
  resource: controllerrevisions,
  indexes: objectIndexes,
  project: (revision) => ({ ...objectView(revision.metadata), revision: revision.revision, data: revision.data }),
};
