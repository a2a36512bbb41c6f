import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerSpec,
  HorizontalPodAutoscalerStatus,
} from "#api/generated/autoscaling-v2.ts";
import {
  trafficdemands,
  trafficholds,
  type TrafficDemand,
  type TrafficHold,
  type TrafficHoldSpec,
} from "#api/delivery/traffic-hold.ts";
import { autoscalingV2Horizontalpodautoscalers } from "#api/generated/resources.ts";
import type { InformerDeclaration } from "#reconcile/informer.ts";
import { keyOf, objectIndexes, objectView, type ObjectView } from "#reconcile/object-view.ts";

export interface AutoscalerView extends ObjectView {
  readonly spec: HorizontalPodAutoscalerSpec;
  readonly status: HorizontalPodAutoscalerStatus;
}

export const autoscalerDeclaration: InformerDeclaration<HorizontalPodAutoscaler, AutoscalerView> = {
  resource: autoscalingV2Horizontalpodautoscalers,
  indexes: objectIndexes,
  project: (autoscaler) => ({ ...objectView(autoscaler.metadata), spec: autoscaler.spec, status: autoscaler.status }),
};

export interface HoldView extends ObjectView {
  readonly spec: TrafficHoldSpec;
}

export interface DemandView extends ObjectView {
  /** `namespace/name` of the hold whose sleep it ends. */
  readonly holdKey: string;
  readonly holdUid: string;
  readonly sleep: number;
  readonly node: string;
  readonly service: string;
}

export const holdDeclaration: InformerDeclaration<TrafficHold, HoldView> = {
  resource: trafficholds,
  indexes: objectIndexes,
  project: ({ metadata, spec }) => ({ ...objectView(metadata), spec }),
};

export const demandDeclaration: InformerDeclaration<TrafficDemand, DemandView> = {
  resource: trafficdemands,
  indexes: { ...objectIndexes, hold: ({ holdKey }) => [holdKey] },
  project: ({ metadata, spec }) => ({
    ...objectView(metadata),
    holdKey: keyOf(metadata.namespace ?? "", spec.hold),
    holdUid: spec.holdUid,
    sleep: spec.sleep,
    node: spec.node,
    service: spec.service,
  }),
};
