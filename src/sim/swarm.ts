import type { SeededRandom } from "#base/seeded-random.ts";
import type { NetworkFaults } from "./faulty-transport.ts";
import { limits } from "./limits.ts";

/** What may be done to a cluster, drawn from the seed: which faults at all, and how often each. */
export interface Swarm {
  readonly safetyMs: number;
  readonly commitMsMax: number;
  /** Probability that the server crashes right after a write became visible, for each write. */
  readonly crashAfterWrite: number;
  /** The server crashes right after this write, counted from the user's first, and starts again at once. */
  readonly crashAtWrite?: number;
  /** Of the loops inside the server. */
  readonly loopNetwork: NetworkFaults;
  /** Of the nodes' agents. */
  readonly agentNetwork: NetworkFaults;
  /** Mean time between two strikes of each kind; absent: never. Milliseconds. */
  readonly strikes: Readonly<Partial<Record<StrikeKind, number>>>;
}

const strikeKinds = [
  "server-crash",
  "server-restart",
  "agent-crash",
  "power-loss",
  "node-deleted",
  "streams-broken",
  "agent-cut-off",
  "container-crash",
  "caches-frozen",
  "clock-stepped",
] as const;
export type StrikeKind = (typeof strikeKinds)[number];

/** Mean time between two strikes, at least and at most. Milliseconds. */
const spacing: Readonly<Record<StrikeKind, readonly [number, number]>> = {
  "server-crash": [3_000, 60_000],
  "server-restart": [10_000, 100_000],
  "agent-crash": [2_000, 30_000],
  "power-loss": [20_000, 200_000],
  "node-deleted": [50_000, 300_000],
  "streams-broken": [500, 30_000],
  "agent-cut-off": [10_000, 120_000],
  "container-crash": [3_000, 60_000],
  "caches-frozen": [10_000, 120_000],
  "clock-stepped": [20_000, 200_000],
};

/** In these seeds the server crashes after every write, as long as faults strike. */
const shareOfEachWrite = 0.05;

/** Draws a swarm: each fault is in about half of the seeds, so that no fault hides what another would show; or all are there. */
export function drawSwarm(random: SeededRandom, hasAll = false): Swarm {
  const strikes: Partial<Record<StrikeKind, number>> = {};
  for (const kind of strikeKinds) {
    const own = random.split(kind);
    const [least, most] = spacing[kind];
    if (own.chance(hasAll ? 1 : 0.5)) strikes[kind] = least + own.float() * (most - least);
  }
  const crashesAfterEach = random.split("each write").chance(shareOfEachWrite);
  const crashAfterWrite = random.chance(hasAll ? 1 : 0.3) ? random.float() * 0.05 : 0;
  return {
    safetyMs: limits.safetyMsMin + random.float() * (limits.safetyMsMax - limits.safetyMsMin),
    commitMsMax: random.pick([1, 5, 30, 200]),
    crashAfterWrite: crashesAfterEach ? 1 : crashAfterWrite,
    loopNetwork: drawNetwork(random.split("loop network")),
    agentNetwork: drawNetwork(random.split("agent network")),
    strikes,
  };
}

function drawNetwork(random: SeededRandom): NetworkFaults {
  const sometimes = (most: number): number => (random.chance(0.5) ? random.float() * most : 0);
  return {
    latencyMsMax: random.pick([1, 5, 50, 300]),
    lostRequest: sometimes(0.1),
    lostAnswer: sometimes(0.1),
    brokenStream: sometimes(0.02),
    delayedChunk: sometimes(0.1),
    chunkDelayMsMax: random.pick([200, 2_000, 10_000]),
  };
}

/** One line for the story. */
export function describeSwarm(swarm: Swarm): string {
  const network = ({
    latencyMsMax,
    lostRequest,
    lostAnswer,
    brokenStream,
    delayedChunk,
    chunkDelayMsMax,
  }: NetworkFaults): string => {
    const lost = `lost ${percent(lostRequest)}/${percent(lostAnswer)}`;
    return `${latencyMsMax} ms, ${lost}, broken ${percent(brokenStream)}, late ${percent(delayedChunk)} to ${chunkDelayMsMax} ms`;
  };
  const strikes = Object.entries(swarm.strikes).map(
    ([kind, everyMs]) => `${kind} every ${Math.round(everyMs / 1000)} s`,
  );
  const afterWrite = [
    ...(swarm.crashAfterWrite === 0
      ? []
      : [`the server crashes after ${percent(swarm.crashAfterWrite)} of the writes`]),
    ...(swarm.crashAtWrite === undefined ? [] : [`the server crashes after write ${swarm.crashAtWrite}`]),
  ];
  return [
    `${Math.round(swarm.safetyMs / 1000)} s of faults; commits take up to ${swarm.commitMsMax} ms`,
    `loops: ${network(swarm.loopNetwork)}`,
    `agents: ${network(swarm.agentNetwork)}`,
    strikes.length === 0 ? "nothing is struck" : strikes.join(", "),
    ...afterWrite,
  ].join("; ");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}
