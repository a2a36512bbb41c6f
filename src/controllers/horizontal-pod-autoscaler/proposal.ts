import type { MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from "#api/generated/autoscaling-v2.ts";
import { formatQuantity, parseQuantity, quantityFromMillis, quantityToMillis } from "#codec/quantity.ts";
import type { PodView } from "../views/pod.ts";
import { podMetricReplicas, wholeMetricReplicas, type PodTarget, type Proposal, type Tolerance } from "./ratio.ts";
import type { PodValue, Reading } from "./reading.ts";

/** What one metric of an autoscaler comes to. */
export type Judged =
  | { readonly ok: true; readonly replicas: number; readonly name: string; readonly status: MetricStatus }
  /**
   * `reason` is the condition's (`FailedGetResourceMetric`), `message` its and the event's, `summary` what is told of all metrics
   * together.
   */
  | { readonly ok: false; readonly reason: string; readonly message: string; readonly summary: string };

export interface Scene {
  readonly pods: readonly PodView[];
  readonly current: number;
  readonly tolerance: Tolerance;
  readonly now: number;
}

/** Judges one metric of the spec by what its source said. */
export function judgeMetric(spec: MetricSpec, reading: Reading, scene: Scene): Judged {
  switch (spec.type) {
    case "Resource":
      return judgeResource(spec, reading, scene);
    case "ContainerResource":
      return judgeResource(spec, reading, scene);
    case "Pods":
      return judgePods(spec, reading, scene);
    case "Object":
      return judgeObject(spec, reading, scene);
    case "External":
      return judgeExternal(spec, reading, scene);
    default:
      return failure("InvalidMetricSourceType", `unknown metric source type ${JSON.stringify(spec.type)}`);
  }
}

function judgeResource(spec: MetricSpec, reading: Reading, scene: Scene): Judged {
  const isContainer = spec.type === "ContainerResource";
  const source = isContainer ? spec.containerResource : spec.resource;
  const container = isContainer ? spec.containerResource?.container : undefined;
  const reason = isContainer ? "FailedGetContainerResourceMetric" : "FailedGetResourceMetric";
  if (source === undefined) return missing(spec, reason);
  const { name } = source;
  const target = targetOf(source);
  const isUtilization = target.averageUtilization !== undefined;
  const what = isUtilization ? `failed to get ${name} utilization` : `failed to get ${name} usage`;
  const whole = `failed to get ${name} ${isContainer ? "container" : "resource"} metric value`;
  const failed = (message: string): Judged => failure(reason, `${what}: ${message}`, whole);
  if (reading.kind !== "pods")
    return failed(reading.kind === "failed" ? reading.message : "the answer is not about pods");
  let podTarget: PodTarget;
  if (target.averageUtilization !== undefined) {
    const requests = requestsOf(scene.pods, name, container);
    if (!requests.ok) return failed(requests.message);
    podTarget = { kind: "utilization", percent: target.averageUtilization, requests: requests.byPod };
  } else {
    const value = thousandths(target.averageValue);
    if (value === undefined)
      return failed("invalid resource metric source: neither an average utilization nor an average value was set");
    podTarget = { kind: "average", value };
  }
  const proposal = byPods(scene, reading.values, podTarget, name === "cpu");
  if (!proposal.ok) return failed(proposal.message);
  const current = {
    ...(proposal.utilization === undefined ? {} : { averageUtilization: proposal.utilization }),
    averageValue: quantityText(proposal.usage),
  };
  const suffix = isUtilization ? " utilization (percentage of request)" : "";
  return isContainer
    ? accepted(proposal, `${name} container resource${suffix}`, {
        type: "ContainerResource",
        containerResource: { name, current, container: container ?? "" },
      })
    : accepted(proposal, `${name} resource${suffix}`, { type: "Resource", resource: { name, current } });
}

function judgePods(spec: MetricSpec, reading: Reading, scene: Scene): Judged {
  const source = spec.pods;
  const reason = "FailedGetPodsMetric";
  if (source === undefined) return missing(spec, reason);
  const failed = (message: string): Judged => failure(reason, message, "failed to get pods metric value");
  if (reading.kind !== "pods")
    return failed(reading.kind === "failed" ? reading.message : "the answer is not about pods");
  const value = thousandths(targetOf(source).averageValue);
  if (value === undefined) return failed("the target has no average value");
  const proposal = byPods(scene, reading.values, { kind: "average", value }, false);
  if (!proposal.ok) return failed(proposal.message);
  const current = { averageValue: quantityText(proposal.usage) };
  return accepted(proposal, `pods metric ${source.metric.name}`, {
    type: "Pods",
    pods: { metric: source.metric, current },
  });
}

function judgeObject(spec: MetricSpec, reading: Reading, scene: Scene): Judged {
  const source = spec.object;
  const reason = "FailedGetObjectMetric";
  if (source === undefined) return missing(spec, reason);
  const failed = (message: string): Judged => failure(reason, message, "failed to get object metric value");
  if (reading.kind !== "value")
    return failed(reading.kind === "failed" ? reading.message : "the answer is not about one object");
  const { metric, describedObject } = source;
  const { type, value, averageValue } = targetOf(source);
  // Both may be set here: the type says which counts.
  const chosen = type === "Value" ? { value } : type === "AverageValue" ? { averageValue } : {};
  const whole = byWhole(scene, reading.value, chosen);
  if (!whole.ok) return failed(whole.message);
  return accepted(whole.proposal, `${describedObject.kind} metric ${metric.name}`, {
    type: "Object",
    object: { metric, describedObject, current: whole.current },
  });
}

function judgeExternal(spec: MetricSpec, reading: Reading, scene: Scene): Judged {
  const source = spec.external;
  const reason = "FailedGetExternalMetric";
  if (source === undefined) return missing(spec, reason);
  const { metric } = source;
  const failed = (message: string): Judged =>
    failure(reason, message, `failed to get ${metric.name} external metric value`);
  if (reading.kind !== "values")
    return failed(reading.kind === "failed" ? reading.message : "the answer is not an external metric");
  if (reading.values.length === 0) return failed("no metrics returned from external metrics API");
  const sum = reading.values.reduce((total, value) => total + value, 0);
  const whole = byWhole(scene, sum, targetOf(source));
  if (!whole.ok) return failed(whole.message);
  const external = { metric, current: whole.current };
  return accepted(whole.proposal, `external metric ${metric.name}`, { type: "External", external });
}

function byPods(scene: Scene, values: ReadonlyMap<string, PodValue>, target: PodTarget, isCpu: boolean): Proposal {
  return sane(podMetricReplicas({ ...scene, values, target, isCpu }));
}

type Whole =
  | { readonly ok: true; readonly proposal: Extract<Proposal, { ok: true }>; readonly current: MetricValueStatus }
  | { readonly ok: false; readonly message: string };

function byWhole(
  scene: Scene,
  usage: number,
  target: { readonly value?: string | undefined; readonly averageValue?: string | undefined },
): Whole {
  const kind = target.averageValue === undefined ? "value" : "average";
  const value = thousandths(target.averageValue ?? target.value);
  if (value === undefined) return { ok: false, message: "the target is neither a value nor an average value" };
  const proposal = sane(wholeMetricReplicas({ ...scene, usage, target: { kind, value } }));
  if (!proposal.ok) return proposal;
  const text = quantityText(proposal.usage);
  return { ok: true, proposal, current: kind === "value" ? { value: text } : { averageValue: text } };
}

/** A division by nothing or a number that is none must scale nothing. */
function sane(proposal: Proposal): Proposal {
  if (!proposal.ok || (Number.isFinite(proposal.replicas) && proposal.replicas >= 0 && Number.isFinite(proposal.usage)))
    return proposal;
  return { ok: false, message: "the metric and its target give no number of replicas" };
}

function accepted(proposal: Extract<Proposal, { ok: true }>, name: string, status: MetricStatus): Judged {
  return { ok: true, replicas: proposal.replicas, name, status };
}

function failure(reason: string, message: string, whole?: string): Judged {
  return { ok: false, reason, message, summary: whole === undefined ? message : `${whole}: ${message}` };
}

function missing(spec: MetricSpec, reason: string): Judged {
  return failure(reason, `the spec has a metric of type ${spec.type} without its source`);
}

/** An autoscaler that an older program or a restore left behind may lack what validation asks for today. */
function targetOf(source: { readonly target?: MetricTarget }): Partial<MetricTarget> {
  return source.target ?? {};
}

type Requests =
  | { readonly ok: true; readonly byPod: ReadonlyMap<string, number> }
  | { readonly ok: false; readonly message: string };

/** What each pod asked for of a resource; one container without a request makes a percentage meaningless. */
function requestsOf(pods: readonly PodView[], resource: string, container: string | undefined): Requests {
  const byPod = new Map<string, number>();
  for (const pod of pods) {
    const whole = pod.requests.pod[resource];
    if (container === undefined && whole !== undefined) {
      byPod.set(pod.name, whole);
      continue;
    }
    const chosen = pod.requests.containers.filter(({ name }) => container === undefined || name === container);
    if (chosen.length === 0) return { ok: false, message: `container ${container ?? ""} not found in Pod ${pod.name}` };
    let sum = 0;
    for (const { name, requests } of chosen) {
      const request = requests[resource];
      if (request === undefined) {
        return { ok: false, message: `missing request for ${resource} in container ${name} of Pod ${pod.name}` };
      }
      sum += request;
    }
    byPod.set(pod.name, sum);
  }
  return { ok: true, byPod };
}

/** A positive amount in thousandths; undefined when there is none. */
function thousandths(text: string | undefined): number | undefined {
  const parsed = parseQuantity(text ?? "");
  if (!parsed.ok) return undefined;
  const value = Number(quantityToMillis(parsed.quantity));
  return value > 0 ? value : undefined;
}

function quantityText(value: number): string {
  return formatQuantity(quantityFromMillis(Math.round(value)));
}
