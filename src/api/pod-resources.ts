import type { Quantity } from "#codec/quantity.ts";
import { addQuantities, compareQuantities, quantityOf } from "#codec/quantity.ts";
import type { Container, ContainerStatus, Pod } from "./generated/core-v1.ts";

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

/** Amounts by resource name. */
export type Amounts = Record<string, Quantity>;

type Texts = Readonly<Record<string, string>> | undefined;
type Resources = Container["resources"] | undefined;

const qosResources = ["cpu", "memory"] as const;

/** The quality of service class that a pod's requests and limits give it. Quantities must be in canonical form. */
export function qosClassOf(pod: Pod): QosClass {
  const all: Resources[] =
    pod.spec.resources !== undefined
      ? [pod.spec.resources]
      : [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])].map((container) => container.resources);
  let any = false;
  let guaranteed = all.length > 0;
  for (const resources of all) {
    for (const name of qosResources) {
      const request = nonZero(resources?.requests?.[name]);
      const limit = nonZero(resources?.limits?.[name]);
      if (request !== undefined || limit !== undefined) any = true;
      if (limit === undefined || (request !== undefined && request !== limit)) guaranteed = false;
    }
  }
  if (!any) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

function nonZero(quantity: string | undefined): string | undefined {
  return quantity === "0" ? undefined : quantity;
}

/** Quantities that are given as texts. */
export function amountsOf(texts: Texts): Amounts {
  const amounts: Amounts = {};
  for (const name in texts) amounts[name] = quantityOf(texts[name] ?? "0");
  return amounts;
}

/** Adds `amounts` to `into`. */
export function addAmounts(into: Amounts, amounts: Amounts): void {
  for (const name in amounts) {
    const amount = amounts[name];
    const before = into[name];
    if (amount !== undefined) into[name] = before === undefined ? amount : addQuantities(before, amount);
  }
}

/** Raises `into` to `amounts` where those are larger. */
function maxAmounts(into: Amounts, amounts: Amounts): void {
  for (const name in amounts) {
    const amount = amounts[name];
    const before = into[name];
    if (amount !== undefined && (before === undefined || compareQuantities(before, amount) < 0)) into[name] = amount;
  }
}

function sum(left: Amounts, right: Amounts): Amounts {
  const total = { ...left };
  addAmounts(total, right);
  return total;
}

type Which = "requests" | "limits";

/**
 * Sums over the containers as they run: init containers one after the other, each beside the sidecars started before it, and
 * then the main containers beside all sidecars. The peak counts; what the pod itself says takes its place.
 */
function peak(pod: Pod, which: Which, amountsOfContainer: (container: Container) => Amounts): Amounts {
  const total: Amounts = {};
  for (const container of pod.spec.containers ?? []) addAmounts(total, amountsOfContainer(container));
  const sidecars: Amounts = {};
  const initPeak: Amounts = {};
  for (const container of pod.spec.initContainers ?? []) {
    const amounts = amountsOfContainer(container);
    if (isSidecar(container)) {
      addAmounts(sidecars, amounts);
      addAmounts(total, amounts);
      maxAmounts(initPeak, sidecars);
    } else {
      maxAmounts(initPeak, sum(amounts, sidecars));
    }
  }
  maxAmounts(total, initPeak);
  const podLevel = amountsOf(pod.spec.resources?.[which]);
  for (const name in podLevel) if (isPodLevel(name)) total[name] = podLevel[name]!;
  return total;
}

function isSidecar({ restartPolicy }: Container): boolean {
  return restartPolicy === "Always";
}

function isPodLevel(name: string): boolean {
  return name === "cpu" || name === "memory" || name.startsWith("hugepages-");
}

/** A resize that the node has refused keeps what it gave; one under way holds the larger of both. `unset`: where containers say nothing. */
function inForce(pod: Pod, which: Which, unset?: Texts): Amounts {
  const statuses = statusByName(pod);
  const infeasible = statuses.size > 0 && isResizeInfeasible(pod);
  return peak(pod, which, (container) => {
    const asked = amountsOf({ ...unset, ...container.resources?.[which] });
    const status = statuses.get(container.name);
    if (status?.resources === undefined) return asked;
    const amounts = infeasible ? {} : asked;
    maxAmounts(amounts, amountsOf(status.resources[which]));
    if (which === "requests") maxAmounts(amounts, amountsOf(status.allocatedResources));
    return amounts;
  });
}

function isResizeInfeasible(pod: Pod): boolean {
  return (pod.status?.conditions ?? []).some(
    (condition) => condition.type === "PodResizePending" && condition.reason === "Infeasible",
  );
}

/** Of the containers that a resize can change. */
function statusByName(pod: Pod): Map<string, ContainerStatus> {
  const sidecars = new Set((pod.spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name));
  const ofSidecars = (pod.status?.initContainerStatuses ?? []).filter(({ name }) => sidecars.has(name));
  return new Map([...(pod.status?.containerStatuses ?? []), ...ofSidecars].map((status) => [status.name, status]));
}

/** What the containers of a pod ask for or may use as they are written, its own level where given: what a LimitRange bounds. */
export function writtenAmounts(pod: Pod, which: Which): Amounts {
  return peak(pod, which, (container) => amountsOf(container.resources?.[which]));
}

/**
 * What a pod takes of its node: the peak over its containers, its own level where given, and its overhead. `unset`: what containers
 * that ask for nothing count for.
 */
export function podRequests(pod: Pod, unset?: Texts): Amounts {
  const total = inForce(pod, "requests", unset);
  addAmounts(total, amountsOf(pod.spec.overhead));
  return total;
}

/** What a pod may use at most. Resources that not every container limits are summed over those that do, as upstream. */
export function podLimits(pod: Pod): Amounts {
  const total = inForce(pod, "limits");
  const overhead = amountsOf(pod.spec.overhead);
  for (const name in overhead) {
    const amount = overhead[name];
    const limit = total[name];
    // Overhead on top of no limit is still no limit.
    if (limit !== undefined && limit.digits !== 0n && amount !== undefined) total[name] = addQuantities(limit, amount);
  }
  return total;
}
