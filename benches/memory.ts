import { parseArgs } from "node:util";
import { openLiveMemory, rested } from "./api/live-memory.ts";
import { pod } from "./api/objects.ts";
import { benchNamespace, Client, startCluster } from "./api/stage.ts";
import * as running from "./cluster/running-cluster.ts";
import { report } from "./report.ts";

/**
 * What a stored pod costs a whole server, all its loops running: a fresh cluster, pods created over HTTPS, then rest. What the
 * process holds (PSS) so long after the last work, and what its heap and buffers hold after a collection, each beyond the same
 * server before its pods.
 */
const { values: flags } = parseArgs({
  options: {
    folder: { type: "string", default: "/var/tmp" },
    pods: { type: "string", default: "10000,20000" },
    /** Seconds of rest before the process' memory is read. */
    rest: { type: "string", default: "30" },
  },
});
const bench = "memory";
const memory = openLiveMemory(flags.folder);

async function measure(count: number): Promise<void> {
  const rest = Number(flags.rest);
  const cluster = await startCluster({ folder: flags.folder });
  const client = new Client();
  try {
    const { target, api } = cluster;
    const pid = cluster.pid!;
    await rested(pid, 5);
    const emptyMegabytes = running.proportionalMegabytes(pid);
    const emptyLive = await memory.of(pid);
    const path = `/api/v1/namespaces/${benchNamespace}/pods`;
    const order = { target, path, protocol: "HTTP/1.1", shape: "create", width: 64, prefix: "p" } as const;
    const body = JSON.stringify(pod("NAME"));
    const made = await client.load({ ...order, body, durationMs: 300_000, countMax: count });
    if (made.failures > 0 || made.count !== count) throw new Error(`${made.failures} of ${made.count} creates failed`);
    const after = running.proportionalMegabytes(pid);
    const stored = (await api.call("GET", `${path}/p1`)).text.length;
    await rested(pid, rest);
    const atRest = running.proportionalMegabytes(pid);
    const live = await memory.of(pid);
    const figure = `a pod of ${stored} B among ${count}`;
    const kilobytes = (megabytes: number): number => ((megabytes - emptyMegabytes) * 1_024) / count;
    const unit = "KB";
    report({ bench, figure: `${figure}: held at rest (PSS)`, value: kilobytes(atRest), unit, target: 12 });
    report({
      bench,
      figure: `${figure}: live`,
      value: (live - emptyLive) / 1_024 / count,
      unit,
      floor: stored / 1_024,
    });
    report({ bench, figure: `${figure}: held right after the last create`, value: kilobytes(after), unit });
    report({ bench, figure: "the server without pods (PSS)", value: emptyMegabytes, unit: "MB" });
  } finally {
    await client.close();
    cluster.close();
  }
}

try {
  for (const count of flags.pods.split(",")) await measure(Number(count));
} finally {
  memory.close();
}
