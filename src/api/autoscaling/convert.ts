import type * as v1 from "../generated/autoscaling-v1.ts";
import type * as v2 from "../generated/autoscaling-v2.ts";
import type { ApiObject } from "../kind.ts";

// Version 1 knows one metric, the CPU's utilization. What else an autoscaler has travels in annotations, under the names that
// clients of version 1 know, so that nothing is lost when such a client reads and writes.
const prefix = "autoscaling.alpha.kubernetes.io/";
const metricsAnnotation = `${prefix}metrics`;
const currentMetricsAnnotation = `${prefix}current-metrics`;
const conditionsAnnotation = `${prefix}conditions`;
const behaviorAnnotation = `${prefix}behavior`;
const annotations = [metricsAnnotation, currentMetricsAnnotation, conditionsAnnotation, behaviorAnnotation];

function isCpuUtilization(metric: v2.MetricSpec): boolean {
  return (
    metric.type === "Resource" &&
    metric.resource?.name === "cpu" &&
    metric.resource.target?.averageUtilization !== undefined
  );
}

function isCurrentCpuUtilization(metric: v2.MetricStatus): boolean {
  return (
    metric.type === "Resource" &&
    metric.resource?.name === "cpu" &&
    metric.resource.current?.averageUtilization !== undefined
  );
}

/** An object of what is set: absent values are left out. */
function present<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  const copy: Partial<T> = {};
  for (const name in fields) if (fields[name] !== undefined) copy[name] = fields[name];
  return copy as T;
}

function metricToV1(metric: v2.MetricSpec): v1.MetricSpec {
  const { object, pods, resource, containerResource, external } = metric;
  return present<v1.MetricSpec>({
    type: metric.type,
    object:
      object &&
      present<v1.ObjectMetricSource>({
        target: object.describedObject,
        metricName: object.metric.name,
        targetValue: object.target.value ?? "0",
        selector: object.metric.selector,
        averageValue: object.target.averageValue,
      }),
    pods:
      pods &&
      present<v1.PodsMetricSource>({
        metricName: pods.metric.name,
        targetAverageValue: pods.target.averageValue ?? "0",
        selector: pods.metric.selector,
      }),
    resource:
      resource &&
      present<v1.ResourceMetricSource>({
        name: resource.name,
        targetAverageUtilization: resource.target.averageUtilization,
        targetAverageValue: resource.target.averageValue,
      }),
    containerResource:
      containerResource &&
      present<v1.ContainerResourceMetricSource>({
        name: containerResource.name,
        targetAverageUtilization: containerResource.target.averageUtilization,
        targetAverageValue: containerResource.target.averageValue,
        container: containerResource.container,
      }),
    external:
      external &&
      present<v1.ExternalMetricSource>({
        metricName: external.metric.name,
        metricSelector: external.metric.selector,
        targetValue: external.target.value,
        targetAverageValue: external.target.averageValue,
      }),
  });
}

function target(
  value: string | undefined,
  averageValue: string | undefined,
  utilization: number | undefined,
): v2.MetricTarget {
  const type = utilization !== undefined ? "Utilization" : averageValue !== undefined ? "AverageValue" : "Value";
  return present<v2.MetricTarget>({ type, value, averageValue, averageUtilization: utilization });
}

function metricToV2(metric: v1.MetricSpec): v2.MetricSpec {
  const { object, pods, resource, containerResource, external } = metric;
  const objectValue = object?.averageValue === undefined ? object?.targetValue : undefined;
  return present<v2.MetricSpec>({
    type: metric.type,
    object: object && {
      describedObject: object.target,
      target: target(objectValue, object.averageValue, undefined),
      metric: present<v2.MetricIdentifier>({ name: object.metricName, selector: object.selector }),
    },
    pods: pods && {
      metric: present<v2.MetricIdentifier>({ name: pods.metricName, selector: pods.selector }),
      target: target(undefined, pods.targetAverageValue, undefined),
    },
    resource: resource && {
      name: resource.name,
      target: target(undefined, resource.targetAverageValue, resource.targetAverageUtilization),
    },
    containerResource: containerResource && {
      name: containerResource.name,
      target: target(undefined, containerResource.targetAverageValue, containerResource.targetAverageUtilization),
      container: containerResource.container,
    },
    external: external && {
      metric: present<v2.MetricIdentifier>({ name: external.metricName, selector: external.metricSelector }),
      target: target(external.targetValue, external.targetAverageValue, undefined),
    },
  });
}

