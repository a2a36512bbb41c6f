import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#api/generated/core-v1.ts";
import { exposeFamilies } from "#telemetry/metrics.ts";
import type { CgroupDetails, InterfaceCounts } from "#world/machine.ts";
import { readDetails } from "./details.ts";
import { cadvisorPage, volumeFamilies } from "./pages.ts";
import type { Counted } from "./sampler.ts";

const at = 1_780_000_000_000;

function podOf(name: string, spec: object = {}): Pod {
  const pod: object = {
    metadata: { name, namespace: "shop", uid: name },
    spec: { containers: [], ...spec },
    status: {},
  };
  return pod as Pod;
}

function countedOf(pod: Pod, container: string): Counted {
  const path = `/c/${pod.metadata.uid}/${container}`;
  return { pod, container, path, startedAt: at, cpuNanos: 1e9, memoryBytes: 2, workingSetBytes: 1, ageMs: 0 };
}

const transfer = { bytes: 10, packets: 2, errors: 1, drops: 0 };
const interfaces: readonly InterfaceCounts[] = ["lo", "invented", "eth0"].map((name) => {
  return { name, received: transfer, sent: { ...transfer, bytes: 20 } };
});
const free: CgroupDetails = {
  rssBytes: 5,
  cacheBytes: 6,
  swapBytes: 7,
  cpuPeriods: 0,
  throttledPeriods: 0,
  throttledNanos: 0,
  devices: [
    { device: "8:0", reads: 1, writes: 2, readBytes: 3, writtenBytes: 4 },
    { device: "9:9", reads: 1, writes: 2, readBytes: 3, writtenBytes: 4 },
  ],
};

test("containers show memory, throttling and devices, pods their one network, and nothing that a pod made up", async () => {
  const [web, host] = [podOf("web"), podOf("host", { hostNetwork: true })];
  const counted = [countedOf(web, "main"), countedOf(web, "limited"), countedOf(host, "main"), countedOf(web, "gone")];
  const limited = { ...free, cpuPeriods: 10, throttledPeriods: 4, throttledNanos: 2e9 };
  const machine = {
    blockDevices: () => Promise.resolve(new Map([["8:0", "/dev/sda"]])),
    cgroupInterfaces: () => Promise.resolve(interfaces),
    cgroupDetails: (path: string) => {
      return Promise.resolve(path.endsWith("gone") ? undefined : path.endsWith("limited") ? limited : free);
    },
  };
  const details = await readDetails(machine, "/c", counted);
  const page = cadvisorPage({ counted, details, cpuCount: 2, memoryBytes: 8, now: at });
  const labels = 'container="main",id="/c/web/main",image="",name="main",namespace="shop",pod="web"';
  const ofLimited = labels.replaceAll("main", "limited");
  for (const line of [
    `container_memory_rss{${labels}} 5 ${at}`,
    `container_memory_cache{${labels}} 6 ${at}`,
    `container_memory_swap{${labels}} 7 ${at}`,
    `container_cpu_cfs_throttled_periods_total{${ofLimited}} 4 ${at}`,
    `container_cpu_cfs_throttled_seconds_total{${ofLimited}} 2 ${at}`,
    `container_fs_writes_bytes_total{${labels},device="/dev/sda"} 4 ${at}`,
    'container_network_receive_bytes_total{id="/c/kubepods/besteffort/podweb",interface="eth0",namespace="shop",pod="web"} 10',
    'container_network_transmit_bytes_total{id="/c/kubepods/besteffort/podweb",interface="eth0",namespace="shop",pod="web"} 20',
  ])
    assert.ok(page.split("\n").includes(line), `${line} is not in ${page}`);
  assert.doesNotMatch(page, /invented|9:9|interface="lo"|container_memory_rss.*gone|container_network_.*pod="host"/);
  assert.doesNotMatch(page, new RegExp(`cfs_periods_total\\{${labels}`));
});

test("claims show how full they are, and volumes are counted as they are and as they should be", async () => {
  const claims = [
    { namespace: "shop", name: "data", path: "/data" },
    { namespace: "shop", name: "gone", path: "/gone" },
  ];
  const volumes = { claims: () => claims, counts: () => new Map([["kubernetes.io/secret", 1]]) };
  const fileSystem = (path: string): Promise<Awaited<ReturnType<typeof known>>> =>
    path === "/gone" ? Promise.reject(new Error("ENOENT")) : known();
  const known = (): Promise<{ sizeBytes: number; availableBytes: number; inodes: number; inodesFree: number }> =>
    Promise.resolve({ sizeBytes: 100, availableBytes: 70, inodes: 50, inodesFree: 49 });
  const pods = [
    podOf("web", {
      volumes: [
        { name: "a", secret: {} },
        { name: "b", emptyDir: {} },
      ],
    }),
  ];
  const page = exposeFamilies(await volumeFamilies(volumes, pods, { fileSystem }));
  for (const line of [
    'kubelet_volume_stats_used_bytes{namespace="shop",persistentvolumeclaim="data"} 30',
    'kubelet_volume_stats_available_bytes{namespace="shop",persistentvolumeclaim="data"} 70',
    'kubelet_volume_stats_inodes_used{namespace="shop",persistentvolumeclaim="data"} 1',
    'volume_manager_total_volumes{plugin_name="kubernetes.io/secret",state="actual_state_of_world"} 1',
    'volume_manager_total_volumes{plugin_name="kubernetes.io/empty-dir",state="desired_state_of_world"} 1',
  ])
    assert.ok(page.split("\n").includes(line), `${line} is not in ${page}`);
  assert.doesNotMatch(page, /"gone"/);
});
