import { hostname } from "node:os";
import { chooseRanges, type Ranges } from "#cluster/choose-ranges.ts";
import { machineNetworks, namespacePath, nodeAddress, standingClusters } from "#cluster/machine.ts";
import type { ClusterSettings, NodeSettings } from "#cluster/settings.ts";
import { commandWorld } from "./command-world.ts";
import { numberOption, type ParsedOptions } from "./options.ts";
import { anyFreePort, freePort } from "./preconditions.ts";
import { UserError } from "./user-error.ts";

const nodesMax = 9;
const simulatedNodesMax = 10_000;
/** Of the range for benchmarks (RFC 2544): nobody dials it, but endpoints must not be loopback addresses. */
const simulatedAddress = "198.18.0.1";

/** What a new cluster shall be: the flags, checked, with their ports free. */
export interface Wishes {
  readonly simulatedNodes: number;
  readonly nodeCount: number;
  readonly store: "sqlite" | "memory";
  readonly apiPort: number;
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly keepsHistory: boolean;
}

/** Reads the flags of a new cluster. Throws `UserError` before anything is installed or written. */
export async function readWishes(options: ParsedOptions): Promise<Wishes> {
  const simulatedNodes = numberOption(options, "simulate", 1, simulatedNodesMax) ?? 0;
  const nodeCount = numberOption(options, "nodes", 1, nodesMax) ?? 1;
  if (simulatedNodes > 0 && options.values["nodes"] !== undefined) {
    throw new UserError("--nodes and --simulate exclude each other.", "Give one of them.");
  }
  const { store = "sqlite", metrics } = options.values;
  if (store !== "sqlite" && store !== "memory") {
    throw new UserError(`--store is "${String(store)}".`, "It takes sqlite or memory.");
  }
  if (metrics !== undefined && metrics !== "off")
    throw new UserError(`--metrics is "${String(metrics)}".`, "It takes off, or is left out.");
  const portOf = (flag: string, usual: number): Promise<number> =>
    freePort(numberOption(options, flag, 1, 65535) ?? usual, `Choose another with --${flag}.`);
  const isReal = simulatedNodes === 0;
  return {
    simulatedNodes,
    nodeCount,
    store,
    apiPort: await portOf("port", 6443),
    httpPort: isReal ? await portOf("http-port", 80) : 0,
    httpsPort: isReal ? await portOf("https-port", 443) : 0,
    keepsHistory: isReal && metrics === undefined,
  };
}

/** Gives a new cluster its name, and ranges and ports that nobody on this machine has. */
export async function settleCluster(wishes: Wishes): Promise<ClusterSettings> {
  const { simulatedNodes, store, apiPort, httpPort, httpsPort } = wishes;
  const id = Buffer.from(commandWorld.random.bytes(8)).toString("hex").slice(0, 6);
  const fixed = { formatVersion: 1, id, store, apiPort, httpPort, httpsPort, simulatedNodes } as const;
  if (simulatedNodes > 0) {
    return {
      ...fixed,
      serverAddress: simulatedAddress,
      podRange: "10.244.0.0/16",
      serviceRange: "10.96.0.0/16",
      nodePorts: { first: 30000, last: 32767 },
      nodes: [],
    };
  }
  const ranges = await freeRanges();
  const base =
    hostname()
      .toLowerCase()
      .replace(/[^a-z0-9-]/g, "-")
      .replace(/^-+|-+$/g, "")
      .slice(0, 40) || "node";
  const nodes: NodeSettings[] = [];
  for (let index = 0; index < wishes.nodeCount; index += 1) {
    const name = wishes.nodeCount === 1 ? base : `${base}-${index + 1}`;
    nodes.push({
      name,
      address: nodeAddress(ranges.nodeNetwork, index),
      agentPort: index === 0 ? await anyFreePort(10250) : 10250,
      ...(index === 0 ? {} : { networkNamespace: namespacePath(id, name) }),
    });
  }
  return {
    ...fixed,
    serverAddress: nodeAddress(ranges.nodeNetwork, 0),
    podRange: ranges.podRange,
    serviceRange: ranges.serviceRange,
    nodePorts: ranges.nodePorts,
    ...(wishes.keepsHistory ? { historyPort: await anyFreePort(9090) } : {}),
    nodes,
  };
}

async function freeRanges(): Promise<Ranges> {
  const others = await standingClusters(commandWorld.disk);
  const ranges = chooseRanges({
    networks: [
      ...(await machineNetworks(commandWorld.processes)),
      ...others.flatMap(({ podRange, serviceRange, serverAddress }) => [podRange, serviceRange, `${serverAddress}/24`]),
    ],
    nodePorts: others.map(({ nodePorts }) => nodePorts),
  });
  if ("exhausted" in ranges) {
    throw new UserError(
      `This machine has no free place left for ${ranges.exhausted}.`,
      "Remove a cluster with ./steer reset.",
    );
  }
  return ranges;
}
