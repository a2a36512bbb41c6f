import type { SeededRandom } from "#base/seeded-random.ts";
import {
  autoscalingV2Horizontalpodautoscalers,
  configmaps,
  deployments,
  namespaces,
  persistentvolumeclaims,
  persistentvolumes,
  poddisruptionbudgets,
  pods,
  replicasets,
  statefulsets,
} from "#api/generated/resources.ts";
import type { Draft, Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";
import { controllerOf, isReady } from "./checkers/facts.ts";
import type { History, Stored } from "./history.ts";

/** Objects that are valid each and make no sense together, drawn from the seed: somebody says so, and nothing loops or is lost. */
export interface SenselessWorkloads {
  /** Two Deployments of one template, a StatefulSet and a ReplicaSet, which select each other's pods, and a pod of nobody. */
  readonly twins: { readonly replicas: readonly [number, number] } | undefined;
  /** Objects that own one another; whether they are deleted in the end, and how. */
  readonly cycle: { readonly propagation: "" | "Background" | "Foreground" } | undefined;
  /** A claim that names the volume of another, and a Deployment that wants it. */
  readonly taken: true | undefined;
  /** Two budgets for the same pods, each of which asks for more than there can be. */
  readonly budgets: { readonly replicas: number } | undefined;
  /** Two autoscalers that pull one Deployment apart, one of nothing, one of what nobody measures. */
  readonly autoscalers: { readonly replicas: number } | undefined;
  /** A namespace that is deleted and cannot go: somebody holds what is in it. */
  readonly stuck: { readonly afterMs: number } | undefined;
}

const namespace = "default";
export const stuckNamespace = "stuck";
const twinSets = 1;
const looseReplicas = 1;
/** What its autoscaler wants at least; the user made fewer. */
const leastUnmeasured = 3;

/** `share` is the probability of each. */
export function drawSenselessWorkloads(random: SeededRandom, share: number): SenselessWorkloads {
  return {
    twins: random.maybe("twins", share, (own) => ({ replicas: [1 + own.below(3), 1 + own.below(3)] as const })),
    cycle: random.maybe("cycle", share, (own) => ({
      propagation: own.pick(["", "Background", "Foreground"] as const),
    })),
    taken: random.maybe("taken", share, () => true as const),
    budgets: random.maybe("budgets", share, (own) => ({ replicas: 1 + own.below(3) })),
    autoscalers: random.maybe("autoscalers", share, (own) => ({ replicas: 1 + own.below(5) })),
    stuck: random.maybe("stuck", share, (own) => ({ afterMs: 5_000 + own.float() * 60_000 })),
  };
}

export function describeSenselessWorkloads(workloads: SenselessWorkloads): string {
  const { twins, cycle, taken, budgets, autoscalers, stuck } = workloads;
  return [
    twins === undefined
      ? []
      : [`deployments of ${twins.replicas.join(" and ")} and two sets that select the same pods`],
    cycle === undefined ? [] : ["objects that own one another"],
    taken === undefined ? [] : ["a claim of a volume that is taken"],
    budgets === undefined ? [] : [`two impossible budgets for ${budgets.replicas} pods`],
    autoscalers === undefined ? [] : [`two autoscalers for ${autoscalers.replicas} pods, one of nothing`],
    stuck === undefined ? [] : ["a namespace that cannot go"],
  ]
    .flat()
    .join(", ");
}

/** What the user creates, in order. */
export function senselessDrafts(workloads: SenselessWorkloads): [Resource<unknown>, object][] {
  const { twins, taken, budgets, autoscalers, stuck } = workloads;
  const drafts: [Resource<unknown>, object][] = [];
  const add = (resource: object, draft: object): void => void drafts.push([resource as Resource<unknown>, draft]);
  if (twins !== undefined) {
    const [first, second] = twins.replicas;
    add(deployments, workload("twin", "twin", { replicas: first }));
    add(deployments, workload("other", "twin", { replicas: second }));
    add(statefulsets, workload("set", "twin", { replicas: twinSets, serviceName: "set" }));
    add(pods, { metadata: { namespace, name: "nobodys", labels: { app: "twin" } }, spec: podSpec("twin") });
    add(replicasets, workload("loose", "twin", { replicas: looseReplicas }));
  }
  if (taken !== undefined) {
    add(persistentvolumes, {
      metadata: { name: "taken" },
      spec: {
        capacity: { storage: "1Gi" },
        accessModes: ["ReadWriteOnce"],
        storageClassName: "",
        claimRef: { namespace, name: "first" },
        hostPath: { path: "/taken", type: "DirectoryOrCreate" },
      },
    });
    for (const name of ["first", "second"]) add(persistentvolumeclaims, claimDraft(name));
    const volumes = [{ name: "data", persistentVolumeClaim: { claimName: "second" } }];
    add(deployments, workload("homeless", "homeless", { replicas: 1 }, { volumes }));
  }
  if (budgets !== undefined) {
    add(deployments, workload("scarce", "scarce", { replicas: budgets.replicas }));
    for (const [name, minAvailable] of [["all", "100%"] as const, ["more", 7] as const])
      add(poddisruptionbudgets, {
        metadata: { namespace, name },
        spec: { minAvailable, selector: { matchLabels: { app: "scarce" } } },
      });
  }
  if (autoscalers !== undefined) {
    add(deployments, workload("torn", "torn", { replicas: autoscalers.replicas }));
    add(deployments, workload("unmeasured", "unmeasured", { replicas: 2 }));
    add(autoscalingV2Horizontalpodautoscalers, autoscalerDraft("low", "torn", 1, 2));
    add(autoscalingV2Horizontalpodautoscalers, autoscalerDraft("high", "torn", 4, 5));
    add(autoscalingV2Horizontalpodautoscalers, autoscalerDraft("astray", "nothing", 1, 5));
    add(autoscalingV2Horizontalpodautoscalers, autoscalerDraft("blind", "unmeasured", leastUnmeasured, 5));
  }
  if (stuck !== undefined) {
    add(namespaces, { metadata: { name: stuckNamespace } });
    const metadata = { namespace: stuckNamespace, name: "held", finalizers: ["example.com/never"] };
    add(configmaps, { metadata });
  }
  return drafts;
}

/** Two ConfigMaps that own one another; each step may be made twice. */
export async function makeCycle(
  client: Client,
  create: (resource: Resource<unknown>, draft: Draft<unknown>) => Promise<void>,
): Promise<void> {
  const make = (name: string): Promise<void> =>
    create(configmaps as Resource<unknown>, { metadata: { namespace, name } } as Draft<unknown>);
  await make("hen");
  await make("egg");
  for (const [name, owner] of [
    ["egg", "hen"],
    ["hen", "egg"],
  ] as const) {
    const uid = (await client.find(configmaps, { namespace, name: owner }))?.metadata?.uid;
    // Once deleted, there is nothing to tie any more.
    if (uid === undefined) return;
    const ownerReferences = [{ apiVersion: "v1", kind: "ConfigMap", name: owner, uid, blockOwnerDeletion: true }];
    await client.patch(configmaps, { namespace, name }, { metadata: { ownerReferences } }, { type: "merge" });
  }
}

function workload(name: string, app: string, spec: object, more: object = {}): object {
  const labels = { app };
  const template = { metadata: { labels }, spec: { ...podSpec(app), ...more } };
  return { metadata: { namespace, name }, spec: { selector: { matchLabels: labels }, template, ...spec } };
}

function podSpec(app: string): object {
  const resources = { requests: { cpu: "20m", memory: "16Mi" } };
  return { terminationGracePeriodSeconds: 1, containers: [{ name: app, image: `registry.test/${app}:1`, resources }] };
}

function claimDraft(name: string): object {
  const resources = { requests: { storage: "1Gi" } };
  const spec = { accessModes: ["ReadWriteOnce"], storageClassName: "", volumeName: "taken", resources };
  return { metadata: { namespace, name }, spec };
}

function autoscalerDraft(name: string, target: string, minReplicas: number, maxReplicas: number): object {
  const metric = { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } };
  const spec = {
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: target },
    minReplicas,
    maxReplicas,
    metrics: [{ type: "Resource", resource: metric }],
  };
  return { metadata: { namespace, name }, spec };
}

