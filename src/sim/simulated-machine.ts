import type { Machine, MachineFacts } from "#world/machine.ts";
import type { ProbeWire } from "#world/probe-wire.ts";

/** Capacity of a simulated node. */
export interface SimulatedCapacity {
  readonly cpuCount: number;
  readonly memoryBytes: number;
}

export const ordinaryCapacity: SimulatedCapacity = { cpuCount: 16, memoryBytes: 64 * 1024 ** 3 };

/** A machine that only remembers: mounts and cgroups succeed, nothing is used up. */
export function simulatedMachine(nodeName: string, capacity: SimulatedCapacity): Machine {
  const facts: MachineFacts = {
    hostname: nodeName,
    architecture: "amd64",
    kernelVersion: "6.1.0-simulated",
    osImage: "Simulated",
    machineId: nodeName,
    systemUuid: nodeName,
    bootId: nodeName,
    cpuCount: capacity.cpuCount,
    memoryBytes: capacity.memoryBytes,
    swapBytes: 0,
    cgroupVersion: 2,
    pidsMax: 1_000_000,
  };
  const mounts = new Set<string>();
  const done = (): Promise<void> => Promise.resolve();
  return {
    facts: () => Promise.resolve(facts),
    memoryAvailableBytes: () => Promise.resolve(capacity.memoryBytes),
    fileSystem: () =>
      Promise.resolve({
        sizeBytes: 100 * 1024 ** 3,
        availableBytes: 90 * 1024 ** 3,
        inodes: 10_000_000,
        inodesFree: 9_000_000,
      }),
    mountTmpfs: async (path) => void mounts.add(path),
    bindBeneath: async (_base, _subPath, target) => void mounts.add(target),
    unmount: async (path) => void mounts.delete(path),
    mountsBelow: async (prefix) => [...mounts].filter((path) => path === prefix || path.startsWith(`${prefix}/`)),
    setCgroup: done,
    removeCgroup: done,
    listCgroups: () => Promise.resolve([]),
    cgroupUsage: () => Promise.resolve(undefined),
    cgroupDetails: () => Promise.resolve(undefined),
    cgroupInterfaces: () => Promise.resolve([]),
    blockDevices: () => Promise.resolve(new Map()),
    ownByGroup: done,
  };
}

/** Every probe of a simulated pod succeeds at once. */
export const contentProbes: ProbeWire = {
  tcp: () => Promise.resolve(),
  http: () => Promise.resolve({ status: 200 }),
  grpcHealth: () => Promise.resolve("SERVING"),
};
