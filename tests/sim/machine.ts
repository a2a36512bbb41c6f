import type { RealMachine } from "#sim/run-seed.ts";
import { createCrypto } from "#world/node/crypto.ts";

export const machine: RealMachine = {
  settle: () => new Promise((resolve) => setImmediate(resolve)),
  hashes: createCrypto(),
};