/** What is still missing, a sentence each: also what nobody says. */
export function missingOfSenseless(history: History, workloads: SenselessWorkloads): string[] {
  const { twins, cycle, taken, budgets, autoscalers, stuck } = workloads;
  const found: string[] = [];
  if (twins !== undefined) found.push(...missingOfTwins(history, twins.replicas));
  if (cycle !== undefined) found.push(...missingOfCycle(history, cycle.propagation));
  if (taken !== undefined) {
    const claim = (name: string) => history.get(`/registry/core/persistentvolumeclaims/${namespace}/${name}`)?.status;
    if (claim("first")?.["phase"] !== "Bound") found.push("claim first has not got its volume");
    if (claim("second")?.["phase"] !== "Pending") found.push(`claim second is ${String(claim("second")?.["phase"])}`);
    found.push(...untold(history, "second", "FailedBinding"));
    const [pod, ...more] = podsOf(history, "homeless");
    if (pod === undefined || more.length > 0 || conditionOf(pod, "PodScheduled")?.status !== "False")
      found.push("the pod whose claim has no volume does not say that it waits");
  }
  if (budgets !== undefined) {
    found.push(...missingReady(history, "scarce", budgets.replicas));
    for (const name of ["all", "more"]) {
      const budget = history.get(`/registry/policy/poddisruptionbudgets/${namespace}/${name}`);
      if (budget?.status?.["currentHealthy"] !== budgets.replicas || budget.status["disruptionsAllowed"] !== 0)
        found.push(`budget ${name} counts ${JSON.stringify(budget?.status)}`);
      if (conditionOf(budget, "DisruptionAllowed")?.status !== "False") found.push(`budget ${name} does not say no`);
    }
  }
  if (autoscalers !== undefined) found.push(...missingOfAutoscalers(history));
  if (stuck !== undefined) {
    const home = history.get(`/registry/core/namespaces/${stuckNamespace}`);
    const told = conditionOf(home, "NamespaceFinalizersRemaining");
    if (told?.status !== "True" || told.message?.includes("example.com/never") !== true)
      found.push("namespace stuck does not say who holds it");
  }
  return found;
}

