import { autoscalerChecker } from "./autoscalers.ts";
import { cacheChecker } from "./caches.ts";
import type { CheckerFactory } from "./checker.ts";
import { collectionChecker } from "./collection.ts";
import { dependencyChecker } from "./dependencies.ts";
import { deviceChecker } from "./devices.ts";
import { deploymentChecker } from "./deployments.ts";
import { disruptionChecker } from "./disruptions.ts";
import { durabilityChecker } from "./durability.ts";
import { jobRetryChecker } from "./job-retries.ts";
import { namespaceChecker } from "./namespaces.ts";
import { nodeChecker } from "./nodes.ts";
import { objectChecker } from "./objects.ts";
import { orderingChecker } from "./ordering.ts";
import { orphanChecker } from "./orphans.ts";
import { ownershipChecker } from "./ownership.ts";
import { silentNodeChecker } from "./silent-nodes.ts";
import { schedulingChecker } from "./scheduling.ts";
import { serviceChecker } from "./services.ts";
import { spreadChecker } from "./spreading.ts";
import { statefulIdentityChecker } from "./stateful-identity.ts";
import { taintEvictionChecker } from "./taint-evictions.ts";
import { waitingPodChecker } from "./waiting-pods.ts";
import { workloadChecker } from "./workloads.ts";
import { watchChecker } from "./watches.ts";
import { writeChecker } from "./writes.ts";

/** Every checker there is; all of them watch every seed. */
export const allCheckers: readonly CheckerFactory[] = [
  durabilityChecker,
  objectChecker,
  watchChecker,
  writeChecker,
  deploymentChecker,
  workloadChecker,
  schedulingChecker,
  nodeChecker,
  serviceChecker,
  cacheChecker,
  orphanChecker,
  orderingChecker,
  collectionChecker,
  deviceChecker,
  dependencyChecker,
  statefulIdentityChecker,
  jobRetryChecker,
  namespaceChecker,
  disruptionChecker,
  waitingPodChecker,
  ownershipChecker,
  autoscalerChecker,
  silentNodeChecker,
  taintEvictionChecker,
  spreadChecker,
];
