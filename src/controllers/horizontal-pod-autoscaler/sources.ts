import type { MetricIdentifier, MetricSpec } from "#api/generated/autoscaling-v2.ts";
import type { Resource } from "#api/resource.ts";
import { formatLabelSelector } from "#api/selectors.ts";
import type { Client } from "#client/client.ts";
import { parseQuantity, quantityToMillis } from "#codec/quantity.ts";
import { timeOf } from "#reconcile/object-view.ts";
import type { PodValue, Reading } from "./reading.ts";

const resourceMetrics = "/apis/metrics.k8s.io/v1beta1";
const customMetrics = "/apis/custom.metrics.k8s.io/v1beta2";
const externalMetrics = "/apis/external.metrics.k8s.io/v1beta1";
const windowMsDefault = 60_000;

export interface Question {
  readonly namespace: string;
  /** The target's selector, as text. */
  readonly selector: string;
  /** How old a sample of CPU and memory may be. Milliseconds. */
  readonly maxAgeMs: number;
  readonly resources: () => readonly Resource<unknown>[];
}

/** Asks the metrics APIs for one metric, whoever serves them. Never rejects: what is missing is said. */
export async function readMetric(client: Client, spec: MetricSpec, question: Question): Promise<Reading> {
  try {
    return await read(client, spec, question);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: "failed", message: `${intent(spec, question)}${message}` };
  }
}

function intent(spec: MetricSpec, { namespace }: Question): string {
  const name = spec.resource?.name ?? spec.containerResource?.name;
  if (name !== undefined) {
    return `unable to get metrics for resource ${name}: unable to fetch metrics from resource metrics API: `;
  }
  const metric = (spec.pods ?? spec.object ?? spec.external)?.metric?.name ?? "";
  if (spec.external === undefined)
    return `unable to get metric ${metric}: unable to fetch metrics from custom metrics API: `;
  const selector = spec.external.metric?.selector === undefined ? "nil" : formatSelectorOf(spec.external.metric);
  const named = `${namespace}/${metric}/${selector}`;
  return `unable to get external metric ${named}: unable to fetch metrics from external metrics API: `;
}

async function read(client: Client, spec: MetricSpec, question: Question): Promise<Reading> {
  const { namespace, selector } = question;
  const within = `/namespaces/${encodeURIComponent(namespace)}`;
  if (spec.resource !== undefined || spec.containerResource !== undefined) {
    const query = new URLSearchParams({ labelSelector: selector, maxAgeMs: String(question.maxAgeMs) });
    const answer = await client.request("GET", `${resourceMetrics}${within}/pods?${query.toString()}`);
    return podUsages(
      itemsOf(answer),
      spec.resource?.name ?? spec.containerResource?.name ?? "",
      spec.containerResource?.container,
    );
  }
  if (spec.pods !== undefined) {
    const query = new URLSearchParams({ labelSelector: selector, ...metricSelector(spec.pods.metric) });
    const metric = encodeURIComponent(spec.pods.metric.name);
    const answer = await client.request("GET", `${customMetrics}${within}/pods/*/${metric}?${query.toString()}`);
    return podValues(itemsOf(answer));
  }
  if (spec.object !== undefined) {
    const { metric, describedObject } = spec.object;
    const query = new URLSearchParams(metricSelector(metric));
    const path = objectPath(describedObject, within, question.resources());
    const answer = await client.request(
      "GET",
      `${customMetrics}${path}/${encodeURIComponent(metric.name)}?${query.toString()}`,
    );
    return objectValue(itemsOf(answer));
  }
  if (spec.external !== undefined) {
    const { metric } = spec.external;
    const query = new URLSearchParams({ labelSelector: formatSelectorOf(metric) });
    const answer = await client.request(
      "GET",
      `${externalMetrics}${within}/${encodeURIComponent(metric.name)}?${query.toString()}`,
    );
    const items = itemsOf(answer);
    if (items.length === 0) throw new Error("no metrics returned from external metrics API");
    return { kind: "values", values: items.map((item) => amountOf(item["value"], "the external metric")) };
  }
  return { kind: "failed", message: "the spec names no source" };
}

type Item = Readonly<Record<string, unknown>>;

