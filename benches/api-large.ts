import { setTimeout as sleep } from "node:timers/promises";
import { prefixOf } from "../src/apiserver/keys.ts";
import { fill } from "./api/fill.ts";
import { storedConfigMap, storedPod } from "./api/objects.ts";
import { benchNamespace, Client, startBare, startCluster, startLone, type Cluster } from "./api/stage.ts";
import { storyFlags, tellStories } from "./api/stories.ts";
import * as running from "./cluster/running-cluster.ts";
import { report } from "./report.ts";

/**
 * Large lists: all pods to the last byte, with the memory and the waiting of others meanwhile; a selector that matches nothing among
 * many objects. Both ask an API server alone, without loops, whose store was filled directly; or a cluster by `--kubeconfig` that
 * has the objects already. Last what a pod costs a whole server in memory, all its loops running. `--only` names stories.
 */
const flags = storyFlags("list,selector,memory", {
  pods: "150000",
  objects: "300000",
  rounds: "20",
  /** Pods of the last story: the loops' first look at each takes some 100 µs. */
  stored: "20000",
});
const bench = "api-large";
const client = new Client();
const bare = await startBare(flags.folder);

function start(prepare: (folder: string) => Promise<unknown>): Promise<Cluster> {
  return flags.kubeconfig === undefined ? startLone({ folder: flags.folder, prepare }) : startCluster(flags);
}

/** Memory once the process has come to rest. */
async function settled(pid: number): Promise<number> {
  for (let i = 0; i < 80; i += 1) {
    const used = running.processorMs(pid);
    await sleep(500);
    if (running.processorMs(pid) - used < 50) break;
  }
  return running.proportionalMegabytes(pid);
}

function fillPods(folder: string, count: number): Promise<number> {
  return fill(folder, prefixOf("", "pods"), count, (index) => storedPod(index, benchNamespace));
}

async function list(): Promise<void> {
  const count = Number(flags.pods);
  const cluster = await start((folder) => fillPods(folder, count));
  try {
    const { target, pid } = cluster;
    if (pid !== undefined) await settled(pid);
    const held = running.watchMemory(pid, 100);
    const path = "/api/v1/pods";
    const probe = { target, path: `/api/v1/namespaces/${benchNamespace}`, everyMs: 5, connections: 8 };
    await client.probe(probe);
    await sleep(1_000);
    const quiet = await client.endProbe();
    const lister = new Client();
    await client.probe(probe);
    const usedMs = pid === undefined ? Number.NaN : running.processorMs(pid);
    const { medianMs, bytes } = await lister.fetch({ target, path, times: 3 });
    const eachMs = pid === undefined ? Number.NaN : (running.processorMs(pid) - usedMs) / 3;
    const meanwhile = await client.endProbe();
    const beyond = held.end() - held.before;
    const floor = await lister.fetch({ target: bare.http1, path: `/list?bytes=${bytes}`, times: 3 });
    await lister.close();
    const name = `list of ${count} pods, ${Math.round(bytes / 1e6)} MB`;
    report({ bench, figure: name, value: medianMs, unit: "ms", floor: floor.medianMs, target: 1_500 });
    const others = `${name}: p99 of others`;
    report({ bench, figure: others, value: meanwhile.p99Ms, unit: "ms", floor: quiet.p99Ms, target: 50 });
    if (pid === undefined) return;
    report({ bench, figure: `${name}: processor time of the server`, value: eachMs, unit: "ms" });
    report({ bench, figure: `${name}: memory beyond before`, value: beyond, unit: "MB", target: 80 });
  } finally {
    cluster.close();
  }
}

/** All loops running: what a pod costs beyond an empty cluster. */
async function memory(): Promise<void> {
  if (flags.kubeconfig !== undefined) return;
  const count = Number(flags.stored);
  const empty = await startCluster({ folder: flags.folder });
  const emptyMegabytes = await settled(empty.pid!);
  empty.close();
  let bytesEach = 0;
  const prepare = async (folder: string): Promise<void> => {
    bytesEach = await fillPods(folder, count);
  };
  const cluster = await startCluster({ folder: flags.folder, prepare });
  try {
    const kilobytes = (((await settled(cluster.pid!)) - emptyMegabytes) * 1_024) / count;
    const figure = `memory of the server per stored pod of ${Math.round(bytesEach)} B, all loops running, ${count} pods`;
    report({ bench, figure, value: kilobytes, unit: "KB", floor: bytesEach / 1_024, target: 12 });
  } finally {
    cluster.close();
  }
}

async function selector(): Promise<void> {
  const count = Number(flags.objects);
  const make = (index: number) => storedConfigMap(index, benchNamespace);
  const cluster = await start((folder) => fill(folder, prefixOf("", "configmaps"), count, make));
  try {
    const { target, pid } = cluster;
    if (pid !== undefined) await settled(pid);
    const path = "/api/v1/configmaps?labelSelector=app%3Dnothing-has-it";
    const first = await client.fetch({ target, path, times: 1 });
    await sleep(3_000);
    const all: number[] = [];
    for (let round = 0; round < Number(flags.rounds); round += 1) {
      all.push((await client.fetch({ target, path, times: 1 })).medianMs);
      await sleep(1_000);
    }
    const floor = await client.fetch({ target: bare.http1, path: "/get?bytes=100", times: 50 });
    const figure = `list of ${count} objects by a selector that matches nothing, one a second`;
    const floorMs = running.percentileOf(floor.allMs, 0.99);
    const p99 = running.percentileOf(all, 0.99);
    report({ bench, figure: `${figure}: p99`, value: p99, unit: "ms", floor: floorMs, target: 15 });
    report({ bench, figure: `${figure}: the very first`, value: first.medianMs, unit: "ms" });
  } finally {
    cluster.close();
  }
}

try {
  await tellStories(flags.only, { list, selector, memory });
} finally {
  await client.close();
  bare.close();
}
