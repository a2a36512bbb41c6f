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
  ignoredResources: new Set(),
};
