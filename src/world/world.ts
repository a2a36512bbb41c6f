import type { Clock, Timers } from "./clock.ts";
import type { Certificates, Crypto } from "./crypto.ts";
import type { Disk } from "./disk.ts";
import type { Http } from "./http.ts";
import type { Processes } from "./processes.ts";
import type { Random } from "./random.ts";
import type { Sockets } from "./sockets.ts";

/**
 * Everything outside the process. Made only in `main/` (the real one) and `sim/` (the simulated one);
 * parts take the few interfaces they need, not the whole.
 */
export interface World {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly crypto: Crypto;
  readonly certificates: Certificates;
  readonly disk: Disk;
  readonly processes: Processes;
  readonly sockets: Sockets;
  readonly http: Http;
}
