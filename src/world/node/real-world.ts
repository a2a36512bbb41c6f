import type { World } from "../world.ts";
import { createCertificates } from "./certificates.ts";
import { realClock, realTimers } from "./clock.ts";
import { createCrypto } from "./crypto.ts";
import { realDisk } from "./disk.ts";
import { nodeHttp } from "./http.ts";
import { realProcesses } from "./processes.ts";
import { realRandom } from "./random.ts";
import { nodeSockets } from "./sockets.ts";

/** The machine itself. Timers alone do not keep the process alive: sockets and child processes do. */
export const realWorld: World = {
  clock: realClock,
  timers: realTimers({ keepAlive: true }),
  random: realRandom,
  crypto: createCrypto(),
  certificates: createCertificates(),
  disk: realDisk,
  processes: realProcesses,
  sockets: nodeSockets,
  http: nodeHttp,
};
