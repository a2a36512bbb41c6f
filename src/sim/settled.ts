import { missingOfDemanding } from "./demanding-workloads.ts";
import { missingOfFurther } from "./further-workloads.ts";
import type { History, Stored } from "./history.ts";
import { missingOfSenseless } from "./senseless-workloads.ts";
import type { SideWorkloads } from "./side-workloads.ts";
import type { SimulatedHost } from "./simulated-host.ts";
import type { Desired } from "./user.ts";
import { webKey } from "./user.ts";

interface DeploymentStatus {
  readonly observedGeneration?: number;
  readonly replicas?: number;
  readonly updatedReplicas?: number;
  readonly availableReplicas?: number;
}

interface PodLike {
  readonly spec: { readonly nodeName?: string; readonly containers: readonly { readonly image: string }[] };
  readonly status: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** What is still missing from the desired state, a sentence each; empty when it is reached. */
export function missing(history: History, hosts: readonly SimulatedHost[], desired: Desired): string[] {
  const found: string[] = [];
  const deployment = history.get(webKey);
  if (deployment === undefined) return ["deployment web does not exist"];
  const status = (deployment.status ?? {}) as DeploymentStatus;
  const { replicas, image } = desired;
  if (status.observedGeneration !== deployment.metadata.generation)
    found.push("the deployment's newest spec was not observed");
  for (const count of ["replicas", "updatedReplicas", "availableReplicas"] as const) {
    if ((status[count] ?? 0) !== replicas) found.push(`${count} is ${status[count] ?? 0}, not ${replicas}`);
  }
  const all = [...history.all("pods").values()];
  const pods = all.filter(({ metadata }) => metadata.labels?.["app"] === "web");
  if (pods.length !== replicas) found.push(`${pods.length} pods are there, not ${replicas}`);
  for (const pod of pods) found.push(...missingOfPod(pod, history, hosts, image));
  for (const host of hosts) {
    if (!host.isPowered) continue;
    const node = history.get(`/registry/core/nodes/${host.name}`) as (Stored & PodLike) | undefined;
    if (node === undefined || !isReady(node)) found.push(`${host.name} is not Ready`);
    for (const { pod, uid } of host.runtime.runningContainers()) {
      if (!all.some(({ metadata }) => metadata.uid === uid))
        found.push(`a container of ${pod} (${uid}) still runs on ${host.name}`);
    }
  }
  found.push(...missingEndpoints(history, pods));
  found.push(...missingOfSide(history, hosts, desired.side), ...missingOfFurther(history, desired.further));
  found.push(...missingOfDemanding(history, desired.demanding), ...missingOfSenseless(history, desired.senseless));
  return found;
}

function missingOfSide(history: History, hosts: readonly SimulatedHost[], side: SideWorkloads): string[] {
  const found: string[] = [];
  const podsOf = (app: string): Stored[] =>
    [...history.all("pods").values()].filter(({ metadata }) => metadata.labels?.["app"] === app);
  const { statefulSet, daemonSet, job } = side;
  if (statefulSet !== undefined) {
    const pods = podsOf("db");
    const names = pods
      .map(({ metadata }) => metadata.name)
      .sort()
      .join(" ");
    const wanted = Array.from({ length: statefulSet.replicas }, (_, ordinal) => `db-${ordinal}`).join(" ");
    if (names !== wanted) found.push(`statefulset db has the pods ${names || "none"}, not ${wanted || "none"}`);
    for (const pod of pods) found.push(...missingOfPod(pod, history, hosts, statefulSet.image));
    const status = history.get("/registry/apps/statefulsets/default/db")?.status;
    if ((status?.["readyReplicas"] ?? 0) !== statefulSet.replicas)
      found.push(`statefulset db says ${String(status?.["readyReplicas"])} are ready`);
  }
  if (daemonSet !== undefined) {
    const pods = podsOf("log");
    const nodes = [...history.all("nodes").values()]
      .map(({ metadata }) => metadata.name)
      .sort()
      .join(" ");
    const places = pods
      .map(({ spec }) => String(spec?.["nodeName"]))
      .sort()
      .join(" ");
    if (nodes !== places) found.push(`daemonset log is on ${places || "no node"}, the nodes are ${nodes}`);
    for (const pod of pods) found.push(...missingOfPod(pod, history, hosts, daemonSet.image));
  }
  if (job !== undefined) {
    const status = history.get("/registry/batch/jobs/default/sum")?.status ?? {};
    const conditions = (status["conditions"] ?? []) as { type: string; status: string }[];
    const isComplete = conditions.some((condition) => condition.type === "Complete" && condition.status === "True");
    if (!isComplete) found.push(`job sum is not complete: ${JSON.stringify({ ...status, conditions: undefined })}`);
    else if (status["succeeded"] !== job.completions)
      found.push(`job sum says ${String(status["succeeded"])} succeeded, not ${job.completions}`);
  }
  return found;
}

function missingOfPod(stored: Stored, history: History, hosts: readonly SimulatedHost[], image: string): string[] {
  const pod = stored as Stored & PodLike;
  const { name, uid } = stored.metadata;
  if (pod.metadata.deletionTimestamp !== undefined) return [`pod ${name} is still ending`];
  if (pod.spec.containers[0]?.image !== image) return [`pod ${name} has image ${pod.spec.containers[0]?.image}`];
  if (pod.status.phase !== "Running" || !isReady(pod)) return [`pod ${name} is ${pod.status.phase} and not ready`];
  if (history.get(`/registry/core/nodes/${pod.spec.nodeName}`) === undefined)
    return [`pod ${name} is on ${pod.spec.nodeName}, which is gone`];
  const host = hosts.find((candidate) => candidate.name === pod.spec.nodeName);
  const runs = host?.isPowered === true && host.runtime.runningContainers().some((container) => container.uid === uid);
  return runs ? [] : [`pod ${name} has no running container on ${pod.spec.nodeName}`];
}

function missingEndpoints(history: History, pods: readonly Stored[]): string[] {
  const wanted = pods.map((pod) => (pod as Stored & PodLike).status.podIP ?? "").sort();
  const slices = [...history.all("discovery.k8s.io/endpointslices").values()].filter(
    ({ metadata }) => metadata.namespace === "default" && metadata.labels?.["kubernetes.io/service-name"] === "web",
  );
  const endpoints = slices.flatMap(
    (slice) => (slice["endpoints"] ?? []) as { addresses: string[]; conditions?: { ready?: boolean } }[],
  );
  const ready = endpoints.flatMap(({ addresses, conditions }) => (conditions?.ready === true ? addresses : [])).sort();
  if (ready.join() === wanted.join() && ready.length === endpoints.length) return [];
  return [`service web has the ready endpoints ${ready.join(" ") || "none"}, not ${wanted.join(" ") || "none"}`];
}

function isReady(object: PodLike): boolean {
  return object.status.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}
