import { dependencyGate } from "#api/apps/depends-on.ts";
import { pods } from "#api/generated/resources.ts";
import type { Container, ContainerStatus, Pod, PodCondition, Toleration } from "#api/generated/core-v1.ts";
import { isTerminalPhase } from "#api/pod-readiness.ts";
import { parseQuantity, quantityToMillis } from "#codec/quantity.ts";
import type { InformerDeclaration } from "#reconcile/informer.ts";
import { objectIndexes, objectView, timeOf, type ObjectView } from "#reconcile/object-view.ts";
import { limits } from "../limits.ts";

/** How one container ended, as the Job's failure policy judges it. */
export interface ContainerEnd {
  readonly name: string;
  readonly exitCode: number;
}

/** What is shown of a container: kube-state-metrics' series. */
export interface ContainerState {
  readonly name: string;
  readonly image: string;
  readonly ready: boolean;
  readonly restarts: number;
  readonly state: "running" | "waiting" | "terminated" | "";
  readonly reason: string;
  /** When it began to run; 0 when it does not. */
  readonly startedMs: number;
  /** Why it ended the last time; "" when it never did. */
  readonly lastReason: string;
}

/** Requests in thousandths (of a core, of a byte), by resource. */
export interface PodRequests {
  /** Of the pod as a whole, where it asks so. */
  readonly pod: Readonly<Record<string, number>>;
  readonly containers: readonly {
    readonly name: string;
    readonly requests: Readonly<Record<string, number>>;
    readonly limits: Readonly<Record<string, number>>;
  }[];
}

/** What the controllers keep of a pod. */
export interface PodView extends ObjectView {
  readonly node: string;
  readonly phase: string;
  readonly reason: string;
  readonly ips: readonly string[];
  readonly hostNetwork: boolean;
  readonly hostname: string;
  readonly subdomain: string;
  readonly restartPolicy: string;
  readonly priority: number;
  readonly priorityClass: string;
  /** Condition Ready is True. */
  readonly ready: boolean;
  /** Since when condition Ready has its value. */
  readonly readyChangedMs: number;
  readonly conditions: readonly PodCondition[];
  /** Restarts of all containers together. */
  readonly restarts: number;
  /** Container ports that have names. */
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[];
  readonly tolerations: readonly Toleration[];
  readonly ends: readonly ContainerEnd[];
  /** When the last container ended; 0 while unknown. */
  readonly finishedMs: number;
  readonly gated: boolean;
  /** One of its gates is that of workloads that depend on others. */
  readonly waitsForDependencies: boolean;
  /** When the node took it on; undefined before. */
  readonly startedMs: number | undefined;
  readonly containers: readonly ContainerState[];
  /** What its containers asked for; shared by pods that asked for the same. */
  readonly requests: PodRequests;
  /** The node that its node affinity names (DaemonSet pods), else the one it runs on; "" when neither. */
  readonly target: string;
  /** Names of the claims that it uses, those of its ephemeral volumes too. */
  readonly claims: readonly string[];
  readonly hasEphemeralClaims: boolean;
  /** Of spec.resourceClaims. */
  readonly deviceClaims: readonly DeviceClaimUse[];
}

/** A resource claim that a pod uses. */
export interface DeviceClaimUse {
  /** Its name in the pod's spec. */
  readonly name: string;
  /** The template from which it is to be made for this pod. */
  readonly templateName: string | undefined;
  /** Of the ResourceClaim; undefined while none was made from the template yet. */
  readonly claimName: string | undefined;
}

/** Neither finished nor being deleted: what counts as a replica. */
export function isActive(pod: PodView): boolean {
  return pod.deletionMs === undefined && !isFinished(pod);
}

export function isFinished(pod: PodView): boolean {
  return isTerminalPhase(pod.phase);
}

/** Ready for at least `minReadySeconds`. */
export function isAvailable(pod: PodView, minReadySeconds: number, now: number): boolean {
  const { ready, readyChangedMs } = pod;
  // Ready since a time that lies ahead: the clock was set back since, and the pod must not count as lost for that.
  const isFromAhead = readyChangedMs > now + limits.clockSkewMs;
  return ready && (minReadySeconds === 0 || isFromAhead || readyChangedMs + minReadySeconds * 1000 <= now);
}

