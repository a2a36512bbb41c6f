import type { Disk } from "#world/disk.ts";

/**
 * What is fixed when a cluster is made, kept in `cluster.json` of its data dir. Everything of the cluster on the machine
 * (bridge, nftables table, cgroups, sockets) is named after `id`, so that two clusters never touch each other.
 */
export interface ClusterSettings {
  readonly formatVersion: 1;
  /** Six lower-case letters and digits. */
  readonly id: string;
  /** The address that nodes and pods reach the server at. */
  readonly serverAddress: string;
  readonly apiPort: number;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** CIDR of all pods; each node gets a /24 of it. */
  readonly podRange: string;
  readonly serviceRange: string;
  readonly nodePorts: { readonly first: number; readonly last: number };
  readonly store: "sqlite" | "memory";
  /** Real nodes on this machine; more than one live in network namespaces of their own. */
  readonly nodes: readonly NodeSettings[];
  /** Number of simulated nodes, instead of real ones. */
  readonly simulatedNodes: number;
  /** Port of the history of metrics (Prometheus) on loopback; absent: none is kept. */
  readonly historyPort?: number;
  /** Networks that the server may dial for webhooks and proxies although they are loopback or link-local. */
  readonly dialAllow?: readonly string[];
  /** Host that containerd asks for images whose names have none; absent: nobody said, and such images get no pull secrets. */
  readonly defaultRegistry?: string;
}

export interface NodeSettings {
  readonly name: string;
  readonly address: string;
  /** Port of the agent's API. */
  readonly agentPort: number;
  /** Path of the network namespace the node lives in; absent for the machine's own. */
  readonly networkNamespace?: string;
}

/** Files and folders of a cluster, all below its data dir. */
export interface ClusterPaths {
  readonly root: string;
  readonly settings: string;
  readonly pki: string;
  readonly store: string;
  readonly logs: string;
  /** Sockets and process ids: gone when the cluster is down. */
  readonly run: string;
  readonly kubeconfig: string;
}

export function clusterPaths(dataDir: string): ClusterPaths {
  return {
    root: dataDir,
    settings: `${dataDir}/cluster.json`,
    pki: `${dataDir}/pki`,
    store: `${dataDir}/store.db`,
    logs: `${dataDir}/logs`,
    run: `${dataDir}/run`,
    kubeconfig: `${dataDir}/kubeconfig`,
  };
}

/** Folder of one node's agent, containerd and proxies. */
export function nodePath(dataDir: string, nodeName: string): string {
  return `${dataDir}/nodes/${nodeName}`;
}

/** Whether a cluster makes files or folders of this name in its data dir. */
export function isOfCluster(name: string): boolean {
  const { root: _root, store, ...others } = clusterPaths("");
  const folders = ["/config", "/nodes", "/prometheus"];
  // SQLite's files and the lock have the store's name with an ending.
  return `/${name}`.startsWith(store) || [...Object.values(others), ...folders].includes(`/${name}`);
}

type Parsed = Readonly<Record<string, unknown>>;

/** What must be there for anything to work; the rest is optional. */
const fieldTypes = {
  id: "string",
  serverAddress: "string",
  apiPort: "number",
  httpPort: "number",
  httpsPort: "number",
  podRange: "string",
  serviceRange: "string",
  nodePorts: "object",
  store: "string",
  nodes: "array",
  simulatedNodes: "number",
} as const satisfies { readonly [field in keyof ClusterSettings]?: string };

function typeOf(value: unknown): string {
  return Array.isArray(value) ? "array" : typeof value;
}

/** Undefined when no cluster was made in this data dir. Throws when the file is not one of ours. */
export async function loadSettings(disk: Disk, dataDir: string): Promise<ClusterSettings | undefined> {
  const path = clusterPaths(dataDir).settings;
  if ((await disk.stat(path)) === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(await disk.readText(path));
  } catch {
    throw new BrokenDataDirError(path, "it is not JSON");
  }
  const formatVersion = (parsed as { formatVersion?: unknown } | null)?.formatVersion;
  if (formatVersion !== 1) {
    throw new BrokenDataDirError(path, `its format version is ${String(formatVersion)}, this program reads version 1`);
  }
  const wrong = Object.entries(fieldTypes).find(([field, type]) => typeOf((parsed as Parsed)[field]) !== type)?.[0];
  if (wrong !== undefined) throw new BrokenDataDirError(path, `its ${wrong} is missing or not what it must be`);
  return parsed as ClusterSettings;
}

export async function saveSettings(disk: Disk, dataDir: string, settings: ClusterSettings): Promise<void> {
  await disk.writeAtomically(clusterPaths(dataDir).settings, `${JSON.stringify(settings, undefined, 2)}\n`, 0o600);
}

export class BrokenDataDirError extends Error {
  override readonly name = "BrokenDataDirError";
  constructor(path: string, problem: string) {
    super(`Cannot read ${path}: ${problem}. Restore the file, or remove the cluster with ./steer reset --data-dir.`);
  }
}
