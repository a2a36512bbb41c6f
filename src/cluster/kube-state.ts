import { autoscalerDeclaration } from "#controllers/horizontal-pod-autoscaler/view.ts";
import { jobDeclaration } from "#controllers/views/batch.ts";
import { namespaceDeclaration } from "#controllers/views/namespace.ts";
import { serviceDeclaration } from "#controllers/views/network.ts";
import { nodeDeclaration } from "#controllers/views/node.ts";
import { podDeclaration } from "#controllers/views/pod.ts";
import { budgetDeclaration } from "#controllers/views/policy.ts";
import {
  daemonSetDeclaration,
  deploymentDeclaration,
  replicaSetDeclaration,
  statefulSetDeclaration,
} from "#controllers/views/workload.ts";
import { FamilyBuilder } from "#observability/kube-state/builder.ts";
import { namespaceStates, nodeStates, serviceStates } from "#observability/kube-state/cluster.ts";
import { podStates } from "#observability/kube-state/pods.ts";
import {
  autoscalerKind,
  budgetKind,
  daemonSetKind,
  deploymentKind,
  jobKind,
  replicaSetKind,
  statefulSetKind,
  workloadStates,
} from "#observability/kube-state/workloads.ts";
import type { Informers } from "#reconcile/informers.ts";
import { exposeFamilies } from "#telemetry/metrics.ts";
import type { Timers } from "#world/clock.ts";

/** kube-state-metrics' page, from what the controllers' informers hold. Yields between kinds: a scrape delays no request. */
export async function kubeStatePage(informers: Informers, timers: Timers): Promise<string> {
  const of = informers.of.bind(informers);
  const parts: ((into: FamilyBuilder) => void)[] = [
    (into) => podStates(into, of(podDeclaration).list()),
    (into) => workloadStates(into, deploymentKind, of(deploymentDeclaration).list()),
    (into) => workloadStates(into, replicaSetKind, of(replicaSetDeclaration).list()),
    (into) => workloadStates(into, statefulSetKind, of(statefulSetDeclaration).list()),
    (into) => workloadStates(into, daemonSetKind, of(daemonSetDeclaration).list()),
    (into) => workloadStates(into, jobKind, of(jobDeclaration).list()),
    (into) => workloadStates(into, autoscalerKind, of(autoscalerDeclaration).list()),
    (into) => workloadStates(into, budgetKind, of(budgetDeclaration).list()),
    (into) => nodeStates(into, of(nodeDeclaration).list()),
    (into) => namespaceStates(into, of(namespaceDeclaration).list()),
    (into) => serviceStates(into, of(serviceDeclaration).list()),
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
