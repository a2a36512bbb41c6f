import { existsSync, readFileSync } from "node:fs";
import { readCertificates } from "#cluster/pki.ts";
import type { ClusterSettings } from "#cluster/settings.ts";
import { nodes as nodeResource } from "#api/generated/resources.ts";
import type { Client } from "#client/client.ts";
import { realWorld } from "#world/node/real-world.ts";
import { adminClient } from "../admin-client.ts";
import { clusterProcesses } from "../cluster-processes.ts";
import { existingCluster } from "../find-cluster.ts";
import { dataDirOf, parseOptions } from "../options.ts";

interface Report {
  readonly dataDir: string;
  readonly id: string;
  readonly api: { readonly url: string; readonly version: string; readonly ready: string };
  readonly ingress?: { readonly http: number; readonly https: number };
  readonly ranges: { readonly pods: string; readonly services: string; readonly nodePorts: string };
  readonly processes: readonly { readonly name: string; readonly pid: number; readonly memoryMb: number | undefined }[];
  readonly nodes: readonly {
    readonly name: string;
    readonly ready: string;
    readonly version: string;
    readonly runtime: string;
    readonly address: string;
  }[];
  readonly certificates: readonly { readonly name: string; readonly ends: string; readonly daysLeft: number }[];
}

const dayMs = 24 * 60 * 60 * 1000;

/** What runs, where, how well, and until when its certificates hold. Exits with 1 when the API does not answer. */
export async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions("status", args, { output: { type: "string", short: "o", meaning: "json for scripts" } });
  const dataDir = dataDirOf(options);
  const settings = await existingCluster(dataDir);
  const report = await collect(dataDir, settings);
  process.stdout.write(
    options.values["output"] === "json" ? `${JSON.stringify(report, undefined, 2)}\n` : render(report),
  );
  return report.api.ready === "yes" ? 0 : 1;
}

async function collect(dataDir: string, settings: ClusterSettings): Promise<Report> {
  const client = await adminClient(dataDir, settings);
  const { gitVersion = "-", problem } = await askVersion(client);
  return {
    dataDir,
    id: settings.id,
    api: {
      url: `https://127.0.0.1:${settings.apiPort}`,
      version: gitVersion,
      ready: problem === undefined ? "yes" : `no answer (${problem})`,
    },
    ...(settings.nodes.length === 0 ? {} : { ingress: { http: settings.httpPort, https: settings.httpsPort } }),
    ranges: {
      pods: settings.podRange,
      services: settings.serviceRange,
      nodePorts: `${settings.nodePorts.first}-${settings.nodePorts.last}`,
    },
    processes: clusterProcesses(dataDir).map(({ name, pid }) => ({ name, pid, memoryMb: proportionalMemoryMb(pid) })),
    nodes: problem === undefined ? await nodesOf(client) : [],
    certificates: await certificatesOf(dataDir, settings),
  };
}

interface Told {
  readonly gitVersion?: string;
  /** Why there was no answer. */
  readonly problem?: string;
}

async function askVersion(client: Client): Promise<Told> {
  try {
    return (await client.request("GET", "/version")) as Told;
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

/** Proportional set size in MiB: memory shared between processes is counted once. */
function proportionalMemoryMb(pid: number): number | undefined {
  const path = `/proc/${pid}/smaps_rollup`;
  if (!existsSync(path)) return undefined;
  try {
    const kibibytes = /^Pss:\s+(\d+) kB/m.exec(readFileSync(path, "utf8"))?.[1];
    return kibibytes === undefined ? undefined : Math.round(Number(kibibytes) / 102.4) / 10;
  } catch {
    // Only root reads other users' processes.
    return undefined;
  }
}

async function nodesOf(client: Client): Promise<Report["nodes"]> {
  const { items } = await client.list(nodeResource);
  return items.map((node) => ({
    name: node.metadata.name ?? "",
    ready: node.status.conditions?.find(({ type }) => type === "Ready")?.status ?? "Unknown",
    version: node.status.nodeInfo.kubeletVersion,
    runtime: node.status.nodeInfo.containerRuntimeVersion,
    address: node.status.addresses?.find(({ type }) => type === "InternalIP")?.address ?? "",
  }));
}

async function certificatesOf(dataDir: string, settings: ClusterSettings): Promise<Report["certificates"]> {
  const nodes = settings.nodes.map(({ name }) => `node-${name}`);
  const names = ["ca", "server", "admin", "node-client", "front-proxy-ca", "front-proxy", "ingress", ...nodes];
  return (await readCertificates(realWorld, dataDir, names)).map(({ name, certificate }) => {
    const ends = realWorld.certificates.read(certificate)?.notAfter ?? 0;
    return {
      name: nodes.includes(name) ? name.replace("-", " ") : name,
      ends: new Date(ends).toISOString().slice(0, 10),
      daysLeft: Math.floor((ends - realWorld.clock.now()) / dayMs),
    };
  });
}

function render(report: Report): string {
  const rows: [string, string][] = [
    ["Cluster", `${report.id}, data in ${report.dataDir}`],
    ["API", `${report.api.url}  ${report.api.version}  ${report.api.ready === "yes" ? "ready" : report.api.ready}`],
    ...(report.ingress === undefined
      ? []
      : [
          ["Ingress", `http://127.0.0.1:${report.ingress.http}  https://127.0.0.1:${report.ingress.https}`] as [
            string,
            string,
          ],
        ]),
    ["Ranges", `pods ${report.ranges.pods}, services ${report.ranges.services}, node ports ${report.ranges.nodePorts}`],
    ...report.nodes.slice(0, 20).map((node): [string, string] => {
      return [
        "Node",
        `${node.name}  ${node.ready === "True" ? "Ready" : "NotReady"}  ${node.address}  ${node.version}  ${node.runtime}`,
      ];
    }),
    ...(report.nodes.length > 20 ? [["", `and ${report.nodes.length - 20} more nodes`] as [string, string]] : []),
    ...report.processes.map(({ name, pid, memoryMb }): [string, string] => {
      return ["Process", `${name}  pid ${pid}${memoryMb === undefined ? "" : `  ${memoryMb} MiB`}`];
    }),
    ...report.certificates.map(({ name, ends, daysLeft }): [string, string] => {
      return ["Certificate", `${name} until ${ends} (${daysLeft} days)`];
    }),
  ];
  return rows.map(([head, text]) => `${head.padEnd(12)}${text}\n`).join("");
}
