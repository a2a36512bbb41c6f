import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { prefixOf } from "../src/apiserver/keys.ts";
import { fill } from "./api/fill.ts";
import { storedConfigMap, storedPod } from "./api/objects.ts";
import { benchNamespace, Client, startBare, startCluster } from "./api/stage.ts";
import * as running from "./cluster/running-cluster.ts";
import { report } from "./report.ts";

/**
 * Large lists: all pods to the last byte, with the memory and the waiting of others meanwhile; a selector that matches nothing among
 * many objects; what a pod costs the server in memory while all its loops run. `--only` names stories.
 */
const { values: flags } = parseArgs({
  options: {
    folder: { type: "string", default: "/var/tmp" },
    /** A cluster that has the objects already; memory is not told then. */
    kubeconfig: { type: "string" },
    only: { type: "string", default: "list,selector" },
    pods: { type: "string", default: "150000" },
    objects: { type: "string", default: "300000" },
    rounds: { type: "string", default: "20" },
  },
});
const client = new Client();
const bare = await startBare(flags.folder);

async function settled(pid: number): Promise<number> {
  let last = Number.NaN;
  for (let i = 0; i < 40; i += 1) {
    const used = running.processorMs(pid);
    await sleep(500);
    if (running.processorMs(pid) - used < 50) break;
  }
  last = running.proportionalMegabytes(pid);
  return last;
}

async function list(): Promise<void> {
  const count = Number(flags.pods);
  let bytesEach = 0;
  let emptyMegabytes = Number.NaN;
  const prepare = async (dataDir: string): Promise<void> => {
    const make = (index: number) => storedPod(index, benchNamespace);
    bytesEach = await fill(dataDir, prefixOf("", "pods"), count, make);
  };
  if (flags.kubeconfig === undefined) {
    const empty = await startCluster({ folder: flags.folder });
    emptyMegabytes = await settled(empty.pid!);
    empty.close();
  }
  const cluster = await startCluster({ ...flags, prepare });
  try {
    const { target, pid } = cluster;
    const before = pid === undefined ? Number.NaN : await settled(pid);
    if (pid !== undefined) {
      const kilobytes = ((before - emptyMegabytes) * 1_024) / count;
      const figure = `memory of the server per stored pod of ${Math.round(bytesEach)} B, all loops running, ${count} pods`;
      report({ bench: "api-large", figure, value: kilobytes, unit: "KB", floor: bytesEach / 1_024, target: 12 });
    }
    let most = before;
    const watch = setInterval(() => {
      if (pid !== undefined) most = Math.max(most, running.proportionalMegabytes(pid));
    }, 100);
    const path = "/api/v1/pods";
    const probe = { target, path: "/api/v1/namespaces/default", everyMs: 5, connections: 8 };
    await client.probe(probe);
    await sleep(1_000);
    const quiet = await client.endProbe();
    const lister = new Client();
    await client.probe(probe);
    const { medianMs, bytes } = await lister.fetch({ target, path, times: 3 });
    const meanwhile = await client.endProbe();
    clearInterval(watch);
    const floor = await lister.fetch({ target: bare.http1, path: `/list?bytes=${bytes}`, times: 3 });
    await lister.close();
    const name = `list of ${count} pods, ${Math.round(bytes / 1e6)} MB`;
    const bench = "api-large";
    report({ bench, figure: name, value: medianMs, unit: "ms", floor: floor.medianMs, target: 1_500 });
    report({
      bench,
      figure: `${name}: p99 of others`,
      value: meanwhile.p99Ms,
      unit: "ms",
      floor: quiet.p99Ms,
      target: 50,
    });
    if (pid !== undefined)
      report({ bench, figure: `${name}: memory beyond before`, value: most - before, unit: "MB", target: 80 });
  } finally {
    cluster.close();
  }
}

async function selector(): Promise<void> {
  const count = Number(flags.objects);
  const make = (index: number) => storedConfigMap(index, benchNamespace);
  const cluster = await startCluster({
    ...flags,
    prepare: (dataDir) => fill(dataDir, prefixOf("", "configmaps"), count, make),
  });
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
    report({ bench: "api-large", figure: `${figure}: p99`, value: p99, unit: "ms", floor: floorMs, target: 15 });
    report({ bench: "api-large", figure: `${figure}: the very first`, value: first.medianMs, unit: "ms" });
  } finally {
    cluster.close();
  }
}

const stories: Readonly<Record<string, () => Promise<void>>> = { list, selector };
try {
  for (const name of flags.only.split(",")) {
    const story = stories[name];
    if (story === undefined) throw new Error(`There is no story ${name}; there are ${Object.keys(stories).join(", ")}`);
    await story();
  }
} finally {
  await client.close();
  bare.close();
}
