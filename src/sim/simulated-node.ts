import type { SeededRandom } from "#base/seeded-random.ts";
import type { Client } from "#client/client.ts";
import { gitVersion } from "#cluster/version.ts";
import { createAgent, type Agent } from "#node/agent.ts";
import type { Clock, Timers } from "#world/clock.ts";
import type { ContainerRuntime } from "#world/container-runtime.ts";
import type { Certificates, Crypto } from "#world/crypto.ts";
import type { Disk } from "#world/disk.ts";
import { contentProbes, simulatedMachine, type SimulatedCapacity } from "./simulated-machine.ts";

export interface SimulatedNodeOptions {
  readonly name: string;
  readonly address: string;
  readonly client: Client;
  /** These two outlive the agent, as containerd and a disk do. */
  readonly runtime: ContainerRuntime;
  readonly disk: Disk;
  readonly capacity: SimulatedCapacity;
  readonly podsMax: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: SeededRandom;
  readonly crypto: Crypto;
  readonly certificates: Certificates;
  readonly onProblem: (problem: string, error: unknown) => void;
}

/** An ordinary agent on a machine that is not there. */
export function createSimulatedNode(options: SimulatedNodeOptions): Promise<Agent> {
  const { name, address } = options;
  return createAgent({
    nodeName: name,
    client: options.client,
    runtime: options.runtime,
    machine: simulatedMachine(name, options.capacity),
    disk: options.disk,
    crypto: options.crypto,
    certificates: options.certificates,
    clock: options.clock,
    timers: options.timers,
    random: options.random,
    probeWire: contentProbes,
    http: {
      transport: () => {
        throw new Error("A simulated runtime has no streaming server");
      },
    },
    sha1: () => new Uint8Array(20),
    settings: {
      dataDir: "/data",
      memoryDir: "/memory",
      logsDir: "/logs",
      cgroupRoot: "/simulated",
      clusterDns: ["10.96.0.10"],
      clusterDomain: "cluster.local",
      addresses: () => [address],
      version: gitVersion,
      apiPort: () => 10250,
      labels: {},
      podsMax: options.podsMax,
      reserved: { cpuMilli: 0, memoryBytes: 0 },
      resolvConfPath: "/etc/resolv.conf",
    },
    onProblem: options.onProblem,
  });
}
