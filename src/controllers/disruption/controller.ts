import { onHoldAnnotation } from "#api/apps/hold.ts";
import type { Scale } from "#api/generated/autoscaling-v1.ts";
import type { OwnerReference } from "#api/generated/meta-v1.ts";
import { pathOf, type Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";
import { ApiStatusError } from "#client/status-error.ts";
import type { Controller } from "#reconcile/controller.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { limits } from "../limits.ts";
import { scalable } from "../scalable.ts";
import { selectedPods, withoutHeld } from "../selected-pods.ts";
import { jobDeclaration } from "../views/batch.ts";
import { podDeclaration, type PodView } from "../views/pod.ts";
import { budgetDeclaration } from "../views/policy.ts";
import { deploymentDeclaration, replicaSetDeclaration, statefulSetDeclaration } from "../views/workload.ts";
import { planBudget } from "./plan.ts";
import { isAnnounced, planStaleDisruption } from "./stale.ts";

/** Before the key of a pod in the queue; budgets have none. */
const podPrefix = "pod ";

/** Keeps the status of PodDisruptionBudgets, and takes back announced disruptions that never came. */
export function createDisruptionController(dependencies: Dependencies): Controller {
  const { client, informers, resources } = dependencies;
  const budgets = informers.of(budgetDeclaration);
  const pods = informers.of(podDeclaration);
  const replicaSets = informers.of(replicaSetDeclaration);
  const deployments = informers.of(deploymentDeclaration);
  const statefulSets = informers.of(statefulSetDeclaration);
  const jobs = informers.of(jobDeclaration);

  const scaleOf = (pod: PodView, owner: OwnerReference): number | undefined | Promise<number | undefined> => {
    const key = keyOf(pod.namespace, owner.name);
    if (owner.kind === "StatefulSet") return statefulSets.get(key)?.spec.replicas;
    if (owner.kind === "Job") return jobs.get(key)?.spec.parallelism;
    if (owner.kind !== "ReplicaSet") return readScale(client, resources(), pod.namespace, owner);
    const set = replicaSets.get(key);
    // During a rollout the Deployment's size counts, not that of each of its sets.
    const above =
      set?.controller?.kind === "Deployment" ? deployments.get(keyOf(pod.namespace, set.controller.name)) : undefined;
    return above === undefined ? set?.spec.replicas : above.spec.replicas;
  };
  const aboveOf = (pod: PodView): string => {
    const set =
      pod.controller?.kind === "ReplicaSet" ? replicaSets.get(keyOf(pod.namespace, pod.controller.name)) : undefined;
    return set?.controller?.uid ?? pod.controller?.uid ?? "";
  };
  return createLoop(dependencies, {
    name: "disruption",
    eventSource: "controllermanager",
    needs: [budgets, pods, replicaSets, deployments, statefulSets, jobs],
    spacingMs: limits.workloadSpacingMs,
    watch: (enqueue) => {
      const enqueueNamespace = (namespace: string): void => {
        for (const budget of budgets.by("namespace", namespace)) enqueue(budget.key);
      };
      const onScale = (
        _key: string,
        old: { spec: object; namespace: string } | undefined,
        current: typeof old,
      ): void => {
        const view = current ?? old;
        if (view !== undefined) enqueueNamespace(view.namespace);
      };
      return [
        budgets.handle((key, old, current) => {
          enqueue(key);
          // Whether others select the same pods is told of by all of them.
          if (old?.generation !== current?.generation) enqueueNamespace((current ?? old)?.namespace ?? "");
        }),
        deployments.handle(onScale),
        statefulSets.handle(onScale),
        replicaSets.handle((_key, old, current) => {
          const view = current ?? old;
          if (view !== undefined && old?.annotations[onHoldAnnotation] !== current?.annotations[onHoldAnnotation])
            enqueueNamespace(view.namespace);
        }),
        pods.handle((_key, old, current) => {
          const pod = current ?? old;
          if (pod === undefined) return;
          if (current !== undefined && isAnnounced(current)) enqueue(podPrefix + pod.key);
          for (const budget of budgets.by("namespace", pod.namespace)) {
            const matches = [old, current].some((view) => view !== undefined && budget.selector.matches(view.labels));
            if (matches) enqueue(budget.key);
          }
        }),
      ];
    },
    async pass(key, { now }) {
      if (key.startsWith(podPrefix)) {
        const pod = pods.get(key.slice(podPrefix.length));
        return pod === undefined ? undefined : planStaleDisruption(pod, now);
      }
      const budget = budgets.get(key);
      if (budget === undefined) return undefined;
      const selected = withoutHeld(selectedPods(pods, budget), replicaSets);
      // Pods of several sets of one Deployment belong to one scale.
      const scales = new Map<string, number | undefined>();
      const counted = new Map<string, string>();
      for (const pod of selected) {
        const owner = pod.controller;
        if (owner === undefined || scales.has(owner.uid)) continue;
        const above = aboveOf(pod);
        const isFirst = !counted.has(above);
        if (isFirst) counted.set(above, owner.uid);
        scales.set(owner.uid, isFirst ? await scaleOf(pod, owner) : 0);
      }
      const others = budgets.by("namespace", budget.namespace).filter((other) => other !== budget);
      return planBudget({ budget, pods: selected, scaleOf: (uid) => scales.get(uid), others }, now);
    },
  });
}

/** The size that an owner of any kind with a scale is to have; undefined when there is none, or when it is another one now. */
async function readScale(
  client: Client,
  resources: readonly Resource<unknown>[],
  namespace: string,
  { apiVersion, kind, name, uid }: OwnerReference,
): Promise<number | undefined> {
  const resource = scalable(resources, apiVersion, kind);
  if (resource === undefined) return undefined;
  try {
    const scale = (await client.request("GET", pathOf(resource, { namespace, name, subresource: "scale" }))) as Scale;
    return scale.metadata.uid === uid ? (scale.spec.replicas ?? 0) : undefined;
  } catch (error) {
    if (error instanceof ApiStatusError && error.code === 404) return undefined;
    throw error;
  }
}
