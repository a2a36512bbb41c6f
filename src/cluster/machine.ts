import { addressAt, parseCidr } from "#base/cidr.ts";
import type { Disk } from "#world/disk.ts";
import type { Processes } from "#world/processes.ts";
import { runtimeFolder } from "./node-paths.ts";
import type { ClusterSettings, NodeSettings } from "./settings.ts";

/** Where the clusters of this machine are listed, so that two never choose the same ranges. */
const registryFolder = "/var/lib/steersman/clusters";
/** A copy beside the sockets of those that were started since the machine was: somebody may remove all of /var/lib/steersman. */
const copyName = "cluster.json";
const commandTimeoutMs = 20_000;

/** Networks that the machine has addresses or routes for. */
export async function machineNetworks(processes: Processes): Promise<string[]> {
  const routes = await ip(processes, ["-j", "-4", "route", "show", "table", "all"]);
  const addresses = await ip(processes, ["-j", "-4", "address", "show"]);
  const networks = new Set<string>();
  for (const { dst } of JSON.parse(routes || "[]") as { dst?: string }[]) {
    // The default route covers everything and takes nothing.
    if (dst !== undefined && dst !== "default" && parseCidr(dst) !== undefined) networks.add(dst);
  }
  for (const { addr_info } of JSON.parse(addresses || "[]") as {
    addr_info?: { local: string; prefixlen: number }[];
  }[]) {
    for (const { local, prefixlen } of addr_info ?? []) networks.add(`${local}/${prefixlen}`);
  }
  return [...networks];
}

export interface RegisteredCluster extends ClusterSettings {
  readonly dataDir: string;
}

/** The clusters that were made on this machine and not reset, also those whose data dir was removed by hand. */
export async function registeredClusters(disk: Disk): Promise<readonly RegisteredCluster[]> {
  const listed = ((await disk.list(registryFolder).catch(noneIfMissing)) ?? []).filter((name) =>
    name.endsWith(".json"),
  );
  const running = (await disk.list("/run")).filter((name) => name.startsWith("steersman-"));
  const files = [
    ...listed.map((name) => `${registryFolder}/${name}`),
    ...running.map((name) => `/run/${name}/${copyName}`),
  ];
  const found = new Map<string, RegisteredCluster>();
  for (const file of files) {
    const text = await disk.readText(file).catch(noneIfMissing);
    if (text === undefined) continue;
    const cluster = JSON.parse(text) as RegisteredCluster;
    found.set(cluster.id, cluster);
  }
  return [...found.values()];
}

/**
 * Those that hold ranges and ports. One whose data dir is gone does not: nothing can start it any more, and what it left in the
 * network shows in the machine's own routes.
 */
export async function standingClusters(disk: Disk): Promise<readonly ClusterSettings[]> {
  const all = await registeredClusters(disk);
  const found = await Promise.all(all.map(({ dataDir }) => disk.stat(dataDir)));
  return all.filter((_, index) => found[index] !== undefined);
}

/** None was made yet, or another cluster was reset while we looked. */
function noneIfMissing(error: unknown): undefined {
  if ((error as { code?: unknown }).code !== "ENOENT") throw error;
}

export async function registerCluster(disk: Disk, settings: ClusterSettings, dataDir: string): Promise<void> {
  await disk.makeDirectory(registryFolder, 0o755);
  await disk.makeDirectory(runtimeFolder(settings), 0o700);
  for (const file of [`${registryFolder}/${settings.id}.json`, `${runtimeFolder(settings)}/${copyName}`])
    await disk.writeAtomically(file, `${JSON.stringify({ ...settings, dataDir })}\n`, 0o600);
}

export async function unregisterCluster(disk: Disk, settings: ClusterSettings): Promise<void> {
  await disk.remove(`${registryFolder}/${settings.id}.json`);
  // The last cluster leaves nothing behind.
  for (const folder of [registryFolder, "/var/lib/steersman"]) {
    const rest = (await disk.stat(folder)) === undefined ? undefined : await disk.list(folder);
    if (rest?.length === 0) await disk.remove(folder).catch(fineIfMounted);
  }
}

