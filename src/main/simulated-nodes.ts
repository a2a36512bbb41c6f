import { Worker } from "node:worker_threads";
import type { Node } from "#api/generated/core-v1.ts";
import { nodes } from "#api/generated/resources.ts";
import type { ObjectReader } from "#apiserver/object-reader.ts";
import type { ApiServer } from "#apiserver/server.ts";
import type { ClusterSettings } from "#cluster/settings.ts";
import type { Log } from "#telemetry/log.ts";
import type { Transport } from "#world/http.ts";
import { servePort } from "#world/node/port-transport.ts";
import { programPath } from "./places.ts";

/** What the thread of the simulated nodes says besides its requests. */
export interface SimulatedNodeProblem {
  readonly problem: string;
  readonly node: string;
  readonly error: string;
}

/** Names of simulated nodes, from index 0. */
export function simulatedNodeName(index: number): string {
  return `sim-${index + 1}`;
}

/** Sizes of the thread's heap, in mebibytes. */
const threadLimits = { maxYoungGenerationSizeMb: 32, maxOldGenerationSizeMb: 8_192 };

/**
 * Runs the agents of simulated nodes in a thread of their own beside the server, which they ask over a message port: thousands
 * of TLS connections would measure TLS. Each has the identity, rights, lease and watches of a real one. Resolves when all are Ready.
 */
export async function startSimulatedNodes(api: ApiServer, settings: ClusterSettings, log: Log): Promise<void> {
  const thread = new Worker(programPath("simulated-nodes-worker"), {
    workerData: settings,
    resourceLimits: threadLimits,
  });
  thread.on("error", (error) => {
    throw new Error(`The thread of the simulated nodes failed: ${String(error)}`, { cause: error });
  });
  thread.on("message", (message: unknown) => {
    if (isProblem(message)) log.error(message.problem, message.error, { node: message.node });
  });
  servePort(thread, transportsOf(api));
  await untilReady(api.objects, settings.simulatedNodes);
}

function isProblem(message: unknown): message is SimulatedNodeProblem {
  return typeof message === "object" && message !== null && "problem" in message;
}

function transportsOf(api: ApiServer): (nodeName: string) => Transport {
  const known = new Map<string, Transport>();
  return (nodeName) => {
    let transport = known.get(nodeName);
    if (transport === undefined) {
      const groups = ["system:nodes", "system:authenticated"];
      transport = api.transportFor({ name: `system:node:${nodeName}`, uid: "", groups, extra: {} });
      known.set(nodeName, transport);
    }
    return transport;
  };
}

function untilReady(objects: ObjectReader, count: number): Promise<void> {
  const waiting = new Set(Array.from({ length: count }, (_, index) => simulatedNodeName(index)));
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
