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
import type { ReplicationController } from "#api/generated/core-v1.ts";
import {
  controllerrevisions,
  daemonsets,
  deployments,
  replicasets,
  replicationcontrollers,
  statefulsets,
} from "#api/generated/resources.ts";
import { nothing, selectorOfLabels, selectorOfObject, type Selector } from "#api/selectors.ts";
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
  readonly selector: Selector;
  readonly spec: {
    readonly template?: { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> } };
  };
}

/** `namespace/key=value`: of all labels of the template, and of the first that the selector asks for. */
const pairIndexes = {
  templatePair: ({ namespace, spec }: Templated): readonly string[] =>
    Object.entries(spec.template?.metadata?.labels ?? {}).map(([key, value]) => `${namespace}/${key}=${value}`),
  selectorPair: ({ namespace, selector }: Templated): readonly string[] =>
    selector.pairs.slice(0, 1).map(([key, value]) => `${namespace}/${key}=${value}`),
};

/** Only those that nobody controls: the others have the selector of who does. */
const freePairIndexes = {
  templatePair: (view: ReplicaSetView) => (view.controller === undefined ? pairIndexes.templatePair(view) : []),
  selectorPair: (view: ReplicaSetView) => (view.controller === undefined ? pairIndexes.selectorPair(view) : []),
};

export const deploymentDeclaration: InformerDeclaration<Deployment, DeploymentView> = {
  resource: deployments,
  project: projectDeployment,
  indexes: { ...objectIndexes, ...pairIndexes },
};

export const replicaSetDeclaration: InformerDeclaration<ReplicaSet, ReplicaSetView> = {
  resource: replicasets,
  project: projectReplicaSet,
  indexes: { ...objectIndexes, ...freePairIndexes, orphan: orphansByNamespace },
};

/** A ReplicationController differs from a ReplicaSet in the form of its selector alone: it is read as one. */
export const replicationControllerDeclaration: InformerDeclaration<ReplicationController, ReplicaSetView> = {
  resource: replicationcontrollers,
  indexes: { ...objectIndexes, ...pairIndexes },
  project: (object) => {
    const { selector, template, replicas, minReadySeconds } = object.spec;
    const hasSelector = selector !== undefined && Object.keys(selector).length > 0;
    return {
      ...objectView(object.metadata),
      spec: {
        ...(replicas === undefined ? {} : { replicas }),
        ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
        // In the form of its own kind, because status updates send it back.
        ...(selector === undefined ? {} : { selector: selector as object }),
        template: template ?? { metadata: {}, spec: { containers: [] } },
      },
      status: object.status ?? { replicas: 0 },
      selector: hasSelector ? selectorOfLabels(selector) : nothing,
    };
  },
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
  indexes: { ...objectIndexes, orphan: orphansByNamespace },
  project: (revision) => ({ ...objectView(revision.metadata), revision: revision.revision, data: revision.data }),
};
