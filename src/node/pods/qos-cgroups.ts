import type { Pod } from "#api/generated/core-v1.ts";
import type { CgroupLimits } from "#world/machine.ts";
import { milliValue } from "../quantity.ts";
import { qosCgroup, qosClassOf, sharesOf } from "./qos.ts";

/**
 * Weights of the groups above the pods: all pods together by the cores, burstable ones by the sum of what they ask for, best
 * effort ones last. Pure.
 */
export function qosLimits(root: string, pods: readonly Pod[], cpuMilli: number): ReadonlyMap<string, CgroupLimits> {
  const burstable = pods.filter(
    (pod) => qosClassOf(pod) === "Burstable" && pod.status.phase !== "Succeeded" && pod.status.phase !== "Failed",
  );
  const asked = burstable
    .flatMap((pod) => pod.spec.containers)
    .reduce((sum, { resources }) => {
      const request = resources?.requests?.["cpu"] ?? resources?.limits?.["cpu"];
      return sum + (request === undefined ? 0 : milliValue(request));
    }, 0);
  return new Map([
    [qosCgroup(root, "Guaranteed"), { cpuShares: sharesOf(cpuMilli) }],
    [qosCgroup(root, "Burstable"), { cpuShares: sharesOf(asked) }],
    [qosCgroup(root, "BestEffort"), { cpuShares: sharesOf(0) }],
  ]);
}