/** Milliseconds until a ready pod becomes available; undefined when it is, or when it is not ready. */
export function availableInMs(pod: PodView, minReadySeconds: number, now: number): number | undefined {
  if (!pod.ready || isAvailable(pod, minReadySeconds, now)) return undefined;
  return pod.readyChangedMs + minReadySeconds * 1000 - now;
}

export const podDeclaration: InformerDeclaration<Pod, PodView> = {
  resource: pods,
  project: projectPod,
  indexes: {
    ...objectIndexes,
    /** Pods without a controller, by namespace: candidates for adoption. */
    orphan: (pod) => (pod.controller === undefined ? [pod.namespace] : []),
    node: (pod) => (pod.node === "" ? [] : [pod.node]),
    claim: (pod) => pod.claims.map((name) => `${pod.namespace}/${name}`),
    /** `namespace/key=value`. */
    pair: (pod) => Object.keys(pod.labels).map((key) => `${pod.namespace}/${key}=${pod.labels[key]!}`),
  },
};

export function projectPod(pod: Pod): PodView {
  const spec = pod.spec ?? { containers: [] };
  const status = pod.status ?? {};
  const conditions = status.conditions ?? [];
  const ready = conditions.find((condition) => condition.type === "Ready");
  const statuses = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  const running = runningContainers(pod);
  const object = objectView(pod.metadata);
  // Named one by one: what is spread is added one by one, each to a larger copy of the object.
  return {
    key: object.key,
    namespace: object.namespace,
    name: object.name,
    uid: object.uid,
    resourceVersion: object.resourceVersion,
    generation: object.generation,
    createdMs: object.createdMs,
    deletionMs: object.deletionMs,
    labels: object.labels,
    annotations: object.annotations,
    owners: object.owners,
    controller: object.controller,
    finalizers: object.finalizers,
    node: spec.nodeName ?? "",
    phase: status.phase ?? "",
    reason: status.reason ?? "",
    ips: (status.podIPs ?? []).map((ip) => ip.ip).filter((ip) => ip !== undefined && ip !== ""),
    hostNetwork: spec.hostNetwork === true,
    hostname: spec.hostname ?? "",
    subdomain: spec.subdomain ?? "",
    restartPolicy: spec.restartPolicy ?? "Always",
    priority: spec.priority ?? 0,
    priorityClass: spec.priorityClassName ?? "",
    ready: ready?.status === "True",
    readyChangedMs: timeOf(ready?.lastTransitionTime) ?? 0,
    conditions,
    restarts: statuses.reduce((sum, container) => sum + (container.restartCount ?? 0), 0),
    ports: namedPorts(running),
    tolerations: spec.tolerations ?? [],
    ends: statuses.flatMap((container) => {
      const terminated = container.state?.terminated;
      return terminated === undefined ? [] : [{ name: container.name, exitCode: terminated.exitCode }];
    }),
    finishedMs: Math.max(0, ...statuses.map((container) => timeOf(container.state?.terminated?.finishedAt) ?? 0)),
    gated: (spec.schedulingGates ?? []).length > 0,
    waitsForDependencies: (spec.schedulingGates ?? []).some(({ name }) => name === dependencyGate),
    startedMs: timeOf(status.startTime),
    requests: requestsOf(pod, running),
    containers: (status.containerStatuses ?? []).map(containerState),
    target: spec.nodeName ?? targetOf(pod),
    claims: claimsOf(pod),
    hasEphemeralClaims: (spec.volumes ?? []).some((volume) => volume.ephemeral !== undefined),
    deviceClaims: deviceClaimsOf(pod),
  };
}

const noClaims: readonly string[] = Object.freeze([]);

