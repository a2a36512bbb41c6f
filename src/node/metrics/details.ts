import type { Pod } from "#api/generated/core-v1.ts";
import type { LabelValues } from "#telemetry/metrics.ts";
import type { CgroupDetails, InterfaceCounts, Machine } from "#world/machine.ts";
import { usageReadsAtOnce } from "../limits.ts";
import { podCgroup } from "../pods/qos.ts";
import type { Counted } from "./sampler.ts";

/** What the runtime calls a pod's interface; others are a pod's own invention, and no label. */
const podInterface = "eth0";

/** What is counted of containers and pods that only dashboards ask for. */
export interface Details {
  /** By the path of a container's group; the devices have names. */
  readonly groups: ReadonlyMap<string, CgroupDetails>;
  readonly networks: readonly { readonly labels: LabelValues; readonly counts: InterfaceCounts }[];
}

type Reads = Pick<Machine, "cgroupDetails" | "cgroupInterfaces" | "blockDevices">;

/** Reads it once, for whoever asks: nothing of it is kept. */
export async function readDetails(machine: Reads, cgroupRoot: string, counted: readonly Counted[]): Promise<Details> {
  const names = await machine.blockDevices();
  const groups = await inChunks(counted, async ({ path }) => {
    const details = await machine.cgroupDetails(path);
    if (details === undefined) return [];
    const devices = details.devices.flatMap((one) => {
      const device = names.get(one.device);
      return device === undefined ? [] : [{ ...one, device }];
    });
    return [[path, { ...details, devices }] as const];
  });
  // One container of a pod shows the network of all.
  const pods = new Map(counted.map((one) => [one.pod.metadata.uid, one]));
  const own = [...pods.values()].filter(({ pod }) => pod.spec.hostNetwork !== true);
  const networks = await inChunks(own, async ({ pod, path }) => {
    const counts = (await machine.cgroupInterfaces(path)).find(({ name }) => name === podInterface);
    return counts === undefined ? [] : [{ labels: networkLabels(cgroupRoot, pod), counts }];
  });
  return { groups: new Map(groups), networks };
}

function networkLabels(cgroupRoot: string, pod: Pod): LabelValues {
  const { namespace = "", name = "" } = pod.metadata;
  return { id: podCgroup(cgroupRoot, pod), interface: podInterface, namespace, pod: name };
}

async function inChunks<One, Result>(
  all: readonly One[],
  read: (one: One) => Promise<readonly Result[]>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let from = 0; from < all.length; from += usageReadsAtOnce)
    results.push(...(await Promise.all(all.slice(from, from + usageReadsAtOnce).map(read))).flat());
  return results;
}
