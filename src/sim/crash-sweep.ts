import { calmNetwork } from "./faulty-transport.ts";
import { runSeed, type RealMachine, type SeedOptions, type SeedResult } from "./run-seed.ts";
import type { Swarm } from "./swarm.ts";

/** Nothing goes wrong: what a crash alone changes shows. */
const calmSwarm: Swarm = {
  safetyMs: 40_000,
  commitMsMax: 5,
  crashAfterWrite: 0,
  loopNetwork: calmNetwork,
  agentNetwork: calmNetwork,
  strikes: {},
};

/** Runs without a crash that are remembered: what those with one are held against. */
const remembered = new Map<string, Promise<SeedResult>>();
const rememberedMax = 20;

function withoutCrash(scenario: string, machine: RealMachine): Promise<SeedResult> {
  let known = remembered.get(scenario);
  if (known === undefined) {
    if (remembered.size >= rememberedMax) remembered.clear();
    known = runSeed({ seed: scenario, machine, swarm: calmSwarm });
    remembered.set(scenario, known);
  }
  return known;
}

/**
 * Invariant 28: plays a scenario with a crash of the server after its n-th write and holds the end against that of the run without
 * a crash. Beyond the last write it counts from the first again, so that any number names a run.
 */
export async function runWithCrash(
  scenario: string,
  write: number,
  options: Omit<SeedOptions, "seed" | "swarm">,
): Promise<SeedResult> {
  const calm = await withoutCrash(scenario, options.machine);
  if (calm.violation !== undefined) return calm;
  const crashAtWrite = 1 + ((write - 1) % Math.max(1, calm.userWrites));
  const crashed = await runSeed({ ...options, seed: scenario, swarm: { ...calmSwarm, crashAtWrite } });
  if (crashed.violation !== undefined || crashed.desired !== calm.desired) return crashed;
  const difference = firstDifference(calm.finalState, crashed.finalState);
  if (difference === undefined) return crashed;
  return { ...crashed, violation: { invariant: "28 crash differential", what: difference, atMs: crashed.virtualMs } };
}

/** The first line in which two ends differ, as a sentence; undefined when they are the same. */
export function firstDifference(without: readonly string[], withCrash: readonly string[]): string | undefined {
  const lost = without.find((line) => !withCrash.includes(line));
  const added = withCrash.find((line) => !without.includes(line));
  if (lost !== undefined) return `without the crash there is: ${lost}; with it: ${added ?? "nothing like it"}`;
  if (added !== undefined) return `only with the crash there is: ${added}`;
  return without.length === withCrash.length
    ? undefined
    : `${without.length} objects without, ${withCrash.length} with`;
}

/** How many runs a scenario has: one crash after each of its writes. */
export async function crashesOf(scenario: string, machine: RealMachine): Promise<number> {
  return (await withoutCrash(scenario, machine)).userWrites;
}

/** A run named by text: `7` is a seed with its swarm, `7@35` scenario 7 with a crash after write 35. */
export function playNamed(name: string, options: Omit<SeedOptions, "seed" | "swarm">): Promise<SeedResult> {
  const [, scenario, write] = /^(.+)@(\d+)$/.exec(name) ?? [];
  if (scenario === undefined || write === undefined) return runSeed({ ...options, seed: name });
  return runWithCrash(scenario, Number(write), options).then((result) => ({ ...result, seed: name }));
}
