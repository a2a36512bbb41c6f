import type { Pod } from "#api/generated/core-v1.ts";
import { namespaces, nodes, pods } from "#api/generated/resources.ts";
import { kinds } from "#api/kinds.ts";
import type { Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";
import { createClient } from "#client/http-client.ts";
import { ApiStatusError } from "#client/status-error.ts";
import { createControllers } from "#controllers/all.ts";
import { createInformer } from "#reconcile/informer.ts";
import type { Store } from "#store/store.ts";
import type { Clock } from "#world/clock.ts";
import { realWorld } from "#world/node/real-world.ts";
import { admin, openApi } from "../api/harness.ts";
import { eventually } from "../eventually.ts";

/** The real API server over the memory store with all controllers, and stand-ins for scheduler and node agents. */
export interface RunningCluster {
  readonly client: Client;
  readonly store: Store;
  readonly problems: string[];
  /** Whether the stand-in agents report pods as ready. */
  agentsReady: boolean;
  /** Waits until `look` answers something; fails with the problems that there were. */
  until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T>;
  /** Waits until the store's revision has stood still for `stillMs` milliseconds. */
  still(stillMs: number): Promise<void>;
  stop(): Promise<void>;
}

const { timers, random } = realWorld;
export const rootCa = "-----BEGIN CERTIFICATE-----\ntest\n-----END CERTIFICATE-----\n";

/** `clock` is that of the controllers; the machine's own unless it is given. */
export async function startCluster(clock: Clock = realWorld.clock): Promise<RunningCluster> {
  const problems: string[] = [];
  const { api, store } = openApi({ log: (message, error) => problems.push(`${message}: ${String(error)}`) });
  const client = createClient(api.transportFor(admin), { userAgent: "test", timers });
  await client.create(namespaces, {}, { metadata: { name: "default" } });
  await client.create(
    nodes,
    {},
    { metadata: { name: "n1" }, status: { conditions: [{ type: "Ready", status: "True" }] } },
  );
  const { controllers, informers } = createControllers({
    client,
    clock,
    timers,
    random,
    rootCa,
    resources: () => kinds.flatMap((kind) => kind.versions),
    onProblem: (problem, error) =>
      problems.push(`${problem}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
  });
  const cluster: RunningCluster = {
    client,
    store,
    problems,
    agentsReady: true,
    until: (what, look) => eventually(() => `${what}; problems: ${problems.join("\n")}`, look),
    async still(stillMs) {
      for (let before = -1, tries = 0; tries < 100; tries++) {
        if (store.visible === before) return;
        before = store.visible;
        await timers.sleep(stillMs);
      }
      throw new Error(`Still writing; problems: ${problems.join("\n")}`);
    },
    async stop() {
      agents.stop();
      informers.stop();
      await Promise.all(controllers.map((controller) => controller.stop()));
      api.close();
      await store.close();
    },
  };
  const agents = startAgents(cluster);
  informers.start();
  for (const controller of controllers) controller.start();
  return cluster;
}

/** Gives pods to a node, says that they run, and finishes those that are to go. */
function startAgents(cluster: RunningCluster): { stop(): void } {
  const { client } = cluster;
  const { clock } = realWorld;
  let addresses = 0;
  const informer = createInformer<Pod, Pod>({ client, clock, timers, random, resource: pods, project: (pod) => pod });
  const act = async (pod: Pod): Promise<void> => {
    const at = { namespace: pod.metadata.namespace, name: pod.metadata.name ?? "" };
    if (pod.metadata.deletionTimestamp !== undefined)
      return client.delete(pods, at, { gracePeriodSeconds: 0, uid: pod.metadata.uid ?? "" });
    if (pod.spec.nodeName === undefined) {
      const target = { kind: "Node", name: "n1" };
      await client.create(
        pods as Resource<unknown>,
        at,
        { metadata: { name: at.name }, target },
        { subresource: "binding" },
      );
    } else if (pod.status.phase === "Pending" && cluster.agentsReady) {
      const ip = `10.1.${++addresses >> 8}.${addresses & 255}`;
      const now = `${new Date(clock.now()).toISOString().slice(0, 19)}Z`;
      const conditions = [{ type: "Ready", status: "True", lastTransitionTime: now }];
      const status = { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions };
      await client.patch(pods, at, { status }, { type: "strategic", subresource: "status" });
    }
  };
  informer.handle((_key, _old, pod) => {
    if (pod === undefined) return;
    act(pod).catch((error: unknown) => {
      // What it saw may be gone by the time it writes.
      if (!(error instanceof ApiStatusError && error.code === 404)) cluster.problems.push(`agent: ${String(error)}`);
    });
  });
  informer.start();
  return informer;
}
