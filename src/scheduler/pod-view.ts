import type {
  Container,
  ContainerStatus,
  NodeSelectorTerm,
  Pod,
  PodAffinityTerm,
  PodSpec,
  PreferredSchedulingTerm,
  Toleration,
  TopologySpreadConstraint,
  WeightedPodAffinityTerm,
} from "#api/generated/core-v1.ts";
import { limits } from "./limits.ts";
import { imageName } from "./node-view.ts";
import { type Requests, requestsOf } from "./requests.ts";
import type { Labels } from "#api/label-match.ts";
import { isTerminalPhase } from "#api/pod-readiness.ts";

export interface HostPort {
  readonly port: number;
  readonly protocol: string;
  /** `0.0.0.0`: every address. */
  readonly address: string;
}

/** All that scheduling looks at and that pods of one template have in common: kept once for all of them. */
export interface PodShape {
  readonly id: string;
  /** Of that part which each node decides alone: shapes that agree in it share their evaluation. */
  readonly nodePartId: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly requests: Requests;
  readonly hostPorts: readonly HostPort[];
  readonly nodeSelector: Readonly<Record<string, string>> | undefined;
  readonly requiredNodes: readonly NodeSelectorTerm[] | undefined;
  readonly preferredNodes: readonly PreferredSchedulingTerm[];
  readonly tolerations: readonly Toleration[];
  readonly affinity: readonly PodAffinityTerm[];
  readonly antiAffinity: readonly PodAffinityTerm[];
  readonly preferredAffinity: readonly WeightedPodAffinityTerm[];
  readonly preferredAntiAffinity: readonly WeightedPodAffinityTerm[];
  readonly spread: readonly TopologySpreadConstraint[];
  readonly images: readonly string[];
  /** Uid of the controlling owner: its pods are spread by default. */
  readonly group: string | undefined;
}

/** A resource claim that a pod uses. */
export interface DeviceClaimUse {
  /** Its name in the pod's spec. */
  readonly podClaim: string;
  /** Of the ResourceClaim; undefined while none was made from its template yet. */
  readonly claimName: string | undefined;
}

/** What the scheduler keeps of a pod. */
export interface PodView {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly shape: PodShape;
  readonly priority: number;
  readonly mayPreempt: boolean;
  readonly schedulerName: string;
  /** Empty: not bound yet. */
  readonly nodeName: string;
  readonly nominatedNode: string;
  readonly gated: boolean;
  readonly deleting: boolean;
  /** Succeeded or Failed: takes nothing from its node any more. */
  readonly finished: boolean;
  readonly createdMs: number;
  /** When it began to run; later than any that does while it has not. */
  readonly startedMs: number;
  /** Names of the claims that it uses, those of its ephemeral volumes too. */
  readonly claims: readonly string[];
  /** Those of them that are made for its ephemeral volumes. */
  readonly ephemeralClaims: readonly string[];
  readonly deviceClaims: readonly DeviceClaimUse[];
  readonly generation: number | undefined;
  /** What its condition says of why it has no node, and about which generation. */
  readonly told: { readonly message: string; readonly generation: number | undefined } | undefined;
}

const shapes = new Map<string, PodShape>();

export function podView(pod: Pod): PodView {
  const { metadata, spec, status } = pod;
  const condition = status?.conditions?.find((one) => one.type === "PodScheduled" && one.status === "False");
  const namespace = metadata.namespace ?? "";
  const name = metadata.name ?? "";
  return {
    key: `${namespace}/${name}`,
    namespace,
    name,
    uid: metadata.uid ?? "",
    resourceVersion: metadata.resourceVersion ?? "",
    shape: shapeOf(pod),
    priority: spec.priority ?? 0,
    mayPreempt: spec.preemptionPolicy !== "Never",
    schedulerName: spec.schedulerName ?? "default-scheduler",
    nodeName: spec.nodeName ?? "",
    nominatedNode: status?.nominatedNodeName ?? "",
    gated: (spec.schedulingGates?.length ?? 0) > 0,
    deleting: metadata.deletionTimestamp !== undefined,
    finished: isTerminalPhase(status?.phase),
    createdMs: Date.parse(metadata.creationTimestamp ?? "") || 0,
    startedMs: Date.parse(status?.startTime ?? "") || Number.MAX_SAFE_INTEGER,
    ...claimsOf(pod),
    deviceClaims: deviceClaimsOf(pod),
    generation: metadata.generation,
    told:
      condition?.reason === "Unschedulable"
        ? { message: condition.message ?? "", generation: condition.observedGeneration }
        : undefined,
  };
}

type Claims = Pick<PodView, "claims" | "ephemeralClaims">;
const noClaims: Claims = Object.freeze({ claims: [], ephemeralClaims: [] });

function claimsOf({ metadata, spec }: Pod): Claims {
  if (spec.volumes === undefined) return noClaims;
  const named = spec.volumes.flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []);
  const ephemeralClaims = spec.volumes.flatMap(({ name, ephemeral }) =>
    ephemeral === undefined ? [] : [`${metadata.name ?? ""}-${name}`],
  );
  if (named.length + ephemeralClaims.length === 0) return noClaims;
  return { claims: [...named, ...ephemeralClaims], ephemeralClaims };
}

const noDeviceClaims: readonly DeviceClaimUse[] = Object.freeze([]);

