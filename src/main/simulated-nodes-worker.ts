/** The thread of the simulated nodes: their agents, on machines that are not there. Started by simulated-nodes.ts. */
import { parentPort, workerData } from "node:worker_threads";
import { addressAt } from "#base/cidr.ts";
import { SeededRandom } from "#base/seeded-random.ts";
import { createClient } from "#client/http-client.ts";
import type { ClusterSettings } from "#cluster/settings.ts";
import { announcedBehaviour } from "#sim/announced-behaviour.ts";
import { MemoryDisk } from "#sim/memory-disk.ts";
import { ordinaryCapacity } from "#sim/simulated-machine.ts";
import { createSimulatedNode } from "#sim/simulated-node.ts";
import { quickRuntime, SimulatedRuntime } from "#sim/simulated-runtime.ts";
import type { Transport } from "#world/http.ts";
import { portTransports } from "#world/node/port-transport.ts";
import { realWorld } from "#world/node/real-world.ts";
import { simulatedNodeName, type SimulatedNodeProblem } from "./simulated-nodes.ts";

const podsMax = 110;
/** Nodes that start at the same time: a thousand at once would hold the first answers back. */
const startingMax = 50;

async function main(): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error("The simulated nodes run in a thread beside the server");
  const settings = workerData as ClusterSettings;
  const transportAs = portTransports(port);
  const tell = (problem: SimulatedNodeProblem): void => port.postMessage(problem);
  for (let from = 0; from < settings.simulatedNodes; from += startingMax) {
    const count = Math.min(startingMax, settings.simulatedNodes - from);
    await Promise.all(
      Array.from({ length: count }, (_, index) => startNode(transportAs, settings, from + index, tell)),
    );
  }
}

async function startNode(
  transportAs: (nodeName: string) => Transport,
  settings: ClusterSettings,
  index: number,
  tell: (problem: SimulatedNodeProblem) => void,
): Promise<void> {
  const { clock, timers, crypto, certificates } = realWorld;
  const name = simulatedNodeName(index);
  const random = new SeededRandom(`${settings.id}/${name}`);
  const podsOf = (pod: number): string => addressAt(settings.podRange, (index % 250) * 256 + 2 + (pod % 250));
  const agent = await createSimulatedNode({
    name,
    address: addressAt("198.18.0.0/15", 256 + index),
    client: createClient(transportAs(name), { userAgent: "steersman-agent", timers }),
    runtime: new SimulatedRuntime({
      clock,
      timers,
      random,
      latency: quickRuntime,
      addressOf: podsOf,
      behaviour: announcedBehaviour,
    }),
    disk: new MemoryDisk(clock),
    capacity: ordinaryCapacity,
    podsMax,
    clock,
    timers,
    random,
    crypto,
    certificates,
    onProblem: (problem, error) => tell({ problem, node: name, error: String(error) }),
  });
  await agent.start();
}

await main();
