import { createCertificates } from "#world/node/certificates.ts";
import { realClock } from "#world/node/clock.ts";
import { createCrypto } from "#world/node/crypto.ts";
import { realDisk } from "#world/node/disk.ts";
import { realProcesses } from "#world/node/processes.ts";
import { realRandom } from "#world/node/random.ts";
import type { World } from "#world/world.ts";

/** What `up` and `down` need of the machine. Without HTTP: its modules would be a third of their start. */
export const commandWorld: Pick<World, "clock" | "random" | "crypto" | "certificates" | "disk" | "processes"> = {
  clock: realClock,
  random: realRandom,
  crypto: createCrypto(),
  certificates: createCertificates(),
  disk: realDisk,
  processes: realProcesses,
};
