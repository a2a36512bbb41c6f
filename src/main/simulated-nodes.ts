import { addressAt } from "#base/cidr.ts";
import { SeededRandom } from "#base/seeded-random.ts";
import type { Node } from "#api/generated/core-v1.ts";
import { nodes } from "#api/generated/resources.ts";
import type { ObjectReader } from "#apiserver/object-reader.ts";
import type { ApiServer } from "#apiserver/server.ts";
import { createClient } from "#client/http-client.ts";
import type { ClusterSettings } from "#cluster/settings.ts";
import type { Agent } from "#node/agent.ts";
import { MemoryDisk } from "#sim/memory-disk.ts";
import { ordinaryCapacity } from "#sim/simulated-machine.ts";
import { createSimulatedNode } from "#sim/simulated-node.ts";
import { announcedBehaviour } from "#sim/announced-behaviour.ts";
import { quickRuntime, SimulatedRuntime } from "#sim/simulated-runtime.ts";
import type { Log } from "#telemetry/log.ts";
import { realWorld } from "#world/node/real-world.ts";

const podsMax = 110;
/** Nodes that start at the same time: a thousand at once would hold the first answers back. */
const startingMax = 50;

/**
 * Runs the agents of simulated nodes inside the server's process, over the in-process transport: thousands of TLS connections
 * would measure TLS. Each has the identity, rights, lease and watches of a real one. Resolves when all are Ready.
 */
export async function startSimulatedNodes(api: ApiServer, settings: ClusterSettings, log: Log): Promise<Agent[]> {
  const agents: Agent[] = [];
  for (let from = 0; from < settings.simulatedNodes; from += startingMax) {
    const count = Math.min(startingMax, settings.simulatedNodes - from);
    agents.push(
      ...(await Promise.all(Array.from({ length: count }, (_, index) => startNode(api, settings, from + index, log)))),
    );
  }
  await untilReady(api.objects, settings.simulatedNodes);
  return agents;
}

function untilReady(objects: ObjectReader, count: number): Promise<void> {
  const waiting = new Set(Array.from({ length: count }, (_, index) => nodeName(index)));
  const look = (): boolean => {
    for (const name of waiting) if (isReady(objects, name)) waiting.delete(name);
    return waiting.size === 0;
  };
  return new Promise((resolve) => {
    if (look()) return resolve();
    const changes = objects.onChange(nodes, () => {
      if (!look()) return;
      changes.close();
      resolve();
    });
  });
}

function isReady(objects: ObjectReader, name: string): boolean {
  const node = objects.get(nodes, undefined, name) as Node | undefined;
  return node?.status.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

function nodeName(index: number): string {
  return `sim-${index + 1}`;
}

async function startNode(api: ApiServer, settings: ClusterSettings, index: number, log: Log): Promise<Agent> {
  const { clock, timers, crypto, certificates } = realWorld;
  const name = nodeName(index);
  const random = new SeededRandom(`${settings.id}/${name}`);
  const user = { name: `system:node:${name}`, uid: "", groups: ["system:nodes", "system:authenticated"], extra: {} };
  const podsOf = (pod: number): string => addressAt(settings.podRange, (index % 250) * 256 + 2 + (pod % 250));
  const agent = await createSimulatedNode({
    name,
    address: addressAt("198.18.0.0/15", 256 + index),
    client: createClient(api.transportFor(user), { userAgent: "steersman-agent", timers }),
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
    onProblem: (problem, error) => log.error(problem, error, { node: name }),
  });
  await agent.start();
  return agent;
}
