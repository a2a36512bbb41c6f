/**
 * The container runtime as the agent sees it: the part of CRI v1 that is used, typed. Times are milliseconds since 1970,
 * absent when the runtime has none. The simulator implements this interface; so does containerd's adapter.
 */
export interface ContainerRuntime {
  /** Rejects with `DeadlineExceeded` after ten seconds: a runtime that does not even say who it is hangs. */
  version(): Promise<RuntimeVersion>;
  status(): Promise<RuntimeStatus>;
  /** Makes and starts a sandbox with its network; answers its id. Rejects with `ContainerRuntimeError`, as every method. */
  runSandbox(config: SandboxConfig): Promise<string>;
  /** Ends what runs in the sandbox and gives its network back. Of one that is gone: no error. */
  stopSandbox(id: string): Promise<void>;
  removeSandbox(id: string): Promise<void>;
  sandboxStatus(id: string): Promise<SandboxStatus>;
  listSandboxes(labels?: Labels): Promise<readonly SandboxSummary[]>;
  createContainer(sandboxId: string, config: ContainerConfig, sandboxConfig: SandboxConfig): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** Sends the image's stop signal, waits `timeoutSeconds`, then SIGKILL; resolves when the container has ended. */
  stopContainer(id: string, timeoutSeconds: number): Promise<void>;
  removeContainer(id: string): Promise<void>;
  containerStatus(id: string): Promise<RuntimeContainerStatus>;
  listContainers(labels?: Labels): Promise<readonly ContainerSummary[]>;
  updateContainerResources(id: string, resources: LinuxResources): Promise<void>;
  reopenContainerLog(id: string): Promise<void>;
  /** Runs a command to its end. `timeoutSeconds` 0: no limit; when it passes: code `DeadlineExceeded`. */
  execSync(id: string, command: readonly string[], timeoutSeconds: number, signal?: AbortSignal): Promise<ExecResult>;
  /** The URL of the runtime's own streaming server; good for one connection, about a minute. */
  execUrl(id: string, command: readonly string[], streams: StreamOptions): Promise<string>;
  attachUrl(id: string, streams: StreamOptions): Promise<string>;
  portForwardUrl(sandboxId: string, ports: readonly number[]): Promise<string>;
  listContainerStats(): Promise<readonly ContainerStats[]>;
  listImages(): Promise<readonly RuntimeImage[]>;
  /** Undefined when the image is not here. */
  imageStatus(image: string): Promise<RuntimeImage | undefined>;
  /** Answers the reference to create containers from. */
  pullImage(image: string, credentials: RegistryCredentials | undefined, signal?: AbortSignal): Promise<string>;
  removeImage(image: string): Promise<void>;
  /** Puts the images of an OCI or Docker archive into the store; answers their names. */
  importImages(archivePath: string): Promise<readonly string[]>;
  /** Bytes that images take, and the mount point of their file system. */
  imageFileSystem(): Promise<{ readonly mountPoint: string; readonly usedBytes: number } | undefined>;
  /**
   * Containers and sandboxes that the runtime takes for running although their processes have ended; one that ends just now may be
   * among them. containerd 1.6 loses ends that come while it starts; only another start finds them. Absent: nothing is ever lost.
   */
  lostEnds?(): Promise<readonly string[]>;
  /** Reports what happens to containers and sandboxes until closed; connects again by itself. */
  subscribe(handler: RuntimeEventHandler): { close(): void };
}

export type Labels = Readonly<Record<string, string>>;

export interface RuntimeEventHandler {
  /** Something happened to this container or sandbox: look again. The runtime's status shows it already. */
  changed(id: string): void;
  /** The stream began or broke: events may have been missed, look at everything. */
  gap(): void;
}

export interface RuntimeVersion {
  readonly runtimeName: string;
  readonly runtimeVersion: string;
}

export interface RuntimeStatus {
  readonly conditions: readonly {
    /** `RuntimeReady`, `NetworkReady`. */
    readonly type: string;
    readonly status: boolean;
    readonly reason: string;
    readonly message: string;
  }[];
}

export type NamespaceMode = "Pod" | "Container" | "Node" | "Target";

export interface NamespaceOptions {
  readonly network: NamespaceMode;
  readonly pid: NamespaceMode;
  readonly ipc: NamespaceMode;
  readonly targetId?: string | undefined;
}

export interface SecurityProfile {
  readonly profileType: "RuntimeDefault" | "Unconfined" | "Localhost";
  readonly localhostRef?: string | undefined;
}

export interface SandboxMetadata {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly attempt: number;
}

export interface SandboxConfig {
  readonly metadata: SandboxMetadata;
  /** Empty with the node's network. */
  readonly hostname: string;
  readonly logDirectory: string;
  readonly dnsConfig: {
    readonly servers: readonly string[];
    readonly searches: readonly string[];
    readonly options: readonly string[];
  };
  readonly portMappings: readonly {
    readonly protocol: "TCP" | "UDP" | "SCTP";
    readonly containerPort: number;
    readonly hostPort: number;
    readonly hostIp: string;
  }[];
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly linux: {
    readonly cgroupParent: string;
    readonly securityContext: {
      readonly namespaceOptions: NamespaceOptions;
      readonly runAsUser?: { readonly value: number } | undefined;
      readonly runAsGroup?: { readonly value: number } | undefined;
      readonly supplementalGroups: readonly number[];
      readonly privileged: boolean;
      readonly seccomp?: SecurityProfile | undefined;
    };
    readonly sysctls: Labels;
  };
}

