import type { Container, Pod } from "#api/generated/core-v1.ts";
import type { CgroupLimits } from "#world/machine.ts";
import type { LinuxResources } from "#world/container-runtime.ts";
import { milliValue, quantityValue, wholeValue } from "../quantity.ts";

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

const counted = ["cpu", "memory"];
const cpuPeriodUs = 100_000;
/** The kernel's smallest values. */
const sharesMin = 2;
const sharesMax = 262_144;
const quotaUsMin = 1_000;

/** The class by requests and limits of CPU and memory of all containers. */
export function qosClassOf(pod: Pod): QosClass {
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const isSet = (list: Record<string, string> | undefined, name: string): boolean =>
    list?.[name] !== undefined && quantityValue(list[name]) > 0;
  const any = containers.some(({ resources }) =>
    counted.some((name) => isSet(resources?.requests, name) || isSet(resources?.limits, name)),
  );
  if (!any) return "BestEffort";
  const guaranteed = containers.every(({ resources }) =>
    counted.every((name) => {
      const limit = resources?.limits?.[name];
      const request = resources?.requests?.[name] ?? limit;
      return (
        limit !== undefined &&
        request !== undefined &&
        quantityValue(limit) > 0 &&
        quantityValue(limit) === quantityValue(request)
      );
    }),
  );
  return guaranteed ? "Guaranteed" : "Burstable";
}

/** `/ROOT/kubepods/burstable/podUID`. */
export function podCgroup(root: string, pod: Pod): string {
  return `${qosCgroup(root, qosClassOf(pod))}/pod${pod.metadata.uid ?? ""}`;
}

export function qosCgroup(root: string, qos: QosClass): string {
  return qos === "Guaranteed" ? `${root}/kubepods` : `${root}/kubepods/${qos.toLowerCase()}`;
}

/** CPU shares for a request in thousandths of a core. */
export function sharesOf(milli: number): number {
  return Math.min(sharesMax, Math.max(sharesMin, Math.floor((milli * 1024) / 1000)));
}

/** Limits of one container for the kernel. A container without a memory limit of its own is bounded by its pod's. */
export function containerResources(container: Container, pod: Pod, machineMemoryBytes: number): LinuxResources {
  const { requests, limits } = container.resources ?? {};
  const cpuLimit = limits?.["cpu"];
  const cpuRequest = requests?.["cpu"] ?? cpuLimit;
  const memoryLimit = limits?.["memory"];
  return {
    cpuPeriod: cpuPeriodUs,
    cpuQuota:
      cpuLimit === undefined ? 0 : Math.max(quotaUsMin, Math.floor((milliValue(cpuLimit) * cpuPeriodUs) / 1000)),
    cpuShares: cpuRequest === undefined ? sharesMin : sharesOf(milliValue(cpuRequest)),
    memoryLimitInBytes: memoryLimit === undefined ? 0 : wholeValue(memoryLimit),
    oomScoreAdj: oomScore(container, pod, machineMemoryBytes),
  };
}

/** The published rule: guaranteed −997, best effort 1000, others by how much of the machine they asked for. */
function oomScore(container: Container, pod: Pod, machineMemoryBytes: number): number {
  if (pod.spec.priorityClassName === "system-node-critical") return -997;
  const qos = qosClassOf(pod);
  if (qos === "Guaranteed") return -997;
  if (qos === "BestEffort") return 1000;
  const asked = container.resources?.requests?.["memory"];
  const score = 1000 - Math.floor((1000 * (asked === undefined ? 0 : wholeValue(asked))) / machineMemoryBytes);
  return Math.min(999, Math.max(3, score));
}

/** Limits of the pod's own cgroup: sums over its containers, unlimited as soon as one is. */
export function podLimits(pod: Pod): CgroupLimits {
  const containers = pod.spec.containers;
  const milli = (container: Container): number => {
    const request = container.resources?.requests?.["cpu"] ?? container.resources?.limits?.["cpu"];
    return request === undefined ? 0 : milliValue(request);
  };
  const limitSum = (name: string, value: (text: string) => number): number | undefined => {
    const limits = containers.map((container) => container.resources?.limits?.[name]);
    const init = (pod.spec.initContainers ?? []).map((container) => container.resources?.limits?.[name]);
    if ([...limits, ...init].some((limit) => limit === undefined)) return undefined;
    const sum = limits.reduce((total, limit) => total + value(limit ?? "0"), 0);
    return Math.max(sum, ...init.map((limit) => value(limit ?? "0")));
  };
  const cpuLimit = limitSum("cpu", milliValue);
  return {
    cpuShares: sharesOf(containers.reduce((total, container) => total + milli(container), 0)),
    cpuPeriodUs: cpuLimit === undefined ? undefined : cpuPeriodUs,
    cpuQuotaUs: cpuLimit === undefined ? undefined : Math.max(quotaUsMin, Math.floor((cpuLimit * cpuPeriodUs) / 1000)),
    memoryBytes: limitSum("memory", wholeValue),
  };
}
