/** Amounts of CPU and memory as quantities; what is not known or not asked for is missing. */
export interface AmountText {
  readonly cpu?: string;
  readonly memory?: string;
}

/** What a node has, what was asked of it and what is used. */
export interface NodeUsage {
  readonly metadata: { readonly name: string };
  readonly pods: number;
  readonly allocatable: AmountText;
  readonly requested: AmountText;
  /** Missing while nothing was measured. */
  readonly used?: AmountText;
  /** CPU in cores of its pods over the last half hour, oldest first; empty without a history. */
  readonly cpuHistory: readonly number[];
}

/** The same of all pods of a workload together; its name is `deployment.web`. */
export interface WorkloadUsage {
  readonly metadata: { readonly name: string; readonly namespace: string };
  /** `deployment/web`; `pod/NAME` for a pod that nothing made. */
  readonly workload: string;
  readonly pods: number;
  readonly requested: AmountText;
  /** Missing while nothing was measured. */
  readonly used?: AmountText;
  /** CPU in cores over the last half hour, oldest first; empty without a history. */
  readonly cpuHistory: readonly number[];
}

/** What the containers of a workload should ask for. */
export interface WorkloadAdvice {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly workload: string;
  readonly pods: number;
  /** The part of the history that was looked at: `1d`. */
  readonly window: string;
  /** Nodes of the present mean size that its requests fill less as advised; below zero: more. Missing: nothing was measured. */
  readonly nodesSaved?: number;
  readonly containers: readonly {
    readonly name: string;
    readonly requested: AmountText;
    /** Of the pod that used most, of those that are gone too: the half, the busiest twentieth, the most. Missing: nothing was measured. */
    readonly used?: { readonly p50: AmountText; readonly p95: AmountText; readonly max: AmountText };
    readonly advised?: AmountText;
  }[];
}

/** What the advice comes to for the cluster. */
export interface ClusterAdvice {
  readonly metadata: { readonly name: "cluster" };
  readonly window: string;
  /** Nodes of the present mean size that the requests fill, now and as advised. */
  readonly nodesNow: number;
  readonly nodesAdvised: number;
  readonly nodesSaved: number;
  /** The node whose loss would push out most, and the pods (`namespace/name`) that would find no place. */
  readonly worstNodeLoss?: { readonly node: string; readonly homelessPods: readonly string[] };
}
