import type { CertificateSigningRequest } from "#api/generated/certificates-v1.ts";
import type { LimitRange } from "#api/generated/core-v1.ts";
import { certificatesigningrequests, limitranges, nodes, pods } from "#api/generated/resources.ts";
import { listStored } from "#apiserver/authorize/stored.ts";
import type { ObjectReader } from "#apiserver/object-reader.ts";
import { parseCron } from "#api/cron-schedule.ts";
import { nextTime, zoneClock } from "#controllers/cronjob/schedule.ts";
import { boundsOf } from "#controllers/deployment/observed.ts";
import { autoscalerDeclaration } from "#controllers/horizontal-pod-autoscaler/view.ts";
import { cronJobDeclaration, jobDeclaration, type CronJobView } from "#controllers/views/batch.ts";
import { configMapDeclaration, namespaceDeclaration, secretDeclaration } from "#controllers/views/namespace.ts";
import { endpointsDeclaration, serviceDeclaration } from "#controllers/views/network.ts";
import { nodeDeclaration } from "#controllers/views/node.ts";
import { podDeclaration } from "#controllers/views/pod.ts";
import { budgetDeclaration, quotaDeclaration } from "#controllers/views/policy.ts";
import { claimDeclaration, storageClassDeclaration, volumeDeclaration } from "#controllers/views/storage.ts";
import {
  daemonSetDeclaration,
  deploymentDeclaration,
  replicaSetDeclaration,
  replicationControllerDeclaration,
  statefulSetDeclaration,
} from "#controllers/views/workload.ts";
import { ingressesDeclaration } from "#network/ingress/declarations.ts";
import { FamilyBuilder } from "#observability/kube-state/builder.ts";
import { namespaceStates, nodeStates, serviceStates } from "#observability/kube-state/cluster.ts";
import {
  cronJobStates,
  endpointsStates,
  ingressStates,
  limitRangeStates,
  plainStates,
  quotaStates,
  requestStates,
  secretTypeStates,
  type StateLimitRange,
  type StateRequest,
} from "#observability/kube-state/namespaced.ts";
import { knownResources, PodResources } from "#observability/kube-state/pod-resources.ts";
import { podStates } from "#observability/kube-state/pods.ts";
import { claimStates, storageClassStates, volumeStates } from "#observability/kube-state/storage.ts";
import {
  autoscalerKind,
  budgetKind,
  daemonSetKind,
  deploymentKind,
  jobKind,
  jobStates,
  replicaSetKind,
  replicationControllerKind,
  revisionStates,
  statefulSetKind,
  strategyStates,
  workloadStates,
} from "#observability/kube-state/workloads.ts";
import type { InformerDeclaration } from "#reconcile/informer.ts";
import type { Informers } from "#reconcile/informers.ts";
import { objectView } from "#reconcile/object-view.ts";
import { exposeFamilies } from "#telemetry/metrics.ts";
import type { Clock, Timers } from "#world/clock.ts";

const limitRangeDeclaration: InformerDeclaration<LimitRange, StateLimitRange> = {
  resource: limitranges,
  project: ({ metadata, spec }) => ({ ...objectView(metadata), limits: spec.limits ?? [] }),
};

const requestDeclaration: InformerDeclaration<CertificateSigningRequest, StateRequest> = {
  resource: certificatesigningrequests,
  project: ({ metadata, spec, status }) => ({
    ...objectView(metadata),
    signer: spec.signerName,
    conditions: (status?.conditions ?? []).map(({ type }) => type),
    certificateBytes: Math.floor(((status?.certificate ?? "").length * 3) / 4),
  }),
};

/** Kinds that no controller watches: asked for here, so that they are known at the first scrape. */
export function prepareKubeState(informers: Informers): void {
  informers.of(limitRangeDeclaration);
  informers.of(requestDeclaration);
}

