import type { RuntimeMount } from "./container-runtime.ts";

/**
 * What a container gets with the devices that were given to it.
 * https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/
 */
export interface DeviceEdits {
  readonly envs: Readonly<Record<string, string>>;
  readonly mounts: readonly Pick<RuntimeMount, "containerPath" | "hostPath" | "readonly">[];
  readonly devices: readonly {
    readonly containerPath: string;
    readonly hostPath: string;
    readonly permissions: string;
  }[];
  readonly annotations: Readonly<Record<string, string>>;
  /** Fully qualified names of the Container Device Interface: `vendor.com/gpu=0`. */
  readonly cdiDevices: readonly { readonly name: string }[];
}

export interface DevicePluginRequest {
  readonly version: string;
  /** Name of the plugin's socket in the folder of the registration's. */
  readonly endpoint: string;
  readonly resourceName: string;
}

export interface DevicePluginOptions {
  readonly preStartRequired: boolean;
  readonly preferredAllocationAvailable: boolean;
}

export interface PluginDevice {
  readonly id: string;
  /** `Healthy`, or anything else. */
  readonly health: string;
  /** Which parts of the machine's memory it is near to; absent: the plugin does not say. */
  readonly topology?: DeviceTopology | undefined;
}

/** Nodes of non-uniform memory access, by their numbers in the kernel. */
export interface DeviceTopology {
  readonly nodes: readonly { readonly id: number }[];
}

/** One device plugin, asked over its socket. Calls reject when it does not answer in time. */
export interface DevicePlugin {
  options(): Promise<DevicePluginOptions>;
  /** Follows the plugin's devices; `end` is the last call, exactly once. */
  watch(events: { devices(all: readonly PluginDevice[]): void; end(error?: Error): void }): { cancel(): void };
  /** Which of the available it would give, the ones that must be in it among them. */
  preferred(available: readonly string[], mustInclude: readonly string[], size: number): Promise<readonly string[]>;
  allocate(ids: readonly string[]): Promise<DeviceEdits>;
  preStart(ids: readonly string[]): Promise<void>;
  close(): void;
}

/** What a plugin says of itself in the registration folder. */
export interface PluginInfo {
  /** `DRAPlugin`, `CSIPlugin`, `DevicePlugin`. */
  readonly type: string;
  readonly name: string;
  /** Absolute path of the socket that serves; empty: this one. */
  readonly endpoint: string;
  readonly supportedVersions: readonly string[];
}

export interface PluginRegistration {
  info(): Promise<PluginInfo>;
  /** Tells the plugin whether it was taken; `error` is empty when it was. */
  notify(registered: boolean, error: string): Promise<void>;
  close(): void;
}

export interface ClaimName {
  readonly namespace: string;
  readonly uid: string;
  readonly name: string;
}

export interface PreparedDevice {
  readonly requestNames: readonly string[];
  readonly poolName: string;
  readonly deviceName: string;
  readonly cdiDeviceIds: readonly string[];
}

/** A driver of resource claims, asked over its socket. Calls reject when it does not answer in time. */
export interface ClaimDriver {
  /** Answers by uid of the claim; a text is the driver's error for that claim. */
  prepare(claims: readonly ClaimName[]): Promise<ReadonlyMap<string, readonly PreparedDevice[] | string>>;
  /** Answers the errors by uid of the claim. */
  unprepare(claims: readonly ClaimName[]): Promise<ReadonlyMap<string, string>>;
  close(): void;
}

/** A device plugin's devices as monitoring agents are told of them. */
export interface ReportedDevices {
  readonly resourceName: string;
  readonly ids: readonly string[];
  readonly topology?: DeviceTopology | undefined;
}

/** A claim's devices as monitoring agents are told of them. */
export interface ReportedClaim {
  readonly name: string;
  readonly namespace: string;
  readonly resources: readonly {
    readonly cdiDevices: readonly { readonly name: string }[];
    readonly driver: string;
    readonly pool: string;
    readonly device: string;
  }[];
}

/** What a pod's containers were given. */
export interface ReportedPod {
  readonly name: string;
  readonly namespace: string;
  readonly containers: readonly {
    readonly name: string;
    readonly devices: readonly ReportedDevices[];
    readonly claims: readonly ReportedClaim[];
  }[];
}

/** Answers monitoring agents: which pod holds which device of this node. */
export interface PodResources {
  pods(): readonly ReportedPod[];
  /** undefined: no such pod is on this node. */
  pod(namespace: string, name: string): ReportedPod | undefined;
  allocatable(): readonly ReportedDevices[];
}

/** Versions of the drivers' service that are spoken, best first. */
export const claimDriverVersions = ["v1", "v1beta1"] as const;
export type ClaimDriverVersion = (typeof claimDriverVersions)[number];

/** gRPC with plugins on this machine, over Unix sockets: the node's side. */
export interface NodePlugins {
  /** Serves the registration of device plugins; `register` rejects with what the plugin is told. */
  serveRegistration(
    socketPath: string,
    register: (request: DevicePluginRequest) => Promise<void>,
  ): Promise<{ close(): Promise<void> }>;
  /** Serves the pod resources API (`v1`). */
  servePodResources(socketPath: string, resources: PodResources): Promise<{ close(): Promise<void> }>;
  devicePlugin(socketPath: string): DevicePlugin;
  registration(socketPath: string): PluginRegistration;
  claimDriver(socketPath: string, version: ClaimDriverVersion): ClaimDriver;
}
