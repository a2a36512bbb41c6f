import type { Container, Pod, PodSpec } from "#api/generated/core-v1.ts";
import { addAmounts, type Amounts, amountsOf, raiseAmounts } from "./amounts.ts";

/** What a container without requests counts for in scores (never in filters), as upstream: 100m, 200Mi. */
const unsetCpu = 100;
const unsetMemory = 200 * 1024 * 1024;

export interface Requests {
  /** What the pod takes from its node; zero amounts are left out. */
  readonly amounts: ReadonlyMap<string, number>;
  /** For scores: containers that ask for nothing count a little. */
  readonly scoredCpu: number;
  readonly scoredMemory: number;
}

/**
 * The effective requests of a pod: the sum of its containers and sidecars, or what its init containers need on their way if
 * that is more; requests of the pod as a whole where given; the overhead on top.
 * https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
 */
export function requestsOf(spec: PodSpec, status?: Pod["status"]): Requests {
  const real = sumOf(spec, (container) => containerAmounts(container, status));
  const scored = sumOf(spec, (container) => withDefaults(containerAmounts(container, status)));
  const ofPod = amountsOf(spec.resources?.requests);
  for (const [name, amount] of ofPod) {
    real.set(name, amount);
    scored.set(name, amount);
  }
  const overhead = amountsOf(spec.overhead);
  addAmounts(real, overhead);
  addAmounts(scored, overhead);
  for (const [name, amount] of real) if (amount <= 0) real.delete(name);
  return { amounts: real, scoredCpu: scored.get("cpu") ?? 0, scoredMemory: scored.get("memory") ?? 0 };
}

/** While a container is being resized it may hold more than its spec says: the larger counts. */
function containerAmounts(container: Container, status: Pod["status"] | undefined): Amounts {
  const amounts = amountsOf(container.resources?.requests);
  const statuses = status?.containerStatuses;
  if (statuses === undefined) return amounts;
  const current = statuses.find((item) => item.name === container.name);
  if (current?.allocatedResources !== undefined) raiseAmounts(amounts, amountsOf(current.allocatedResources));
  if (current?.resources?.requests !== undefined) raiseAmounts(amounts, amountsOf(current.resources.requests));
  return amounts;
}

function withDefaults(amounts: Amounts): Amounts {
  if (!amounts.has("cpu")) amounts.set("cpu", unsetCpu);
  if (!amounts.has("memory")) amounts.set("memory", unsetMemory);
  return amounts;
}

function sumOf(spec: PodSpec, amountsOfContainer: (container: Container) => Amounts): Amounts {
  const total: Amounts = new Map();
  for (const container of spec.containers) addAmounts(total, amountsOfContainer(container));
  const sidecars: Amounts = new Map();
  const peak: Amounts = new Map();
  for (const container of spec.initContainers ?? []) {
    const own = amountsOfContainer(container);
    if (container.restartPolicy === "Always") {
      addAmounts(sidecars, own);
      addAmounts(total, own);
      raiseAmounts(peak, sidecars);
    } else {
      addAmounts(own, sidecars);
      raiseAmounts(peak, own);
    }
  }
  raiseAmounts(total, peak);
  return total;
}
