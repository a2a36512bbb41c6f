import type { RealMachine } from "#sim/run-seed.ts";
import { createCrypto } from "#world/node/crypto.ts";

/** What a simulation needs of this machine. */
export function simulationMachine(): RealMachine {
  return {
    settle: () => new Promise((resolve) => setImmediate(resolve)),
    hashes: createCrypto(),
  };
}