function statusToV1(status: v2.MetricStatus): v1.MetricStatus {
  const { object, pods, resource, containerResource, external } = status;
  return present<v1.MetricStatus>({
    type: status.type,
    object:
      object &&
      present<v1.ObjectMetricStatus>({
        target: object.describedObject,
        metricName: object.metric.name,
        currentValue: object.current.value ?? "0",
        selector: object.metric.selector,
        averageValue: object.current.averageValue,
      }),
    pods:
      pods &&
      present<v1.PodsMetricStatus>({
        metricName: pods.metric.name,
        currentAverageValue: pods.current.averageValue ?? "0",
        selector: pods.metric.selector,
      }),
    resource:
      resource &&
      present<v1.ResourceMetricStatus>({
        name: resource.name,
        currentAverageUtilization: resource.current.averageUtilization,
        currentAverageValue: resource.current.averageValue ?? "0",
      }),
    containerResource:
      containerResource &&
      present<v1.ContainerResourceMetricStatus>({
        name: containerResource.name,
        currentAverageUtilization: containerResource.current.averageUtilization,
        currentAverageValue: containerResource.current.averageValue ?? "0",
        container: containerResource.container,
      }),
    external:
      external &&
      present<v1.ExternalMetricStatus>({
        metricName: external.metric.name,
        metricSelector: external.metric.selector,
        currentValue: external.current.value ?? "0",
        currentAverageValue: external.current.averageValue,
      }),
  });
}

function statusToV2(status: v1.MetricStatus): v2.MetricStatus {
  const { object, pods, resource, containerResource, external } = status;
  const value = present<v2.MetricValueStatus>;
  return present<v2.MetricStatus>({
    type: status.type,
    object: object && {
      metric: present<v2.MetricIdentifier>({ name: object.metricName, selector: object.selector }),
      current: value({ value: object.currentValue, averageValue: object.averageValue, averageUtilization: undefined }),
      describedObject: object.target,
    },
    pods: pods && {
      metric: present<v2.MetricIdentifier>({ name: pods.metricName, selector: pods.selector }),
      current: value({ value: undefined, averageValue: pods.currentAverageValue, averageUtilization: undefined }),
    },
    resource: resource && {
      name: resource.name,
      current: value({
        value: undefined,
        averageValue: resource.currentAverageValue,
        averageUtilization: resource.currentAverageUtilization,
      }),
    },
    containerResource: containerResource && {
      name: containerResource.name,
      current: value({
        value: undefined,
        averageValue: containerResource.currentAverageValue,
        averageUtilization: containerResource.currentAverageUtilization,
      }),
      container: containerResource.container,
    },
    external: external && {
      metric: present<v2.MetricIdentifier>({ name: external.metricName, selector: external.metricSelector }),
      current: value({
        value: external.currentValue,
        averageValue: external.currentAverageValue,
        averageUtilization: undefined,
      }),
    },
  });
}

function read<T>(text: string | undefined): T | undefined {
  if (text === undefined || text === "") return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    // Whatever a user wrote there that is no JSON is no metric.
    return undefined;
  }
}

