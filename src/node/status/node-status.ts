import type { NodeCondition, NodeStatus } from "#api/generated/core-v1.ts";
import type { RuntimeImage, RuntimeStatus, RuntimeVersion } from "#world/container-runtime.ts";
import type { MachineFacts } from "#world/machine.ts";
import { diskAvailableFractionMin, imagesReportedMax, memoryAvailableBytesMin } from "../limits.ts";
import { apiTime } from "../pods/status.ts";

/** What was found out about the node just now. */
export interface NodeObservation {
  readonly name: string;
  readonly facts: MachineFacts;
  readonly addresses: readonly string[];
  readonly version: string;
  readonly apiPort: number;
  readonly podsMax: number;
  readonly reserved: { readonly cpuMilli: number; readonly memoryBytes: number };
  /** Undefined: the runtime did not answer, and why. */
  readonly runtime: { readonly version: RuntimeVersion; readonly status: RuntimeStatus } | { readonly failure: string };
  readonly memoryAvailableBytes: number;
  readonly disk: { readonly sizeBytes: number; readonly availableBytes: number };
  readonly images: readonly RuntimeImage[];
  /** Of plugins. */
  readonly devices: Readonly<Record<string, { readonly capacity: number; readonly allocatable: number }>>;
}

/** The status of a node; a condition keeps its transition time as long as its status stays. Pure. */
export function nodeStatusOf(seen: NodeObservation, before: readonly NodeCondition[], now: number): NodeStatus {
  const { facts } = seen;
  const capacity = {
    cpu: String(facts.cpuCount),
    "ephemeral-storage": `${Math.floor(seen.disk.sizeBytes / 1024)}Ki`,
    "hugepages-1Gi": "0",
    "hugepages-2Mi": "0",
    memory: `${Math.floor(facts.memoryBytes / 1024)}Ki`,
    pods: String(seen.podsMax),
    ...amountsOf(seen.devices, "capacity"),
  };
  const allocatableCpu = facts.cpuCount * 1000 - seen.reserved.cpuMilli;
  return {
    capacity,
    allocatable: {
      ...capacity,
      cpu: allocatableCpu % 1000 === 0 ? String(allocatableCpu / 1000) : `${allocatableCpu}m`,
      // As documented for eviction's defaults: a tenth of the disk is not to be given away.
      "ephemeral-storage": String(Math.floor(seen.disk.sizeBytes * (1 - diskAvailableFractionMin))),
      memory: `${Math.floor((facts.memoryBytes - seen.reserved.memoryBytes - memoryAvailableBytesMin) / 1024)}Ki`,
      ...amountsOf(seen.devices, "allocatable"),
    },
    conditions: conditionsOf(seen, before, now),
    addresses: [
      ...seen.addresses.map((address) => ({ type: "InternalIP", address })),
      { type: "Hostname", address: seen.name },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: seen.apiPort } },
    nodeInfo: {
      machineID: facts.machineId,
      systemUUID: facts.systemUuid,
      bootID: facts.bootId,
      kernelVersion: facts.kernelVersion,
      osImage: facts.osImage,
      containerRuntimeVersion:
        "version" in seen.runtime ? `${seen.runtime.version.runtimeName}://${seen.runtime.version.runtimeVersion}` : "",
      kubeletVersion: seen.version,
      kubeProxyVersion: seen.version,
      operatingSystem: "linux",
      architecture: facts.architecture,
    },
    images: seen.images
      .toSorted((a, b) => b.size - a.size)
      .slice(0, imagesReportedMax)
      .map((image) => ({ names: [...image.repoDigests, ...image.repoTags], sizeBytes: image.size })),
  };
}

function amountsOf(devices: NodeObservation["devices"], which: "capacity" | "allocatable"): Record<string, string> {
  return Object.fromEntries(Object.entries(devices).map(([name, amounts]) => [name, String(amounts[which])]));
}

function conditionsOf(seen: NodeObservation, before: readonly NodeCondition[], now: number): NodeCondition[] {
  const condition = (type: string, is: boolean, reason: string, message: string): NodeCondition => {
    const status = is ? "True" : "False";
    const known = before.find((one) => one.type === type);
    const since = known?.status === status ? known.lastTransitionTime : undefined;
    return {
      type,
      status,
      lastHeartbeatTime: apiTime(now),
      lastTransitionTime: since ?? apiTime(now),
      reason,
      message,
    };
  };
  const memoryLow = seen.memoryAvailableBytes < memoryAvailableBytesMin;
  const diskLow = seen.disk.availableBytes < seen.disk.sizeBytes * diskAvailableFractionMin;
  const unready = unreadyReasons(seen);
  return [
    memoryLow
      ? condition("MemoryPressure", true, "KubeletHasInsufficientMemory", "kubelet has insufficient memory available")
      : condition("MemoryPressure", false, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    diskLow
      ? condition("DiskPressure", true, "KubeletHasDiskPressure", "kubelet has disk pressure")
      : condition("DiskPressure", false, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    condition("PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    unready.length === 0
      ? condition("Ready", true, "KubeletReady", "kubelet is posting ready status")
      : condition("Ready", false, "KubeletNotReady", unready.join(", ")),
  ];
}

function unreadyReasons(seen: NodeObservation): readonly string[] {
  if ("failure" in seen.runtime) return [`container runtime is down: ${seen.runtime.failure}`];
  const names: Readonly<Record<string, string>> = {
    RuntimeReady: "container runtime not ready",
    NetworkReady: "container runtime network not ready",
  };
  return seen.runtime.status.conditions.flatMap(({ type, status, reason, message }) => {
    const name = names[type];
    return status || name === undefined ? [] : [`${name}: ${type}=false reason:${reason} message:${message}`];
  });
}