function missingOfTwins(history: History, [first, second]: readonly [number, number]): string[] {
  const wanted: Readonly<Record<string, number>> = {
    twin: first,
    other: second,
    set: twinSets,
    loose: looseReplicas,
  };
  const counts: Record<string, number> = {};
  for (const pod of podsOf(history, "twin")) {
    const owner = pod.metadata.ownerReferences?.find(({ uid }) => uid === controllerOf(pod))?.name ?? "nobody";
    const name = owner.replace(/-.*$/, "");
    counts[name] = (counts[name] ?? 0) + (isReady(pod) ? 1 : 1_000);
  }
  const found = Object.entries({ ...counts, ...wanted }).flatMap(([name]) =>
    counts[name] === wanted[name]
      ? []
      : [`${name} has ${counts[name] ?? 0} pods of app twin, not ${wanted[name] ?? 0}`],
  );
  // Who is seen last tells of those before.
  const silent = ["twin", "other", "set"].map((name) => untold(history, name, "SelectorOverlap"));
  return silent.every(({ length }) => length > 0) ? [...found, ...silent.flat()] : found;
}

function missingOfCycle(history: History, propagation: string): string[] {
  const there = ["hen", "egg"].filter((name) => history.get(`/registry/core/configmaps/${namespace}/${name}`));
  if (propagation !== "") return there.map((name) => `${name}, whose owner was deleted, is still there`);
  if (there.length < 2) return [`only ${there.join() || "nothing"} is left of two that own one another`];
  return untold(history, "hen", "OwnerCycle").length === 0 ? [] : untold(history, "egg", "OwnerCycle");
}

function missingOfAutoscalers(history: History): string[] {
  const wanted = { low: "AmbiguousSelector", high: "AmbiguousSelector", astray: "FailedGetScale" } as const;
  const found = Object.entries({ ...wanted, blind: "FailedGetResourceMetric" }).flatMap(([name, reason]) => {
    const autoscaler = history.get(`/registry/autoscaling/horizontalpodautoscalers/${namespace}/${name}`);
    const conditions = (autoscaler?.status?.["conditions"] ?? []) as readonly Condition[];
    const says = conditions.some((one) => one.status === "False" && one.reason === reason);
    return says ? [] : [`autoscaler ${name} does not say ${reason}: ${JSON.stringify(conditions)}`];
  });
  return [...found, ...missingReady(history, "unmeasured", leastUnmeasured)];
}

function missingReady(history: History, app: string, wanted: number): string[] {
  const all = podsOf(history, app);
  const ready = all.filter(isReady).length;
  return ready === wanted && all.length === wanted ? [] : [`${ready} of ${all.length} pods of ${app} are ready`];
}

function podsOf(history: History, app: string): Stored[] {
  return [...history.all("pods").values()].filter(({ metadata }) => metadata.labels?.["app"] === app);
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

function conditionOf(object: Stored | undefined, type: string): Condition | undefined {
  return ((object?.status?.["conditions"] ?? []) as readonly Condition[]).find((one) => one.type === type);
}

function untold(history: History, name: string, reason: string): string[] {
  for (const event of history.all("events").values()) {
    const about = event["involvedObject"] as { readonly name?: string } | undefined;
    if (about?.name === name && event["reason"] === reason) return [];
  }
  return [`no event ${reason} tells of ${name}`];
}
