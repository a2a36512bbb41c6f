import { holdAnnotation } from "#api/apps/hold.ts";
import type { Canary } from "#api/delivery/canary.ts";
import { canaries } from "#api/delivery/canary.ts";
import { trafficcounts, trafficsplits, type TrafficCount, type TrafficSplit } from "#api/delivery/traffic-split.ts";
import type { Deployment, DeploymentStatus, ReplicaSet } from "#api/generated/apps-v1.ts";
import type { Node, Service } from "#api/generated/core-v1.ts";
import type { Ingress } from "#api/generated/networking-v1.ts";
import { deployments, ingresses, nodes, replicasets, services } from "#api/generated/resources.ts";
import type { Informer, InformerDeclaration } from "#reconcile/informer.ts";
import { keyOf, objectIndexes, objectView, type ObjectView } from "#reconcile/object-view.ts";

const revisionAnnotation = "deployment.kubernetes.io/revision";
const hashLabel = "pod-template-hash";

export interface CanaryView extends ObjectView {
  readonly canary: Canary;
}

export interface DeploymentView extends ObjectView {
  readonly replicas: number;
  /** The revision of its template, once its controller has seen it. */
  readonly revision: string | undefined;
  readonly hold: string | undefined;
  readonly podLabels: Readonly<Record<string, string>>;
  readonly deadlineSeconds: number | undefined;
  readonly paused: boolean;
}

export interface ReplicaSetView extends ObjectView {
  readonly revision: string | undefined;
  readonly hash: string;
  readonly size: number;
  readonly pods: number;
  readonly ready: number;
  readonly available: number;
}

export interface ServiceView extends ObjectView {
  readonly service: Service;
}

export interface SplitView extends ObjectView {
  readonly split: TrafficSplit;
}

export interface IngressView extends ObjectView {
  /** Names of the Services behind it. */
  readonly services: readonly string[];
}

export interface NodeView {
  readonly name: string;
  readonly ready: boolean;
}

export const canaryDeclaration: InformerDeclaration<Canary, CanaryView> = {
  resource: canaries,
  indexes: objectIndexes,
  project: (canary) => ({ ...objectView(canary.metadata), canary }),
};

export const deploymentDeclaration: InformerDeclaration<Deployment, DeploymentView> = {
  resource: deployments,
  project: ({ metadata, spec, status }) => {
    const view = objectView(metadata);
    const seen: DeploymentStatus | undefined = status;
    const isSeen = (seen?.observedGeneration ?? 0) >= view.generation;
    return {
      ...view,
      replicas: spec.replicas ?? 1,
      revision: isSeen ? view.annotations[revisionAnnotation] : undefined,
      hold: view.annotations[holdAnnotation],
      podLabels: spec.template.metadata?.labels ?? {},
      deadlineSeconds: spec.progressDeadlineSeconds,
      paused: spec.paused === true,
    };
  },
};

export const replicaSetDeclaration: InformerDeclaration<ReplicaSet, ReplicaSetView> = {
  resource: replicasets,
  indexes: { controller: (view) => (view.controller === undefined ? [] : [view.controller.uid]) },
  project: ({ metadata, spec, status }) => {
    const view = objectView(metadata);
    return {
      ...view,
      revision: view.annotations[revisionAnnotation],
      hash: view.labels[hashLabel] ?? "",
      size: spec.replicas ?? 1,
      pods: status?.replicas ?? 0,
      ready: status?.readyReplicas ?? 0,
      available: status?.availableReplicas ?? 0,
    };
  },
};

export const serviceDeclaration: InformerDeclaration<Service, ServiceView> = {
  resource: services,
  project: ({ metadata, spec, status }) => {
    const view = objectView(metadata);
    return { ...view, service: { metadata: { name: view.name, namespace: view.namespace }, spec, status } };
  },
};

export const ingressDeclaration: InformerDeclaration<Ingress, IngressView> = {
  resource: ingresses,
  indexes: { namespace: (view) => [view.namespace] },
  project: ({ metadata, spec }) => {
    const backends = [
      spec.defaultBackend,
      ...(spec.rules ?? []).flatMap(({ http }) => http?.paths.map(({ backend }) => backend)),
    ];
    const names = backends.flatMap((backend) => (backend?.service === undefined ? [] : [backend.service.name]));
    return { ...objectView(metadata), services: [...new Set(names)] };
  },
};

export const splitDeclaration: InformerDeclaration<TrafficSplit, SplitView> = {
  resource: trafficsplits,
  project: (split) => ({ ...objectView(split.metadata), split }),
};

export const countDeclaration: InformerDeclaration<TrafficCount, TrafficCount> = {
  resource: trafficcounts,
  indexes: { split: ({ metadata, spec }) => [keyOf(metadata.namespace ?? "", spec.split)] },
  project: (count) => count,
};

export const nodeDeclaration: InformerDeclaration<Node, NodeView> = {
  resource: nodes,
  project: ({ metadata, status }) => ({
    name: metadata.name ?? "",
    ready: (status.conditions ?? []).some(({ type, status: is }) => type === "Ready" && is === "True"),
  }),
};

/** The informers of the Canary's loop. */
export interface Observed {
  readonly canaries: Informer<CanaryView>;
  readonly deployments: Informer<DeploymentView>;
  readonly replicaSets: Informer<ReplicaSetView>;
  readonly services: Informer<ServiceView>;
  readonly ingresses: Informer<IngressView>;
  readonly splits: Informer<SplitView>;
  readonly counts: Informer<TrafficCount>;
  readonly nodes: Informer<NodeView>;
}
