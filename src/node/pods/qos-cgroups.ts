import type { Pod } from "#api/generated/core-v1.ts";
import { isPodTerminal } from "#api/pod-readiness.ts";
import type { CgroupLimits } from "#world/machine.ts";
import { milliValue } from "../quantity.ts";
import { qosCgroup, qosClassOf, sharesOf } from "./qos.ts";

/** What the burstable pods of a node ask for together, thousandths of a core: kept pod by pod, as they change. */
export class BurstableAsk {
  readonly #byPod = new Map<string, number>();
  #milli = 0;

  get milli(): number {
    return this.#milli;
  }

  /** The pod `uid` is now so, or is gone. */
  set(uid: string, pod: Pod | undefined): void {
    const asked = pod === undefined ? 0 : burstableMilli(pod);
    this.#milli += asked - (this.#byPod.get(uid) ?? 0);
    if (asked === 0) this.#byPod.delete(uid);
    else this.#byPod.set(uid, asked);
  }
}

function burstableMilli(pod: Pod): number {
  if (isPodTerminal(pod) || qosClassOf(pod) !== "Burstable") return 0;
  return pod.spec.containers.reduce((sum, { resources }) => {
    const request = resources?.requests?.["cpu"] ?? resources?.limits?.["cpu"];
    return sum + (request === undefined ? 0 : milliValue(request));
  }, 0);
}

/**
 * Weights of the groups above the pods: all pods together by the cores, burstable ones by the sum of what they ask for, best
 * effort ones last. Pure.
 */
export function qosLimits(root: string, askedMilli: number, cpuMilli: number): ReadonlyMap<string, CgroupLimits> {
  return new Map([
    [qosCgroup(root, "Guaranteed"), { cpuShares: sharesOf(cpuMilli) }],
    [qosCgroup(root, "Burstable"), { cpuShares: sharesOf(askedMilli) }],
    [qosCgroup(root, "BestEffort"), { cpuShares: sharesOf(0) }],
  ]);
}
