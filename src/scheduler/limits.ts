export const limits = {
  /** Kept judgements of all nodes; each costs about 14 bytes a node. */
  evaluationsMax: 128,
  /** Kept constraints of shapes of pods; they are small. */
  constraintsMax: 2_048,
  /** Distinct shapes of pods that are shared between pods of one template. */
  shapesMax: 8_192,
  /** Parsed quantities that are remembered. */
  quantitiesMax: 4_096,
  /** Binds under way at once. */
  bindsInFlightMax: 128,
  /** How long a pod's claims may take to be bound once its node is chosen, as upstream. Milliseconds. */
  claimBindingMs: 600_000,
  /** Pauses between attempts double from the first to the second. Milliseconds. */
  backoffMinMs: 1_000,
  backoffMaxMs: 10_000,
  /** An unschedulable pod is looked at again after this even if nothing that could help was seen. Milliseconds. */
  unschedulableMaxMs: 300_000,
  /** An extender's answer: 5,000 whole nodes fit. Bytes. */
  extenderAnswerBytesMax: 64 * 1024 * 1024,
  /** Characters of the sentence that says why a pod was placed or not. */
  ruleCharactersMax: 1_500,
  /** Different changes that the sentence names. */
  changesNamedMax: 12,
  /** Explanations of failed attempts that are kept for questions. */
  explanationsMax: 1_000,
  /** Nodes named in one explanation; the groups of changes count them all. */
  explainedNodesMax: 100,
  /** Nodes on which preemption is tried for one pod: at 100 some 5 ms. Upstream: a tenth of the cluster, at least 100. */
  preemptionNodesMax: 100,
  /** Controllers for whose pods the cluster keeps a count by node: 8 bytes a node each. */
  groupCountersMax: 1_024,
  /** Terms of affinity or spreading that the cluster counts pods for. */
  countersMax: 4_096,
} as const;
