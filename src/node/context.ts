import type { Pod } from "#api/generated/core-v1.ts";
import type { Client } from "#client/client.ts";
import type { EventRecorder } from "#reconcile/events.ts";
import type { Clock, Timers } from "#world/clock.ts";
import type { ContainerRuntime } from "#world/container-runtime.ts";
import type { Crypto } from "#world/crypto.ts";
import type { Disk } from "#world/disk.ts";
import type { Machine, MachineFacts } from "#world/machine.ts";
import type { Random } from "#world/random.ts";
import type { NodeMeasures } from "./metrics/measures.ts";

/** What every part of the agent may use. */
export interface NodeContext {
  readonly nodeName: string;
  readonly client: Client;
  readonly runtime: ContainerRuntime;
  readonly machine: Machine;
  readonly facts: MachineFacts;
  readonly disk: Disk;
  readonly crypto: Crypto;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly events: EventRecorder;
  readonly settings: NodeSettings;
  /** Resolves when the network's policies hold for a new pod's address; its containers wait for that. */
  readonly admitPod?: (pod: Pod, address: string) => Promise<void>;
  /** Absent: nobody measures. */
  readonly measures?: NodeMeasures;
  /** Failures that the agent lives with. Texts carry names, never contents of objects. */
  readonly onProblem: (problem: string, error: unknown) => void;
}

export interface NodeSettings {
  /** Holds `pods/UID/...`. */
  readonly dataDir: string;
  /** On a tmpfs: secrets and tokens of pods never touch a disk. */
  readonly memoryDir: string;
  /** Holds a folder per pod. */
  readonly logsDir: string;
  /** The cluster's root, with a leading slash: `/steersman-4f2a`. */
  readonly cgroupRoot: string;
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  /** Addresses of the node, the first is the one others use. Read again at each use. */
  readonly addresses: () => readonly string[];
  /** `v1.36.2+steersman.1`. */
  readonly version: string;
  /** Port of the agent's API, 0 before it listens. Read again at each use. */
  readonly apiPort: () => number;
  /** Labels to register the node with, beside the well-known ones. */
  readonly labels: Readonly<Record<string, string>>;
  /** Most pods at a time. */
  readonly podsMax: number;
  /** Kept back from pods: cores and bytes. */
  readonly reserved: { readonly cpuMilli: number; readonly memoryBytes: number };
  /** Host that the runtime asks for images whose name has none: whose pull secrets are for these. None: they get none. */
  readonly defaultRegistry?: string | undefined;
  /** Where plugins and this node meet; pods know it as /var/lib/kubelet. Short: Unix sockets lie in it. None: no plugins. */
  readonly pluginFolder?: string | undefined;
  /** nameserver, search and options of the machine. */
  readonly resolvConfPath: string;
}
