/** A node's process: agent, service proxy, DNS, ingress control. Run by the supervisor: agent.ts --data-dir DIR --node NAME */
import { flushCompileCache } from "node:module";
import { startNode } from "#cluster/node.ts";
import { openClusterPki, openNodeIdentity } from "#cluster/pki.ts";
import { loadSettings } from "#cluster/settings.ts";
import { createLog } from "#telemetry/log.ts";
import { realClock } from "#world/node/clock.ts";
import { ownProcess } from "#world/node/own-process.ts";
import { realWorld } from "#world/node/real-world.ts";
import { linuxNode } from "./linux-node.ts";

const log = createLog(realClock, (line) => process.stdout.write(`${line}\n`)).with({ process: "agent" });

function fail(message: string, error: unknown): never {
  log.error(message, error);
  process.exit(1);
}

function flag(name: string): string {
  return process.argv[process.argv.indexOf(name) + 1] ?? "";
}

async function main(dataDir: string, nodeName: string): Promise<void> {
  const settings = await loadSettings(realWorld.disk, dataDir);
  const node = settings?.nodes.find(({ name }) => name === nodeName);
  if (settings === undefined || node === undefined)
    throw new Error(`Cannot run node ${nodeName}: ${dataDir} knows no such node`);
  const pki = await openClusterPki(realWorld, dataDir, settings);
  const running = await startNode({
    world: realWorld,
    parts: linuxNode(),
    settings,
    dataDir,
    node,
    identity: await pki.node(node.name, node.address),
    renewIdentity: () => openNodeIdentity(realWorld, dataDir, node),
    ca: pki.caCertificate,
    ingressIdentity: pki.ingress,
    ownProcess,
    log,
  });
  process.once("SIGTERM", () => {
    void running.stop().then(
      () => process.exit(0),
      (error: unknown) => fail("cannot stop cleanly", error),
    );
  });
  await running.ready;
  log.info("the node is Ready", { node: node.name });
  process.send?.({ ready: `agent-${node.name}` });
  // Node writes it at the end of the process only, and an agent that is killed has no such end.
  flushCompileCache();
}

process.on("unhandledRejection", (error) => fail("a promise was rejected and nobody looked", error));
process.on("uncaughtException", (error) => fail("an exception reached the top", error));
// The supervisor may end before us: we go on.
process.on("disconnect", () => undefined);

await main(flag("--data-dir"), flag("--node"));