export interface SandboxSummary {
  readonly id: string;
  readonly metadata: SandboxMetadata;
  readonly state: "Ready" | "NotReady";
  readonly createdAt: number;
  readonly labels: Labels;
  readonly annotations: Labels;
}

export interface SandboxStatus extends SandboxSummary {
  readonly network?: { readonly ip: string; readonly additionalIps: readonly { readonly ip: string }[] } | undefined;
}

export interface LinuxResources {
  /** Microseconds. */
  readonly cpuPeriod: number;
  /** Microseconds of each period; 0: unlimited. */
  readonly cpuQuota: number;
  readonly cpuShares: number;
  readonly memoryLimitInBytes: number;
  readonly oomScoreAdj: number;
}

export interface RuntimeMount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly propagation: "Private" | "HostToContainer" | "Bidirectional";
}

export interface ContainerConfig {
  readonly metadata: { readonly name: string; readonly attempt: number };
  readonly image: { readonly image: string };
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly envs: readonly { readonly key: string; readonly value: string }[];
  readonly mounts: readonly RuntimeMount[];
  readonly devices: readonly {
    readonly containerPath: string;
    readonly hostPath: string;
    readonly permissions: string;
  }[];
  /** Qualified names of the Container Device Interface; runtimes that do not know it ignore them. */
  readonly cdiDevices: readonly { readonly name: string }[];
  readonly labels: Labels;
  readonly annotations: Labels;
  /** Relative to the sandbox's log directory. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly linux: {
    readonly resources: LinuxResources;
    readonly securityContext: {
      readonly capabilities?:
        | { readonly addCapabilities: readonly string[]; readonly dropCapabilities: readonly string[] }
        | undefined;
      readonly privileged: boolean;
      readonly namespaceOptions: NamespaceOptions;
      readonly runAsUser?: { readonly value: number } | undefined;
      readonly runAsGroup?: { readonly value: number } | undefined;
      readonly runAsUsername?: string | undefined;
      readonly readonlyRootfs: boolean;
      readonly supplementalGroups: readonly number[];
      readonly noNewPrivs: boolean;
      readonly maskedPaths: readonly string[];
      readonly readonlyPaths: readonly string[];
      readonly seccomp?: SecurityProfile | undefined;
      readonly apparmor?: SecurityProfile | undefined;
    };
  };
}

export type RuntimeContainerState = "Created" | "Running" | "Exited" | "Unknown";

export interface ContainerSummary {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: { readonly name: string; readonly attempt: number };
  readonly image?: { readonly image: string } | undefined;
  readonly imageRef: string;
  readonly state: RuntimeContainerState;
  readonly createdAt: number;
  readonly labels: Labels;
  readonly annotations: Labels;
}

export interface RuntimeContainerStatus {
  readonly id: string;
  readonly metadata: { readonly name: string; readonly attempt: number };
  readonly state: RuntimeContainerState;
  readonly createdAt: number;
  /** 0: never. */
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly exitCode: number;
  readonly image?: { readonly image: string } | undefined;
  readonly imageRef: string;
  /** `Completed`, `Error`, `OOMKilled`, `ContainerCannotRun`, `StartError`. */
  readonly reason: string;
  readonly message: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly logPath: string;
}

export interface ExecResult {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly exitCode: number;
}

export interface StreamOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface ContainerStats {
  readonly attributes: {
    readonly id: string;
    readonly metadata: { readonly name: string; readonly attempt: number };
    readonly labels: Labels;
  };
  readonly cpu?:
    | { readonly timestamp: number; readonly usageCoreNanoSeconds?: { readonly value: number } | undefined }
    | undefined;
  readonly memory?:
    | {
        readonly timestamp: number;
        readonly workingSetBytes?: { readonly value: number } | undefined;
        readonly usageBytes?: { readonly value: number } | undefined;
        readonly rssBytes?: { readonly value: number } | undefined;
      }
    | undefined;
  readonly writableLayer?:
    | {
        readonly timestamp: number;
        readonly usedBytes?: { readonly value: number } | undefined;
        readonly inodesUsed?: { readonly value: number } | undefined;
      }
    | undefined;
}

export interface RuntimeImage {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly size: number;
  /** The numeric user of the image, when its configuration names one. */
  readonly uid?: { readonly value: number } | undefined;
  readonly username: string;
  readonly pinned: boolean;
}

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
  readonly auth: string;
  readonly serverAddress: string;
  readonly identityToken: string;
  readonly registryToken: string;
}

export type RuntimeErrorCode =
  | "Canceled"
  | "Unknown"
  | "InvalidArgument"
  | "DeadlineExceeded"
  | "NotFound"
  | "AlreadyExists"
  | "PermissionDenied"
  | "ResourceExhausted"
  | "FailedPrecondition"
  | "Aborted"
  | "OutOfRange"
  | "Unimplemented"
  | "Internal"
  | "Unavailable"
  | "DataLoss"
  | "Unauthenticated";

/** The runtime refused, or no answer came (`Unavailable`). */
export class ContainerRuntimeError extends Error {
  override readonly name = "ContainerRuntimeError";
  readonly code: RuntimeErrorCode;

  constructor(code: RuntimeErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
