/** Bounds of this room; each with its unit. */
export const limits = {
  /** Pods that one pass over a workload may create or delete. */
  burstReplicasMax: 500,
  /** Back-off of pods that fail as soon as they are made, and the places for which it is remembered. Milliseconds, number. */
  failedPodMinMs: 1_000,
  failedPodMaxMs: 300_000,
  failingPlacesMax: 10_000,
  /** A DaemonSet this young may find pods of one before it that are not left to it yet. Milliseconds. */
  takeOverMs: 60_000,
  /** At least this long between two passes over a workload that write. Milliseconds. */
  workloadSpacingMs: 40,
  /** Each pod of an ordered set waits for the one before: only a short pause. Milliseconds. */
  statefulSetSpacingMs: 5,
  /** Pods of one claim that are told why it is not bound. */
  podsToldMax: 5,
  /** Names that a sentence for people lists. */
  namesToldMax: 5,
  /** A granted eviction whose deletion never comes lapses. Milliseconds. */
  disruptionGrantMs: 120_000,
  /** Jobs are many and small: a short pause merges the events of one pod. Milliseconds. */
  jobSpacingMs: 10,
  /** How old a Job is when its first status says what is active, if nothing has to be counted before. Milliseconds. */
  jobFirstStatusMs: 1_500,
  /** Back-off of a Job after failed pods. Milliseconds. */
  jobBackoffMs: 10_000,
  jobBackoffMaxMs: 600_000,
  /** Objects that go in a burst are recounted once. Milliseconds. */
  quotaSettleMs: 500,
  /** Missed instants of a CronJob that are walked through one by one. */
  cronMissedMax: 100,
  /** The longest wait until a CronJob is looked at again. Milliseconds. */
  cronLookAheadMs: 3_600_000,
  /** A pod that was to be disrupted so long ago and was not deleted stays, as upstream. Milliseconds. */
  staleDisruptionMs: 120_000,
  /** Times so far ahead say nothing: clocks differ. Milliseconds. */
  clockSkewMs: 5_000,
  /** Recommendations and changes remembered of one autoscaler. */
  recommendationsMax: 1_000,
  changesMax: 1_000,
  /** How often an autoscaler looks at CPU and memory, and at metrics that come from a history. Milliseconds. */
  autoscalerResourceMs: 2_000,
  autoscalerMs: 15_000,
  /** With many autoscalers each looks less often: this much time for each of them. Milliseconds. */
  autoscalerShareMs: 20,
  /** Measured values alone change the status no more often. Milliseconds. */
  autoscalerStatusMs: 15_000,
  /** No request for at least this long before a workload goes to zero, whatever its window says. Milliseconds. */
  sleepAfterMinMs: 10_000,
  /** Every ingress knows this long that requests are to be held before the last pod ends. Milliseconds. */
  sleepNoticeMs: 1_000,
  endpointsSpacingMs: 100,
  sliceSpacingMs: 25,
  endpointsPerSliceMax: 100,
  /** Addresses in one Endpoints object. */
  endpointsAddressesMax: 1_000,
  /** A node whose lease and status stand still for longer is Unknown. Milliseconds. */
  nodeGraceMs: 40_000,
  /** Nodes that may begin to be tainted for eviction per second, in ordinary times and in large disrupted zones. */
  nodeEvictionsPerSecond: 0.1,
  nodeEvictionsPerSecondDisrupted: 0.01,
  /** A zone with more than this part of its nodes unhealthy is disrupted. */
  unhealthyZonePart: 0.55,
  largeZoneNodes: 50,
  /** Finished pods kept in the cluster. */
  terminatedPodsMax: 12_500,
  /** How often gone nodes are looked for after pods or nodes changed; the quarantine before an orphaned pod is deleted. Milliseconds. */
  podCollectionQuarantineMs: 40_000,
  /** Deleted owners remembered by garbage collection. */
  /** Owners of owners that are followed to see whether they lead back. */
  ownersFollowedMax: 100,
  absentOwnersMax: 500,
  /** After a change of custom definitions the served resources are asked for again. Milliseconds. */
  servedSettleMs: 1_000,
  /** Namespaced content is looked at again after this time while it is going away. Milliseconds. */
  namespaceCheckMaxMs: 15_000,
  /** How long the token in a Secret lives: the longest that may be asked for, as it ends with the Secret. Seconds. */
  secretTokenSeconds: 4_294_967_296,
  /** Folders of deleted volumes that one node is asked to remove at once. */
  foldersRemovedMax: 100,
} as const;