/** A stored autoscaler as version 1 says it. */
function autoscalerToV1(autoscaler: v2.HorizontalPodAutoscaler): v1.HorizontalPodAutoscaler {
  const { metadata, spec, status } = autoscaler;
  const kept: Record<string, string> = { ...metadata.annotations };
  for (const name of annotations) delete kept[name];
  const cpu = spec.metrics?.find(isCpuUtilization)?.resource?.target.averageUtilization;
  const others = (spec.metrics ?? []).filter((metric) => !isCpuUtilization(metric)).map(metricToV1);
  if (others.length > 0) kept[metricsAnnotation] = JSON.stringify(others);
  const current = (status?.currentMetrics ?? []).filter((metric) => !isCurrentCpuUtilization(metric)).map(statusToV1);
  if (current.length > 0) kept[currentMetricsAnnotation] = JSON.stringify(current);
  if ((status?.conditions ?? []).length > 0) kept[conditionsAnnotation] = JSON.stringify(status.conditions);
  if (spec.behavior !== undefined) {
    const { scaleUp, scaleDown } = spec.behavior;
    kept[behaviorAnnotation] = JSON.stringify({ ScaleUp: scaleUp, ScaleDown: scaleDown });
  }
  const copy = { ...metadata };
  if (Object.keys(kept).length > 0) copy.annotations = kept;
  else delete copy.annotations;
  return {
    apiVersion: "autoscaling/v1",
    kind: "HorizontalPodAutoscaler",
    metadata: copy,
    spec: present<v1.HorizontalPodAutoscalerSpec>({
      scaleTargetRef: spec.scaleTargetRef,
      minReplicas: spec.minReplicas,
      maxReplicas: spec.maxReplicas,
      targetCPUUtilizationPercentage: cpu,
    }),
    status: present<v1.HorizontalPodAutoscalerStatus>({
      observedGeneration: status?.observedGeneration,
      lastScaleTime: status?.lastScaleTime,
      currentReplicas: status?.currentReplicas ?? 0,
      desiredReplicas: status?.desiredReplicas ?? 0,
      currentCPUUtilizationPercentage:
        status?.currentMetrics?.find(isCurrentCpuUtilization)?.resource?.current.averageUtilization,
    }),
  };
}

/** What a client of version 1 wrote, in the stored version. */
function autoscalerFromV1(autoscaler: v1.HorizontalPodAutoscaler): v2.HorizontalPodAutoscaler {
  const { metadata, spec, status } = autoscaler;
  const given = metadata.annotations ?? {};
  const metrics = (read<v1.MetricSpec[]>(given[metricsAnnotation]) ?? []).map(metricToV2);
  const percent = spec.targetCPUUtilizationPercentage;
  if (percent !== undefined)
    metrics.push({ type: "Resource", resource: { name: "cpu", target: target(undefined, undefined, percent) } });
  const current = (read<v1.MetricStatus[]>(given[currentMetricsAnnotation]) ?? []).map(statusToV2);
  const currentPercent = status?.currentCPUUtilizationPercentage;
  if (currentPercent !== undefined) {
    current.push({ type: "Resource", resource: { name: "cpu", current: { averageUtilization: currentPercent } } });
  }
  const behavior = read<{ ScaleUp?: v2.HPAScalingRules; ScaleDown?: v2.HPAScalingRules }>(given[behaviorAnnotation]);
  const copy = { ...metadata };
  if (metadata.annotations !== undefined) {
    const kept: Record<string, string> = { ...metadata.annotations };
    for (const name of annotations) delete kept[name];
    if (Object.keys(kept).length > 0) copy.annotations = kept;
    else delete copy.annotations;
  }
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: copy,
    spec: present<v2.HorizontalPodAutoscalerSpec>({
      scaleTargetRef: spec.scaleTargetRef,
      minReplicas: spec.minReplicas,
      maxReplicas: spec.maxReplicas,
      metrics: metrics.length > 0 ? metrics : undefined,
      behavior:
        behavior === undefined
          ? undefined
          : present<v2.HorizontalPodAutoscalerBehavior>({ scaleUp: behavior.ScaleUp, scaleDown: behavior.ScaleDown }),
    }),
    status: present<v2.HorizontalPodAutoscalerStatus>({
      observedGeneration: status?.observedGeneration,
      lastScaleTime: status?.lastScaleTime,
      currentReplicas: status?.currentReplicas,
      desiredReplicas: status?.desiredReplicas ?? 0,
      currentMetrics: current,
      conditions: read<v2.HorizontalPodAutoscalerCondition[]>(given[conditionsAnnotation]),
    }),
  };
}

/** The conversion between the two served versions, for `Kind.convert`. */
export function convertAutoscaler(object: ApiObject, from: { version: string }, to: { version: string }): ApiObject {
  if (from.version === to.version) return object;
  const converted: object =
    to.version === "v1"
      ? autoscalerToV1(object as object as v2.HorizontalPodAutoscaler)
      : autoscalerFromV1(object as object as v1.HorizontalPodAutoscaler);
  return converted as ApiObject;
}
