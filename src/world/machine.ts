/** The machine below a node agent: its facts, mounts and cgroups. The simulator gives one that only remembers. */
export interface Machine {
  facts(): Promise<MachineFacts>;
  /** Bytes of memory that could be given to new work now. */
  memoryAvailableBytes(): Promise<number>;
  /** The file system that `path` is on. */
  fileSystem(path: string): Promise<{
    readonly sizeBytes: number;
    readonly availableBytes: number;
    readonly inodes: number;
    readonly inodesFree: number;
  }>;
  /** Mounts a tmpfs; `sizeBytes` undefined: the kernel's default, half of the memory. */
  mountTmpfs(path: string, sizeBytes: number | undefined): Promise<void>;
  /**
   * Makes `target` show what is at `subPath` below `base`, resolved so that no symlink or `..` can lead out of `base`, also
   * when someone changes the tree meanwhile. `create` makes missing folders. Rejects with `PathEscapeError`.
   */
  bindBeneath(base: string, subPath: string, target: string, options: { readonly create: boolean }): Promise<void>;
  /** Undoes a mount; nothing mounted is no error. */
  unmount(path: string): Promise<void>;
  /** Mount points at or below `prefix`, deepest first. */
  mountsBelow(prefix: string): Promise<readonly string[]>;
  /** Creates or changes a cgroup below all controllers; `path` begins with a slash. */
  setCgroup(path: string, limits: CgroupLimits): Promise<void>;
  /** Removes an empty cgroup and its empty children; one that is busy or gone is left. */
  removeCgroup(path: string): Promise<void>;
  /** Names of the cgroups directly below `path`. */
  listCgroups(path: string): Promise<readonly string[]>;
  /** Use of a cgroup and all below it. */
  cgroupUsage(path: string): Promise<CgroupUsage | undefined>;
  /** What else the kernel counts of a cgroup and all below it: a few files more. Undefined when it is gone. */
  cgroupDetails(path: string): Promise<CgroupDetails | undefined>;
  /** What went through the network interfaces that the processes of a cgroup see; none when it has no process. */
  cgroupInterfaces(path: string): Promise<readonly InterfaceCounts[]>;
  /** Block devices by their numbers: `8:0` is `/dev/sda`. */
  blockDevices(): Promise<ReadonlyMap<string, string>>;
  /** Gives all files below `path` to a group, set-gid on folders, readable and writable to it (`fsGroup`). */
  ownByGroup(path: string, gid: number): Promise<void>;
}

export interface MachineFacts {
  readonly hostname: string;
  /** Go's name: `amd64`. */
  readonly architecture: string;
  readonly kernelVersion: string;
  /** `Debian GNU/Linux 12 (bookworm)`. */
  readonly osImage: string;
  readonly machineId: string;
  readonly systemUuid: string;
  readonly bootId: string;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly swapBytes: number;
  readonly cgroupVersion: 1 | 2;
  /** Most processes the kernel allows. */
  readonly pidsMax: number;
}

/** Undefined: left as it is. */
export interface CgroupLimits {
  readonly cpuShares?: number | undefined;
  /** Microseconds of each `cpuPeriodUs`. */
  readonly cpuQuotaUs?: number | undefined;
  readonly cpuPeriodUs?: number | undefined;
  readonly memoryBytes?: number | undefined;
  readonly pidsMax?: number | undefined;
}

export interface CgroupUsage {
  /** Nanoseconds of CPU since the start. */
  readonly cpuNanos: number;
  readonly memoryBytes: number;
  readonly workingSetBytes: number;
}

export interface CgroupDetails {
  readonly rssBytes: number;
  readonly cacheBytes: number;
  readonly swapBytes: number;
  /** Periods of a limit of CPU that have passed, those in which it was reached, and the time lost in them. */
  readonly cpuPeriods: number;
  readonly throttledPeriods: number;
  readonly throttledNanos: number;
  readonly devices: readonly DeviceCounts[];
}

export interface DeviceCounts {
  /** `8:0` */
  readonly device: string;
  readonly reads: number;
  readonly writes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
}

export interface InterfaceCounts {
  readonly name: string;
  readonly received: TransferCounts;
  readonly sent: TransferCounts;
}

export interface TransferCounts {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  readonly drops: number;
}

/** A path inside a volume would lead out of it. */
export class PathEscapeError extends Error {
  override readonly name = "PathEscapeError";
}