/** Bad answers throw a sentence, which becomes the reading's message. */
function itemsOf(answer: unknown): readonly Item[] {
  const items = (answer as { items?: unknown } | undefined)?.items;
  if (!Array.isArray(items)) throw new Error("the answer is not a list");
  return items.filter((item): item is Item => typeof item === "object" && item !== null);
}

function podUsages(items: readonly Item[], resource: string, container: string | undefined): Reading {
  if (items.length === 0) throw new Error("no metrics returned from resource metrics API");
  const values = new Map<string, PodValue>();
  for (const item of items) {
    const name = (item["metadata"] as { name?: unknown } | undefined)?.name;
    const containers = item["containers"];
    if (typeof name !== "string" || !Array.isArray(containers)) continue;
    let total: number | undefined;
    for (const each of containers as { name?: unknown; usage?: Record<string, unknown> }[]) {
      if (container !== undefined && each.name !== container) continue;
      // A container without the measurement leaves its pod unmeasured, rather than seeming idle.
      if (each.usage?.[resource] === undefined) {
        total = undefined;
        break;
      }
      total = (total ?? 0) + amountOf(each.usage[resource], `the ${resource} of pod ${name}`);
    }
    if (total !== undefined) values.set(name, { value: total, ...timing(item) });
  }
  return { kind: "pods", values };
}

function podValues(items: readonly Item[]): Reading {
  if (items.length === 0) throw new Error("no metrics returned from custom metrics API");
  const values = new Map<string, PodValue>();
  for (const item of items) {
    const name = (item["describedObject"] as { name?: unknown } | undefined)?.name;
    if (typeof name === "string")
      values.set(name, { value: amountOf(item["value"], `the metric of pod ${name}`), ...timing(item) });
  }
  return { kind: "pods", values };
}

function objectValue(items: readonly Item[]): Reading {
  const [item] = items;
  if (item === undefined) throw new Error("no metrics returned from custom metrics API");
  return { kind: "value", value: amountOf(item["value"], "the metric of the object") };
}

function timing(item: Item): { readonly atMs: number; readonly windowMs: number } {
  const seconds = item["windowSeconds"];
  const text = typeof item["window"] === "string" ? item["window"] : "";
  const parsed = /^(?:(\d+)m)?(\d+(?:\.\d+)?)s$/.exec(text);
  const written = parsed === null ? windowMsDefault : (Number(parsed[1] ?? 0) * 60 + Number(parsed[2])) * 1000;
  return {
    atMs: timeOf(typeof item["timestamp"] === "string" ? item["timestamp"] : undefined) ?? 0,
    windowMs: typeof seconds === "number" && Number.isFinite(seconds) ? seconds * 1000 : written,
  };
}

/** Thousandths. Nothing is scaled on what is no amount. */
function amountOf(value: unknown, of: string): number {
  const parsed = parseQuantity(typeof value === "string" ? value : typeof value === "number" ? String(value) : "");
  if (!parsed.ok) throw new Error(`${of} is ${JSON.stringify(value) ?? "missing"}, which is no amount`);
  const amount = Number(quantityToMillis(parsed.quantity));
  if (amount < 0) throw new Error(`${of} is ${JSON.stringify(value)}, which is below zero`);
  return amount;
}

function formatSelectorOf({ selector }: MetricIdentifier): string {
  return selector === undefined ? "" : formatLabelSelector(selector);
}

function metricSelector(metric: MetricIdentifier): Record<string, string> {
  const text = formatSelectorOf(metric);
  return text === "" ? {} : { metricLabelSelector: text };
}

function objectPath(
  { kind, name, apiVersion = "" }: { readonly kind: string; readonly name: string; readonly apiVersion?: string },
  within: string,
  resources: readonly Resource<unknown>[],
): string {
  const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
  if (kind === "Namespace" && group === "") return `/namespaces/${encodeURIComponent(name)}/metrics`;
  const found = resources.find((resource) => resource.kind === kind && resource.group === group);
  if (found === undefined)
    throw new Error(`unable to map the kind ${kind} of ${apiVersion === "" ? "v1" : apiVersion} to a resource`);
  const qualified = group === "" ? found.resource : `${found.resource}.${group}`;
  return `${found.namespaced ? within : ""}/${qualified}/${encodeURIComponent(name)}`;
}
