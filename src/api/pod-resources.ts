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

function amountsOf(texts: Texts): Amounts {
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

/**
 * Sums over the containers as they run: init containers one after the other, each beside the sidecars started before it, and
 * then the main containers beside all sidecars. The peak counts.
 */
function peak(pod: Pod, amountsOfContainer: (container: Container, isInit: boolean) => Amounts): Amounts {
  const total: Amounts = {};
  for (const container of pod.spec.containers ?? []) addAmounts(total, amountsOfContainer(container, false));
  const sidecars: Amounts = {};
  const initPeak: Amounts = {};
  for (const container of pod.spec.initContainers ?? []) {
    const amounts = amountsOfContainer(container, true);
    if (container.restartPolicy === "Always") {
      addAmounts(sidecars, amounts);
      addAmounts(total, amounts);
      maxAmounts(initPeak, sidecars);
    } else {
      maxAmounts(initPeak, sum(amounts, sidecars));
    }
  }
  maxAmounts(total, initPeak);
  return total;
}

function isPodLevel(name: string): boolean {
  return name === "cpu" || name === "memory" || name.startsWith("hugepages-");
}

/** A resize that the node has refused keeps what it gave; one under way holds the larger of both. */
function requestsInForce(container: Container, status: ContainerStatus | undefined, infeasible: boolean): Amounts {
  const asked = amountsOf(container.resources?.requests);
  const given = status?.resources?.requests;
  if (given === undefined && status?.allocatedResources === undefined) return asked;
  if (infeasible) return amountsOf(given ?? status?.allocatedResources);
  maxAmounts(asked, amountsOf(given));
  maxAmounts(asked, amountsOf(status?.allocatedResources));
  return asked;
}

function isResizeInfeasible(pod: Pod): boolean {
  return (pod.status?.conditions ?? []).some(
    (condition) => condition.type === "PodResizePending" && condition.reason === "Infeasible",
  );
}

function statusByName(pod: Pod): Map<string, ContainerStatus> {
  const all = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  return new Map(all.map((status) => [status.name, status]));
}

/** What a pod takes of its node: the peak over its containers, its own level where given, and its overhead. */
export function podRequests(pod: Pod): Amounts {
  const statuses = statusByName(pod);
  const infeasible = statuses.size > 0 && isResizeInfeasible(pod);
  const total = peak(pod, (container) => requestsInForce(container, statuses.get(container.name), infeasible));
  overridePodLevel(total, pod.spec.resources?.requests);
  addAmounts(total, amountsOf(pod.spec.overhead));
  return total;
}

/** What a pod may use at most. Resources that not every container limits are summed over those that do, as upstream. */
export function podLimits(pod: Pod): Amounts {
  const total = peak(pod, (container) => amountsOf(container.resources?.limits));
  overridePodLevel(total, pod.spec.resources?.limits);
  const overhead = amountsOf(pod.spec.overhead);
  for (const name in overhead) {
    const amount = overhead[name];
    const limit = total[name];
    // Overhead on top of no limit is still no limit.
    if (limit !== undefined && limit.digits !== 0n && amount !== undefined) total[name] = addQuantities(limit, amount);
  }
  return total;
}

function overridePodLevel(total: Amounts, podLevel: Texts): void {
  for (const name in podLevel) if (isPodLevel(name)) total[name] = quantityOf(podLevel[name] ?? "0");
}
