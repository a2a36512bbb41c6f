import type { AggregatedApis, Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";
import type { Controller } from "#reconcile/controller.ts";
import type { Epoch } from "#reconcile/election.ts";
import { createInformers, type Informers } from "#reconcile/informers.ts";
import { createPace, type Pace } from "#reconcile/pace.ts";
import type { Metrics } from "#telemetry/metrics.ts";
import type { Clock, Timers } from "#world/clock.ts";
import type { Random } from "#world/random.ts";
import type { Dependencies } from "./dependencies.ts";
import { createClaimGrowthController } from "./claim-growth/controller.ts";
import { createConfigurationRolloutController } from "./configuration-rollout/controller.ts";
import { createCronJobController } from "./cronjob/controller.ts";
import { createDaemonSetController } from "./daemonset/controller.ts";
import { createDeadlineRollbackController } from "./deadline-rollback/controller.ts";
import { createDeploymentController } from "./deployment/controller.ts";
import { createDisruptionController } from "./disruption/controller.ts";
import { createEndpointsController } from "./endpoints/controller.ts";
import { createEndpointSliceController } from "./endpointslice/controller.ts";
import { createEndpointSliceMirroringController } from "./endpointslice-mirroring/controller.ts";
import { createEphemeralVolumeController } from "./ephemeral-volume/controller.ts";
import { createGarbageCollector } from "./garbage-collection/controller.ts";
import { createHorizontalPodAutoscalerController } from "./horizontal-pod-autoscaler/controller.ts";
import { createJobController } from "./job/controller.ts";
import { createLocalVolumeController } from "./local-volume/controller.ts";
import { createNamespaceController } from "./namespace/controller.ts";
import { createNodeLifecycleController } from "./node-lifecycle/controller.ts";
import { createPersistentVolumeController } from "./persistent-volume/controller.ts";
import { createPodCollector } from "./pod-collection/controller.ts";
import { createQuotaController } from "./quota/controller.ts";
import { createReplicationControllerController } from "./replicationcontroller/controller.ts";
import { createReplicaSetController } from "./replicaset/controller.ts";
import { createResourceClaimController } from "./resource-claim/controller.ts";
import { createRootCaController } from "./root-ca/controller.ts";
import { createSelectorOverlapController } from "./selector-overlap/controller.ts";
import { createServiceAddressController, createServiceRangeController } from "./service-addresses/controller.ts";
import { createServiceAccountTokenController } from "./service-account-tokens/controller.ts";
import { createServiceAccountController } from "./serviceaccount/controller.ts";
import { createStatefulSetController } from "./statefulset/controller.ts";
import { createTaintEvictionController } from "./taint-eviction/controller.ts";
import { createTtlAfterFinishedController } from "./ttl-after-finished/controller.ts";
import { createVolumeProtectionController } from "./volume-protection/controller.ts";
import { createWorkloadDependenciesController } from "./workload-dependencies/controller.ts";
import { createMetadataInformers } from "./views/metadata.ts";

export interface ControllersOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Every resource the server serves now, custom ones too. */
  readonly resources: () => readonly Resource<unknown>[];
  /** Group versions that other servers answer; absent: none. */
  readonly aggregated?: AggregatedApis;
  /** PEM of the cluster's certificate authority, for kube-root-ca.crt and Secrets with tokens; without it these are not kept. */
  readonly rootCa?: string;
  /** Shared with other loops of the process (scheduler); own ones are made when absent. */
  readonly informers?: Informers;
  readonly pace?: Pace;
  readonly epoch?: () => Epoch | undefined;
  /** Where controllers tell of their own matters; absent: nobody measures. */
  readonly metrics?: Metrics;
  readonly onProblem?: (problem: string, error: unknown) => void;
}

/** The controllers in plain sight: what runs is what stands here. */
const factories: readonly ((dependencies: Dependencies) => Controller)[] = [
  createDeploymentController,
  createReplicaSetController,
  createReplicationControllerController,
  createStatefulSetController,
  createDaemonSetController,
  createJobController,
  createCronJobController,
  createTtlAfterFinishedController,
  createDisruptionController,
  createHorizontalPodAutoscalerController,
  createEndpointSliceController,
  createEndpointSliceMirroringController,
  createEndpointsController,
  createServiceAccountController,
  createServiceAddressController,
  createServiceRangeController,
  createNodeLifecycleController,
  createTaintEvictionController,
  createPodCollector,
  createPersistentVolumeController,
  createVolumeProtectionController,
  createLocalVolumeController,
  createClaimGrowthController,
  createConfigurationRolloutController,
  createDeadlineRollbackController,
  createEphemeralVolumeController,
  createResourceClaimController,
  createWorkloadDependenciesController,
  createSelectorOverlapController,
];

/** All controllers, not started. Start the informers (given, or through the returned `informers`) as well. */
export function createControllers(options: ControllersOptions): {
  readonly controllers: readonly Controller[];
  readonly informers: Informers;
} {
  const { client, clock, timers, random, onProblem } = options;
  const problems = onProblem === undefined ? {} : { onProblem };
  const informers = options.informers ?? createInformers({ client, clock, timers, random, ...problems });
  const pace = options.pace ?? createPace(clock, timers);
  const dependencies: Dependencies = { ...options, informers, pace };
  const controllers = factories.map((factory) => factory(dependencies));
  if (options.rootCa !== undefined)
    controllers.push(
      createRootCaController(dependencies, options.rootCa),
      createServiceAccountTokenController(dependencies, options.rootCa),
    );
  // After the others, so that what they watch in whole is not watched a second time for its metadata.
  const metadata = createMetadataInformers(informers, options.resources, options.aggregated);
  metadata.refresh();
  controllers.push(
    createNamespaceController(dependencies, metadata),
    createGarbageCollector(dependencies, metadata),
    createQuotaController(dependencies, metadata),
  );
  return { controllers, informers };
}
