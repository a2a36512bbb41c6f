import { nameColumn } from "#api/columns.ts";
import type { ApiObject } from "#api/kind.ts";
import type { Resource } from "#api/resource.ts";
import { parseLabelSelector, type Selector } from "#api/selectors.ts";
import {
  failure,
  virtualResource,
  type VirtualAnswer,
  type VirtualGroup,
  type VirtualKind,
  type VirtualRequest,
} from "#api/virtual-group.ts";
import { formatQuantity, quantityFromMillis } from "#codec/quantity.ts";
import { timeText } from "#reconcile/object-view.ts";
import { answerFromHistory, type History, type Point } from "../history/history.ts";
import { podsQueriedMax, seriesMax } from "../limits.ts";
import { equals, isMetricName, metricExpression, oneOf, selectorMatchers, selectorProblem } from "./expression.ts";

const customGroup = "custom.metrics.k8s.io";
const externalGroup = "external.metrics.k8s.io";

export interface NamedPod {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface CustomMetricsOptions {
  readonly history: History;
  readonly pods: (namespace: string) => readonly NamedPod[];
  /** Kinds of resources by their qualified name: `ingresses.networking.k8s.io`. */
  readonly resources: () => readonly Resource<unknown>[];
}

/** custom.metrics.k8s.io and external.metrics.k8s.io, answered from the history. */
export function createCustomMetrics(options: CustomMetricsOptions): readonly VirtualGroup[] {
  return [
    customMetrics(options, "v1beta2"),
    customMetrics(options, "v1beta1"),
    {
      group: externalGroup,
      version: "v1beta1",
      kinds: [listedAs(externalGroup, "v1beta1", "externalmetrics/*", "ExternalMetricValueList")],
      answer: (request) => answerFromHistory(() => external(options, request)),
    },
  ];
}

function customMetrics(options: CustomMetricsOptions, version: string): VirtualGroup {
  return {
    group: customGroup,
    version,
    kinds: [listedAs(customGroup, version, "pods/*", "MetricValueList")],
    answer: (request) => answerFromHistory(() => custom(options, version, request)),
  };
}

async function custom(options: CustomMetricsOptions, version: string, request: VirtualRequest): Promise<VirtualAnswer> {
  // `/namespaces/NAME/metrics/METRIC` is about the namespace itself.
  const isNamespace = request.resource === "metrics" && request.subresource === "";
  const metric = isNamespace ? request.name : request.subresource;
  if (!isMetricName(metric)) return unknownMetric(metric);
  const selectorText = request.query.get("metricLabelSelector") ?? "";
  const parsed = parseLabelSelector(selectorText);
  if (!parsed.ok) return failure(400, "BadRequest", parsed.message);
  const problem = selectorProblem(parsed.selector);
  if (problem !== undefined) return failure(400, "BadRequest", problem);
  const place = request.namespace === "" ? [] : [equals("namespace", request.namespace)];
  const matchers = [...place, ...selectorMatchers(parsed.selector)];
  const kind = isNamespace ? namespaceKind : kindOf(options, request.resource);
  if (kind === undefined) return unknownMetric(metric);
  const label = kind.label;
  const names = isNamespace ? [request.namespace] : namesOf(options, request);
  if (names !== undefined && names.length === 0) return unknownMetric(metric);
  const chosen = isNamespace || names === undefined ? [] : [oneOf(label, names)];
  const points = await options.history.query(metricExpression(metric, [...matchers, ...chosen], [label]));
  if (points.length > seriesMax) return tooMany(metric, points.length);
  const items = points
    .filter(({ labels }) => (labels[label] ?? "") !== "")
    .map((point) => customItem(version, kind, request.namespace, metric, selectorText, point));
  return items.length === 0 ? unknownMetric(metric) : { kind: "list", listKind: "MetricValueList", items };
}

/** Undefined: all that have the metric. Only pods are chosen by their labels: others are asked for by name. */
function namesOf({ pods }: CustomMetricsOptions, request: VirtualRequest): readonly string[] | undefined {
  if (request.name !== "*") return [request.name];
  if (request.resource !== "pods" || request.labels === undefined) return undefined;
  const { labels } = request;
  const chosen = pods(request.namespace).filter((pod) => labels.matches(pod.labels));
  // Longer lists make longer queries than Prometheus takes; the whole namespace is asked for then.
  return chosen.length > podsQueriedMax ? undefined : chosen.map(({ name }) => name);
}

interface DescribedKind {
  readonly kind: string;
  readonly apiVersion: string;
  readonly label: string;
}

const namespaceKind: DescribedKind = { kind: "Namespace", apiVersion: "/v1", label: "namespace" };

/** `deployments.apps` is found by series with the label `deployment`. */
function kindOf({ resources }: CustomMetricsOptions, qualified: string): DescribedKind | undefined {
  const found = resources().find(
    ({ group, resource }) => qualified === resource || qualified === `${resource}.${group}`,
  );
  if (found === undefined) return undefined;
  const apiVersion = found.group === "" ? "/v1" : `${found.group}/${found.version}`;
  return { kind: found.kind, apiVersion, label: found.kind.toLowerCase() };
}

function customItem(
  version: string,
  { kind, apiVersion, label }: DescribedKind,
  namespace: string,
  metric: string,
  selectorText: string,
  { labels, value, atMs }: Point,
): ApiObject {
  const name = labels[label] ?? "";
  const selector = selectorText === "" ? null : { matchLabels: Object.fromEntries(pairsOf(selectorText)) };
  return {
    metadata: {},
    describedObject: { kind, namespace, name, apiVersion },
    ...(version === "v1beta1" ? { metricName: metric } : { metric: { name: metric, selector } }),
    timestamp: timeText(atMs),
    value: quantityText(value),
  };
}

function pairsOf(selectorText: string): [string, string][] {
  return selectorText.split(",").flatMap((term): [string, string][] => {
    const match = /^([^=!]+)==?([^=]*)$/.exec(term);
    return match === null ? [] : [[match[1]!, match[2]!]];
  });
}

async function external({ history }: CustomMetricsOptions, request: VirtualRequest): Promise<VirtualAnswer> {
  const metric = request.resource;
  if (!isMetricName(metric) || request.namespace === "") return unknownMetric(metric);
  const labels: Selector | undefined = request.labels;
  const problem = selectorProblem(labels);
  if (problem !== undefined) return failure(400, "BadRequest", problem);
  // Series of the namespace, and those that belong to none: never another tenant's.
  const matchers = [oneOf("namespace", [request.namespace, ""]), ...selectorMatchers(labels)];
  const points = await history.query(metricExpression(metric, matchers, []));
  if (points.length > seriesMax) return tooMany(metric, points.length);
  const items = points.map((point): ApiObject => {
    const { __name__: _name, ...metricLabels } = point.labels;
    return {
      metadata: {},
      metricName: metric,
      metricLabels,
      timestamp: timeText(point.atMs),
      value: quantityText(point.value),
    };
  });
  return { kind: "list", listKind: "ExternalMetricValueList", items };
}

/** Hidden from `kubectl api-resources` by its slash, as the metrics of other servers are. */
function listedAs(group: string, version: string, resource: string, kind: string): VirtualKind {
  return {
    resource: virtualResource({ group, version, resource, kind, namespaced: true, verbs: ["get"] }),
    singular: "",
    columns: [nameColumn],
    cells: (object) => [object.metadata.name],
  };
}

function quantityText(value: number): string {
  return formatQuantity(quantityFromMillis(Math.round(value * 1000)));
}

function tooMany(metric: string, count: number): VirtualAnswer {
  const most = `${metric} has ${count} series, ${seriesMax} are the most that are told: say which by a selector`;
  return failure(400, "BadRequest", most);
}

function unknownMetric(metric: string): VirtualAnswer {
  return failure(404, "NotFound", `the server could not find the metric ${metric}`);
}
