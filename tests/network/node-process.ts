// A node's network as a process of its own, for tests that start it inside a network namespace. Objects come as lines of JSON.
import { createInterface } from "node:readline";
import { makeDefaultCertificate } from "#network/ingress/default-certificate.ts";
import { createNetwork } from "#network/network.ts";
import { createCertificates } from "#world/node/certificates.ts";
import { realClock, realTimers } from "#world/node/clock.ts";
import { createCrypto } from "#world/node/crypto.ts";
import { realDisk } from "#world/node/disk.ts";
import { nftablesRules } from "#world/node/kernel-rules.ts";
import { ipCommandLinks } from "#world/node/network.ts";
import { realProcesses } from "#world/node/processes.ts";
import { realRandom } from "#world/node/random.ts";
import { nodeSockets } from "#world/node/sockets.ts";
import { FedClient } from "./fed-client.ts";

const [nodeName = "n1", clusterId = "test", dataDir = "", ingressPorts = ""] = process.argv.slice(2);
const fed = new FedClient();
const [httpPort, httpsPort] = ingressPorts === "" ? [] : ingressPorts.split(",").map(Number);
const network = createNetwork({
  clusterId,
  nodeName,
  client: fed.client(),
  kernelRules: nftablesRules({ processes: realProcesses }),
  links: ipCommandLinks({ processes: realProcesses }),
  processes: realProcesses,
  disk: realDisk,
  sockets: nodeSockets,
  clock: realClock,
  timers: realTimers({ keepAlive: true }),
  random: realRandom,
  dataDir: `${dataDir}/network`,
  cniConfigurationDir: `${dataDir}/cni`,
  clusterPods: "10.244.0.0/16",
  serviceRange: "10.96.0.0/16",
  clusterDomain: "cluster.local",
  resolvConf: `${dataDir}/resolv.conf`,
  ...(httpPort === undefined || httpsPort === undefined
    ? {}
    : {
        ingress: {
          listen: { addresses: ["192.168.9.1"], httpPort, httpsPort },
          defaultCertificate: () =>
            makeDefaultCertificate({ crypto: createCrypto(), certificates: createCertificates(), clock: realClock }),
        },
      }),
  onProblem: (problem, error) => console.error(problem, error),
});
let started = false;
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as {
    start?: true;
    stop?: true;
    cleanup?: true;
    resource?: string;
    object?: object;
    gone?: boolean;
  };
  if (command.resource !== undefined) fed.feed(command.resource, command.object ?? {}, command.gone);
  if (command.start && !started) {
    started = true;
    await network.start();
    void network.ready.then(() => console.log("ready"));
  }
  if (command.stop) await network.stop();
  if (command.cleanup) {
    await network.cleanup();
    break;
  }
}
process.exit(0);