function deviceClaimsOf({ spec, status }: Pod): readonly DeviceClaimUse[] {
  if (spec.resourceClaims === undefined || spec.resourceClaims.length === 0) return noDeviceClaims;
  return spec.resourceClaims.flatMap(({ name, resourceClaimName }): DeviceClaimUse[] => {
    if (resourceClaimName !== undefined) return [{ podClaim: name, claimName: resourceClaimName }];
    const made = status?.resourceClaimStatuses?.find((one) => one.name === name);
    // An entry without a name says that the pod needs no claim after all.
    if (made !== undefined && made.resourceClaimName === undefined) return [];
    return [{ podClaim: name, claimName: made?.resourceClaimName }];
  });
}

/** Shapes by all that they are made from, as text: for pods of one template nothing is counted again. */
const shapesBySource = new Map<string, PodShape>();

function shapeOf(pod: Pod): PodShape {
  const source = sourceOf(pod);
  const known = shapesBySource.get(source);
  if (known !== undefined) return known;
  const shape = sharedShape(pod);
  if (shapesBySource.size >= limits.shapesMax) shapesBySource.clear();
  shapesBySource.set(source, shape);
  return shape;
}

function sourceOf({ metadata, spec, status }: Pod): string {
  const { affinity, nodeSelector, tolerations, topologySpreadConstraints, resources, overhead, hostNetwork } = spec;
  return JSON.stringify([
    metadata.namespace,
    metadata.labels,
    groupOf(metadata),
    [affinity, nodeSelector, tolerations, topologySpreadConstraints, resources, overhead, hostNetwork],
    spec.containers.map(partOf),
    spec.initContainers?.map(partOf),
    status?.containerStatuses?.map(heldOf),
    status?.initContainerStatuses?.map(heldOf),
    status?.conditions?.find(({ type }) => type === "PodResizePending")?.reason,
  ]);
}

/** While a container is resized it holds other amounts than its spec says. */
function heldOf({ name, allocatedResources, resources }: ContainerStatus): unknown[] {
  return [name, allocatedResources, resources?.requests];
}

function partOf({ name, image, resources, ports, restartPolicy }: Container): unknown[] {
  return [name, image, resources?.requests, ports, restartPolicy];
}

function groupOf({ ownerReferences }: Pod["metadata"]): string | undefined {
  return ownerReferences?.find((owner) => owner.controller === true)?.uid;
}

function sharedShape(pod: Pod): PodShape {
  const { metadata, spec } = pod;
  const group = groupOf(metadata);
  const images = spec.containers.map((container) => imageName(container.image ?? ""));
  const requests = requestsOf(pod);
  const ports = hostPortsOf(spec);
  const labels = metadata.labels ?? {};
  const namespace = metadata.namespace ?? "";
  const { affinity, nodeSelector, tolerations, topologySpreadConstraints } = spec;
  const { amounts, scoredCpu, scoredMemory } = requests;
  const numbers = [[...amounts], scoredCpu, scoredMemory];
  const nodePartId = JSON.stringify([numbers, ports, nodeSelector, affinity?.nodeAffinity, tolerations, images]);
  const others = [
    namespace,
    labels,
    affinity?.podAffinity,
    affinity?.podAntiAffinity,
    topologySpreadConstraints,
    group,
  ];
  const id = `${JSON.stringify(others)} ${nodePartId}`;
  const known = shapes.get(id);
  if (known !== undefined) return known;
  const shape: PodShape = {
    id,
    nodePartId,
    namespace,
    labels,
    requests,
    hostPorts: ports,
    nodeSelector,
    requiredNodes: affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms,
    preferredNodes: affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [],
    tolerations: tolerations ?? [],
    affinity: affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [],
    antiAffinity: affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [],
    preferredAffinity: affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [],
    preferredAntiAffinity: affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [],
    spread: topologySpreadConstraints ?? [],
    images,
    group,
  };
  if (shapes.size >= limits.shapesMax) shapes.clear();
  shapes.set(id, shape);
  return shape;
}

function hostPortsOf(spec: PodSpec): HostPort[] {
  const ports: HostPort[] = [];
  const sidecars = (spec.initContainers ?? []).filter((container) => container.restartPolicy === "Always");
  for (const container of [...spec.containers, ...sidecars]) {
    for (const { hostPort, protocol, hostIP, containerPort } of container.ports ?? []) {
      const port = hostPort ?? (spec.hostNetwork === true ? containerPort : 0);
      if (port > 0)
        ports.push({
          port,
          protocol: protocol ?? "TCP",
          address: hostIP === undefined || hostIP === "" ? "0.0.0.0" : hostIP,
        });
    }
  }
  return ports;
}

/** Two wishes for a port exclude each other when one of them wants every address or both the same. */
export function portsCollide(a: HostPort, b: HostPort): boolean {
  if (a.port !== b.port || a.protocol !== b.protocol) return false;
  return a.address === b.address || a.address === "0.0.0.0" || b.address === "0.0.0.0";
}

/** Something that decides about its place has changed since. */
export function isAnotherQuestion(old: PodView, pod: PodView): boolean {
  if (old.shape !== pod.shape || old.uid !== pod.uid) return true;
  return old.deviceClaims.some(({ claimName }, index) => claimName !== pod.deviceClaims[index]?.claimName);
}