/** kube-state-metrics' page, from what the controllers' informers hold. Yields between kinds: a scrape delays no request. */
export async function kubeStatePage(informers: Informers, timers: Timers, clock: Clock): Promise<string> {
  const of = informers.of.bind(informers);
  const now = clock.now();
  const addressOf = (node: string): string | undefined => of(nodeDeclaration).get(node)?.address;
  const strategies = () =>
    of(deploymentDeclaration)
      .list()
      .filter(({ spec }) => spec.strategy?.type !== "Recreate")
      .map((deployment) => {
        const { maxSurge, maxUnavailable } = boundsOf(deployment);
        return { ...deployment, surge: maxSurge, unavailable: maxUnavailable };
      });
  const parts: ((into: FamilyBuilder) => void)[] = [
    (into) => podStates(into, of(podDeclaration).list(), addressOf),
    (into) => workloadStates(into, deploymentKind, of(deploymentDeclaration).list()),
    (into) => strategyStates(into, strategies()),
    (into) => workloadStates(into, replicaSetKind, of(replicaSetDeclaration).list()),
    (into) => workloadStates(into, replicationControllerKind, of(replicationControllerDeclaration).list()),
    (into) => workloadStates(into, statefulSetKind, of(statefulSetDeclaration).list()),
    (into) => revisionStates(into, of(statefulSetDeclaration).list()),
    (into) => workloadStates(into, daemonSetKind, of(daemonSetDeclaration).list()),
    (into) => workloadStates(into, jobKind, of(jobDeclaration).list()),
    (into) => jobStates(into, of(jobDeclaration).list()),
    (into) => cronJobStates(into, of(cronJobDeclaration).list(), (cronJob) => nextMs(cronJob, now)),
    (into) => workloadStates(into, autoscalerKind, of(autoscalerDeclaration).list()),
    (into) => workloadStates(into, budgetKind, of(budgetDeclaration).list()),
    (into) => nodeStates(into, of(nodeDeclaration).list()),
    (into) => namespaceStates(into, of(namespaceDeclaration).list()),
    (into) => serviceStates(into, of(serviceDeclaration).list()),
    (into) => endpointsStates(into, of(endpointsDeclaration).list()),
    (into) => ingressStates(into, of(ingressesDeclaration).list()),
    (into) => quotaStates(into, of(quotaDeclaration).list()),
    (into) => limitRangeStates(into, of(limitRangeDeclaration).list()),
    (into) => volumeStates(into, of(volumeDeclaration).list()),
    (into) => claimStates(into, of(claimDeclaration).list()),
    (into) => storageClassStates(into, of(storageClassDeclaration).list()),
    (into) => plainStates(into, "configmap", of(configMapDeclaration).list()),
    (into) => plainStates(into, "secret", of(secretDeclaration).list()),
    (into) => secretTypeStates(into, of(secretDeclaration).list()),
    (into) => requestStates(into, of(requestDeclaration).list()),
  ];
  let page = "";
  for (const part of parts) {
    const into = new FamilyBuilder();
    part(into);
    const families = into.families();
    if (families.length > 0) page += exposeFamilies(families);
    await timers.yield();
  }
  return page;
}

/** Pods of `/metrics/resources` that are told before others get their turn. */
const podsAtOnce = 500;

/** kube-scheduler's page of what pods ask for, from the stored objects: made when somebody looks, and kept by nobody. */
export async function podResourcesPage(objects: ObjectReader, timers: Timers): Promise<string> {
  const resources = new PodResources(knownResources(listStored(objects, nodes)));
  const all = listStored(objects, pods);
  for (let from = 0; from < all.length; from += podsAtOnce) {
    for (const pod of all.slice(from, from + podsAtOnce)) resources.add(pod);
    await timers.yield();
  }
  return exposeFamilies(resources.families());
}

/** When a CronJob is due next after its last time. */
function nextMs({ spec, status, createdMs }: CronJobView, now: number): number | undefined {
  const parsed = parseCron(spec.schedule);
  const zone = zoneClock(spec.timeZone);
  if (!parsed.ok || zone === undefined) return undefined;
  const last = Date.parse(status.lastScheduleTime ?? "");
  return nextTime(parsed.schedule, zone, Number.isNaN(last) ? Math.min(createdMs, now) : last);
}
