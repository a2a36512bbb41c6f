import type { TopologySpreadConstraint } from "#api/generated/core-v1.ts";

/** Filters that a profile can leave out, by upstream's names. */
export const filterNames = [
  "NodeUnschedulable",
  "TaintToleration",
  "NodeAffinity",
  "NodePorts",
  "NodeResourcesFit",
  "PodTopologySpread",
  "InterPodAffinity",
] as const;
export type FilterName = (typeof filterNames)[number];

/** Scores by upstream's names, with the weights that they have by default. Each score is 0 to 100. */
export const defaultWeights = {
  NodeResourcesFit: 1,
  NodeResourcesBalancedAllocation: 1,
  ImageLocality: 1,
  TaintToleration: 3,
  NodeAffinity: 2,
  PodTopologySpread: 2,
  InterPodAffinity: 2,
} as const;
export type ScoreName = keyof typeof defaultWeights;
export type ScoreWeights = Readonly<Record<ScoreName, number>>;

/** Without selectors: the pods of the same controller count. */
export interface DefaultSpread {
  readonly constraints: readonly Pick<TopologySpreadConstraint, "topologyKey" | "maxSkew" | "whenUnsatisfiable">[];
  /** Nodes without the labels are as good as others, because nobody asked for this spreading. */
  readonly isSystem: boolean;
}

/** Over hosts more strictly than over zones, never at the price of not running. */
const systemSpread: DefaultSpread = {
  constraints: [
    { topologyKey: "kubernetes.io/hostname", maxSkew: 3, whenUnsatisfiable: "ScheduleAnyway" },
    { topologyKey: "topology.kubernetes.io/zone", maxSkew: 5, whenUnsatisfiable: "ScheduleAnyway" },
  ],
  isSystem: true,
};

/**
 * How pods that name a scheduler are placed.
 * https://kubernetes.io/docs/reference/scheduling/config/#profiles
 */
export interface Profile {
  readonly schedulerName: string;
  /** 0: the score does not count. */
  readonly weights: ScoreWeights;
  readonly filters: Readonly<Record<FilterName, boolean>>;
  /** Whether pods without a node may push others out. */
  readonly preempts: boolean;
  /** Emptier nodes first, or fuller ones. */
  readonly fit: "LeastAllocated" | "MostAllocated";
  /** How pods are spread that ask for nothing themselves. */
  readonly spread: DefaultSpread;
  /** What required affinity that others hold towards a pod adds to a node's score. */
  readonly heldAffinityWeight: number;
  /** Preferences of others count for pods that have none themselves. */
  readonly heldPreferences: boolean;
  /** Resources that somebody else looks after: whether a node has enough of them is not asked here. */
  readonly ignoredResources: ReadonlySet<string>;
}

const allFilters = Object.fromEntries(filterNames.map((name) => [name, true])) as Record<FilterName, boolean>;

export const defaultProfile: Profile = {
  schedulerName: "default-scheduler",
  weights: defaultWeights,
  filters: allFilters,
  preempts: true,
  fit: "LeastAllocated",
  spread: systemSpread,
  heldAffinityWeight: 1,
  heldPreferences: true,
  ignoredResources: new Set(),
};