function claimsOf({ metadata, spec }: Pod): readonly string[] {
  const names = (spec?.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim !== undefined) return [persistentVolumeClaim.claimName];
    return ephemeral === undefined ? [] : [`${metadata.name ?? ""}-${name}`];
  });
  return names.length === 0 ? noClaims : names;
}

const noDeviceClaims: readonly DeviceClaimUse[] = Object.freeze([]);

function deviceClaimsOf({ spec, status }: Pod): readonly DeviceClaimUse[] {
  if (spec?.resourceClaims === undefined || spec.resourceClaims.length === 0) return noDeviceClaims;
  const made = new Map(status?.resourceClaimStatuses?.map((one) => [one.name, one.resourceClaimName]));
  return spec.resourceClaims.map(({ name, resourceClaimName, resourceClaimTemplateName }) => ({
    name,
    templateName: resourceClaimTemplateName,
    claimName: resourceClaimName ?? made.get(name),
  }));
}

type Containers = readonly Container[];

/** The containers that run beside each other: sidecars among them. */
function runningContainers({ spec }: Pod): Containers {
  // The models of tests have pods that say nothing of containers.
  const containers = spec?.containers ?? [];
  const sidecars = (spec?.initContainers ?? []).filter((container) => container.restartPolicy === "Always");
  return sidecars.length === 0 ? containers : [...containers, ...sidecars];
}

const noPorts: PodView["ports"] = Object.freeze([]);

function namedPorts(containers: Containers): PodView["ports"] {
  const named: PodView["ports"][number][] = [];
  for (const { ports = [] } of containers)
    for (const { name = "", protocol = "TCP", containerPort: port } of ports)
      if (name !== "") named.push({ name, protocol, port });
  return named.length === 0 ? noPorts : named;
}

function containerState({ name, image, ready, restartCount, state, lastState }: ContainerStatus): ContainerState {
  const { running, waiting, terminated } = state ?? {};
  return {
    name,
    image,
    ready,
    restarts: restartCount ?? 0,
    state:
      running !== undefined
        ? "running"
        : waiting !== undefined
          ? "waiting"
          : terminated !== undefined
            ? "terminated"
            : "",
    reason: waiting?.reason ?? terminated?.reason ?? "",
    startedMs: timeOf(running?.startedAt ?? terminated?.startedAt) ?? 0,
    lastReason: lastState?.terminated?.reason ?? "",
  };
}

const sharedRequests = new Map<string, PodRequests>();
/** Different sets of requests that are kept shared; beyond it each pod has its own. */
const sharedRequestsMax = 1_000;

function requestsOf(pod: Pod, running: Containers): PodRequests {
  const ofPod = pod.spec?.resources?.requests;
  // Neither names of containers nor quantities hold what stands between them here.
  let id = amountsText(ofPod);
  for (const { name, resources } of running)
    id += `;${name} ${amountsText(resources?.requests)} ${amountsText(resources?.limits)}`;
  const known = sharedRequests.get(id);
  if (known !== undefined) return known;
  const containers = running.map(({ name, resources }) => {
    return { name, requests: thousandths(resources?.requests), limits: thousandths(resources?.limits) };
  });
  const made: PodRequests = { pod: thousandths(ofPod), containers };
  if (sharedRequests.size < sharedRequestsMax) sharedRequests.set(id, made);
  return made;
}

type Amounts = Readonly<Record<string, string>> | undefined;

function amountsText(amounts: Amounts): string {
  return amounts === undefined ? "" : `${amounts["cpu"] ?? ""},${amounts["memory"] ?? ""}`;
}

function thousandths(amounts: Amounts): Record<string, number> {
  const made: Record<string, number> = {};
  for (const name of ["cpu", "memory"]) {
    const parsed = parseQuantity(amounts?.[name] ?? "");
    if (parsed.ok) made[name] = Number(quantityToMillis(parsed.quantity));
  }
  return made;
}

function targetOf(pod: Pod): string {
  const terms =
    pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  for (const term of terms) {
    for (const { key, operator, values } of term.matchFields ?? []) {
      if (key === "metadata.name" && operator === "In" && values?.length === 1) return values[0]!;
    }
  }
  return "";
}
