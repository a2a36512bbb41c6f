import { dependenciesOf, dependsOnAnnotation, type Dependency, type DependencyKind } from "#api/apps/depends-on.ts";
import type { OwnerReference } from "#api/generated/meta-v1.ts";
import { daemonsets, deployments, jobs, statefulsets } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Controller } from "#reconcile/controller.ts";
import type { Informer } from "#reconcile/informer.ts";
import { keyOf, type ObjectView } from "#reconcile/object-view.ts";
import { createLoop, type Dependencies } from "../dependencies.ts";
import { finishedAs, jobDeclaration, type JobView } from "../views/batch.ts";
import { podDeclaration, type PodView } from "../views/pod.ts";
import {
  daemonSetDeclaration,
  deploymentDeclaration,
  replicaSetDeclaration,
  statefulSetDeclaration,
  type DaemonSetView,
  type DeploymentView,
  type StatefulSetView,
} from "../views/workload.ts";
import { idOf, planWorkloadDependencies, type WaitingWorkload } from "./plan.ts";

/** Holds the pods of workloads that depend on others until those are there. Keys are `kind/namespace/name`. */
export function createWorkloadDependenciesController(dependencies: Dependencies): Controller {
  const { informers } = dependencies;
  const pods = informers.of(podDeclaration);
  const sets = informers.of(replicaSetDeclaration);
  const workloads = {
    deployment: kindOf(informers.of(deploymentDeclaration), deployments as Resource<unknown>, missingOfDeployment),
    statefulset: kindOf(informers.of(statefulSetDeclaration), statefulsets as Resource<unknown>, missingOfStatefulSet),
    daemonset: kindOf(informers.of(daemonSetDeclaration), daemonsets as Resource<unknown>, missingOfDaemonSet),
    job: kindOf(informers.of(jobDeclaration), jobs as Resource<unknown>, missingOfJob),
  };
  const kinds = Object.keys(workloads) as DependencyKind[];
  /** What workloads that asked depend on, by key: few, so that a change finds them without a scan of all. */
  const asking = new Map<string, readonly string[]>();

  const changed = (kind: DependencyKind, old: View, current: View, enqueue: (key: string) => void): void => {
    const view = current ?? old;
    if (view === undefined) return;
    const key = `${kind}/${view.key}`;
    const text = current?.annotations[dependsOnAnnotation];
    const named = text === undefined ? [] : dependenciesOf(text).named;
    if (named.length === 0) asking.delete(key);
    else {
      const needs = named.map(({ kind: other, name }) => `${other}/${keyOf(view.namespace, name)}`);
      asking.set(key, needs);
    }
    if (text !== undefined || old?.annotations[dependsOnAnnotation] !== undefined) enqueue(key);
    for (const [other, needs] of asking) if (needs.includes(key)) enqueue(other);
  };
  const ownerOf = (pod: PodView): string | undefined => {
    const owner = pod.controller?.kind === "ReplicaSet" ? setOwner(pod) : pod.controller;
    const kind = kinds.find((one) => one === owner?.kind.toLowerCase());
    return owner === undefined || kind === undefined ? undefined : `${kind}/${keyOf(pod.namespace, owner.name)}`;
  };
  const setOwner = (pod: PodView): OwnerReference | undefined =>
    sets.get(keyOf(pod.namespace, pod.controller?.name ?? ""))?.controller;
  const gatedOf = ({ uid }: ObjectView): PodView[] =>
    [uid, ...sets.by("owner", uid).map((set) => set.uid)]
      .flatMap((owner) => pods.by("owner", owner))
      .filter((pod) => pod.waitsForDependencies && pod.deletionMs === undefined);

  return createLoop(dependencies, {
    name: "workload-dependencies",
    needs: [pods, sets, ...kinds.map((kind) => workloads[kind].informer)],
    watch: (enqueue) => [
      ...kinds.map((kind) =>
        workloads[kind].informer.handle((_key, old, current) => changed(kind, old, current, enqueue)),
      ),
      pods.handle((_key, _old, pod) => {
        const owner = pod?.waitsForDependencies === true ? ownerOf(pod) : undefined;
        if (owner !== undefined) enqueue(owner);
      }),
      sets.handle((_key, old, set) => {
        // Its pods may have come before it was seen here.
        if (old !== undefined || set?.controller?.kind !== "Deployment") return;
        if (set.annotations[dependsOnAnnotation] !== undefined)
          enqueue(`deployment/${keyOf(set.namespace, set.controller.name)}`);
      }),
    ],
    pass(key, { now }) {
      const slash = key.indexOf("/");
      const kind = key.slice(0, slash) as DependencyKind;
      const workload = workloads[kind].informer.get(key.slice(slash + 1));
      if (workload === undefined) return undefined;
      const { namespace } = workload;
      const observed = {
        id: idOf({ kind, name: workload.name }),
        resource: workloads[kind].resource,
        workload,
        gated: gatedOf(workload),
        missingOf: (dependency: Dependency) => workloads[dependency.kind].missing(keyOf(namespace, dependency.name)),
        dependsOn: (id: string) => {
          const [other = "", name = ""] = id.split("/");
          const found = workloads[other as DependencyKind].informer.get(keyOf(namespace, name));
          return found?.annotations[dependsOnAnnotation];
        },
      };
      return planWorkloadDependencies(observed, now);
    },
  });
}

type View = ObjectView | undefined;

interface Kind {
  readonly informer: Informer<WaitingWorkload>;
  readonly resource: Resource<unknown>;
  /** Why the one with this key is not there yet; undefined when it is. */
  missing(key: string): string | undefined;
}

function kindOf<V extends WaitingWorkload>(
  informer: Informer<V>,
  resource: Resource<unknown>,
  missing: (view: V) => string | undefined,
): Kind {
  return {
    informer,
    resource,
    missing: (key) => {
      const view = informer.get(key);
      if (view === undefined) return "does not exist";
      return view.deletionMs === undefined ? missing(view) : "is being deleted";
    },
  };
}

const notSeen = "its newest spec is not observed yet";

function missingOfDeployment({ spec, status, generation }: DeploymentView): string | undefined {
  if ((status.observedGeneration ?? 0) < generation) return notSeen;
  const isAvailable = status.conditions?.some(({ type, status: value }) => type === "Available" && value === "True");
  return isAvailable === true ? undefined : readiness(status.availableReplicas, spec.replicas ?? 1);
}

function missingOfStatefulSet({ spec, status, generation }: StatefulSetView): string | undefined {
  if ((status.observedGeneration ?? 0) < generation) return notSeen;
  const wanted = spec.replicas ?? 1;
  return (status.availableReplicas ?? 0) >= wanted ? undefined : readiness(status.availableReplicas, wanted);
}

function missingOfDaemonSet({ status, generation }: DaemonSetView): string | undefined {
  if ((status.observedGeneration ?? 0) < generation) return notSeen;
  const { numberAvailable, desiredNumberScheduled } = status;
  return (numberAvailable ?? 0) >= desiredNumberScheduled
    ? undefined
    : readiness(numberAvailable, desiredNumberScheduled);
}

function missingOfJob(job: JobView): string | undefined {
  const finished = finishedAs(job);
  if (finished === "Complete") return undefined;
  return finished === "Failed" ? "has failed" : `${job.status.succeeded ?? 0} of ${job.spec.completions ?? 1} are done`;
}

function readiness(available: number | undefined, wanted: number): string {
  return `${available ?? 0} of ${wanted} pods are available`;
}