/** A file system of its own stays, empty. */
function fineIfMounted(error: unknown): void {
  if ((error as { code?: unknown }).code !== "EBUSY") throw error;
}

/** Name of the bridge that carries the nodes' addresses; at most 15 characters. */
function nodeBridge(clusterId: string): string {
  return `steer-${clusterId}-n`;
}

function namespaceName(clusterId: string, node: NodeSettings): string {
  return `steer-${clusterId}-${node.name}`;
}

export function namespacePath(clusterId: string, nodeName: string): string {
  return `/run/netns/steer-${clusterId}-${nodeName}`;
}

/**
 * Makes the nodes' own network: a bridge that holds the first node's address, and for every further node a network namespace
 * behind a veth pair. What exists already stays.
 */
export async function createNodeNetwork(processes: Processes, settings: ClusterSettings): Promise<void> {
  const bridge = nodeBridge(settings.id);
  const gateway = settings.serverAddress;
  const made = [`link add ${bridge} type bridge`, `address add ${gateway}/24 dev ${bridge}`];
  await ipBatch(processes, [...((await linkExists(processes, bridge)) ? [] : made), `link set ${bridge} up`]);
  for (const [index, node] of settings.nodes.entries()) {
    if (node.networkNamespace !== undefined) await createNamespace(processes, settings, node, index, gateway);
  }
}

async function createNamespace(
  processes: Processes,
  settings: ClusterSettings,
  node: NodeSettings,
  index: number,
  gateway: string,
): Promise<void> {
  const name = namespaceName(settings.id, node);
  const existing = await ip(processes, ["-j", "netns", "list"]);
  if ((JSON.parse(existing || "[]") as { name: string }[]).some((namespace) => namespace.name === name)) return;
  const outside = `st-${settings.id}-${index}`;
  await ipBatch(processes, [
    `netns add ${name}`,
    `link add ${outside} type veth peer name eth0 netns ${name}`,
    `link set ${outside} master ${nodeBridge(settings.id)} up`,
  ]);
  const inside = [
    "link set lo up",
    `address add ${node.address}/24 dev eth0`,
    "link set eth0 up",
    `route add default via ${gateway}`,
  ];
  await ipBatch(processes, inside, ["-n", name]);
}

/** Removes the bridge and the namespaces. What is gone already is fine. */
export async function removeNodeNetwork(processes: Processes, settings: ClusterSettings): Promise<void> {
  const listed = await ip(processes, ["-j", "netns", "list"]);
  const names = (JSON.parse(listed || "[]") as { name: string }[]).map(({ name }) => name);
  for (const [index, node] of settings.nodes.entries()) {
    const name = namespaceName(settings.id, node);
    if (names.includes(name)) await ip(processes, ["netns", "delete", name]);
    if (await linkExists(processes, `st-${settings.id}-${index}`))
      await ip(processes, ["link", "delete", `st-${settings.id}-${index}`]);
  }
  if (await linkExists(processes, nodeBridge(settings.id)))
    await ip(processes, ["link", "delete", nodeBridge(settings.id)]);
}

/** Addresses of the nodes: the first is the bridge's own, the others follow. */
export function nodeAddress(nodeNetwork: string, index: number): string {
  return addressAt(nodeNetwork, index === 0 ? 1 : 10 + index);
}

async function linkExists(processes: Processes, name: string): Promise<boolean> {
  return (await processes.run("ip", ["link", "show", "dev", name], { timeoutMs: commandTimeoutMs })).code === 0;
}

/** Several commands of `ip` in one process: each start of a program costs more than what it does. */
async function ipBatch(processes: Processes, lines: readonly string[], where: readonly string[] = []): Promise<void> {
  await ip(processes, [...where, "-batch", "-"], `${lines.join("\n")}\n`);
}

/** Runs `ip`; throws with its own message when it fails. */
async function ip(processes: Processes, args: readonly string[], input?: string): Promise<string> {
  const result = await processes.run("ip", args, {
    timeoutMs: commandTimeoutMs,
    ...(input === undefined ? {} : { input }),
  });
  if (result.code !== 0)
    throw new Error(`Cannot set up the node network: ip ${args.join(" ")}: ${result.stderr.trim()}\n${input ?? ""}`);
  return result.stdout.trim();
}
