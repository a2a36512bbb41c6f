import { ageColumn, column, nameColumn } from "../columns.ts";
import type {
  HorizontalPodAutoscaler,
  HPAScalingRules,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  MetricValueStatus,
} from "../generated/autoscaling-v2.ts";
import { ageOf } from "../human-duration.ts";
import type { KindRules } from "../kind.ts";
import { separateStatus } from "../strategy.ts";
import { validateAutoscaler } from "../validation/autoscaler.ts";
import { collect } from "../validation/field-errors.ts";

const shownMax = 2;
const cpuUtilization = 80;

function defaultRules(rules: HPAScalingRules | undefined, fallback: HPAScalingRules): HPAScalingRules {
  const filled: HPAScalingRules = { ...rules };
  filled.selectPolicy ??= "Max";
  if (filled.stabilizationWindowSeconds === undefined && fallback.stabilizationWindowSeconds !== undefined) {
    filled.stabilizationWindowSeconds = fallback.stabilizationWindowSeconds;
  }
  filled.policies ??= fallback.policies ?? [];
  return filled;
}

function setDefaults(autoscaler: HorizontalPodAutoscaler): void {
  const { spec } = autoscaler;
  spec.minReplicas ??= 1;
  if ((spec.metrics ?? []).length === 0) {
    spec.metrics = [
      {
        type: "Resource",
        resource: { name: "cpu", target: { type: "Utilization", averageUtilization: cpuUtilization } },
      },
    ];
  }
  if (spec.behavior === undefined) return;
  spec.behavior.scaleUp = defaultRules(spec.behavior.scaleUp, {
    stabilizationWindowSeconds: 0,
    policies: [
      { type: "Pods", value: 4, periodSeconds: 15 },
      { type: "Percent", value: 100, periodSeconds: 15 },
    ],
  });
  spec.behavior.scaleDown = defaultRules(spec.behavior.scaleDown, {
    policies: [{ type: "Percent", value: 100, periodSeconds: 15 }],
  });
}

function currentOf(status: MetricStatus | undefined): MetricValueStatus | undefined {
  return (status?.resource ?? status?.containerResource ?? status?.pods ?? status?.object ?? status?.external)?.current;
}

function targetOf(metric: MetricSpec): MetricTarget | undefined {
  return (metric.resource ?? metric.containerResource ?? metric.pods ?? metric.object ?? metric.external)?.target;
}

/** `10%/80%`, `<unknown>/2k (avg)` */
function ratio(metric: MetricSpec, status: MetricStatus | undefined): string {
  const target = targetOf(metric);
  const current = currentOf(status);
  if (target?.averageUtilization !== undefined) {
    const now = current?.averageUtilization;
    return `${now === undefined ? "<unknown>" : `${now}%`}/${target.averageUtilization}%`;
  }
  if (target?.averageValue !== undefined) {
    const suffix = metric.type === "Object" || metric.type === "External" ? " (avg)" : "";
    return `${current?.averageValue ?? "<unknown>"}/${target.averageValue}${suffix}`;
  }
  return `${current?.value ?? "<unknown>"}/${target?.value ?? "<auto>"}`;
}

function targetsOf(autoscaler: HorizontalPodAutoscaler): string {
  const metrics = autoscaler.spec.metrics ?? [];
  if (metrics.length === 0) return "<none>";
  const shown = metrics.slice(0, shownMax).map((metric, index) => {
    const name = metric.resource?.name ?? metric.containerResource?.name;
    const text = ratio(metric, autoscaler.status?.currentMetrics?.[index]);
    return name === undefined ? text : `${name}: ${text}`;
  });
  const more = metrics.length - shown.length;
  return more > 0 ? `${shown.join(", ")} + ${more} more...` : shown.join(", ");
}

/** Rules of version 2, in which autoscalers are stored. */
export const horizontalPodAutoscalerRules: KindRules<HorizontalPodAutoscaler> = {
  ...separateStatus<HorizontalPodAutoscaler>(() => ({ desiredReplicas: 0, currentMetrics: [] })),
  defaults: setDefaults,
  validate: (autoscaler) => collect((errors) => validateAutoscaler(errors, autoscaler)),
  countsGeneration: false,
  columns: [
    nameColumn,
    column("Reference", "scaleTargetRef points to the target resource to scale."),
    column("Targets", "The metrics with their current and wanted values."),
    column(
      "MinPods",
      "minReplicas is the lower limit for the number of replicas to which the autoscaler can scale down.",
    ),
    column(
      "MaxPods",
      "maxReplicas is the upper limit for the number of replicas to which the autoscaler can scale up.",
    ),
    column("Replicas", "The number of replicas as last seen by the autoscaler."),
    ageColumn,
  ],
  cells: (autoscaler, now) => [
    autoscaler.metadata.name,
    `${autoscaler.spec.scaleTargetRef?.kind ?? ""}/${autoscaler.spec.scaleTargetRef?.name ?? ""}`,
    targetsOf(autoscaler),
    autoscaler.spec.minReplicas === undefined ? "<unset>" : String(autoscaler.spec.minReplicas),
    autoscaler.spec.maxReplicas ?? 0,
    autoscaler.status?.currentReplicas ?? 0,
    ageOf(autoscaler.metadata.creationTimestamp, now),
  ],
};
