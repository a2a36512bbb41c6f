import type { Pod } from "#api/generated/core-v1.ts";
import { podRequests } from "#api/pod-resources.ts";
import { unitsOf } from "./amounts.ts";

/** What containers without requests count for in scores (never in filters), as upstream. */
const unset = { cpu: "100m", memory: "200Mi" } as const;

export interface Requests {
  /** What the pod takes from its node; zero amounts are left out. */
  readonly amounts: ReadonlyMap<string, number>;
  /** For scores: containers that ask for nothing count a little. */
  readonly scoredCpu: number;
  readonly scoredMemory: number;
}

/** The effective requests of a pod, as numbers that the scheduler counts with. */
export function requestsOf(pod: Pod): Requests {
  const amounts = new Map<string, number>();
  for (const [name, quantity] of Object.entries(podRequests(pod))) {
    const amount = unitsOf(name, quantity);
    if (amount > 0) amounts.set(name, amount);
  }
  const { cpu, memory } = podRequests(pod, unset);
  return {
    amounts,
    scoredCpu: cpu === undefined ? 0 : unitsOf("cpu", cpu),
    scoredMemory: memory === undefined ? 0 : unitsOf("memory", memory),
  };
}
