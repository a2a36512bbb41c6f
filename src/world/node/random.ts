import { randomBytes, randomUUID } from "node:crypto";
import type { Random } from "../random.ts";

/** Randomness of the operating system, fit for secrets. */
export const realRandom: Random = {
  float: () => Math.random(),
  bytes: (length) => randomBytes(length),
  uuid: () => randomUUID(),
};
