import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerSpec,
  HorizontalPodAutoscalerStatus,
} from "#api/generated/autoscaling-v2.ts";
import { autoscalingV2Horizontalpodautoscalers } from "#api/generated/resources.ts";
import type { InformerDeclaration } from "#reconcile/informer.ts";
import { objectIndexes, objectView, type ObjectView } from "#reconcile/object-view.ts";

export interface AutoscalerView extends ObjectView {
  readonly spec: HorizontalPodAutoscalerSpec;
  readonly status: HorizontalPodAutoscalerStatus;
}

export const autoscalerDeclaration: InformerDeclaration<HorizontalPodAutoscaler, AutoscalerView> = {
  resource: autoscalingV2Horizontalpodautoscalers,
  indexes: objectIndexes,
  project: (autoscaler) => ({ ...objectView(autoscaler.metadata), spec: autoscaler.spec, status: autoscaler.status }),
};
