import type { Certificates } from "#world/crypto.ts";
import type { Timers } from "#world/clock.ts";
import type { Random } from "#world/random.ts";
import type { AdmissionPlugin } from "../admission.ts";
import type { ObjectReader } from "../object-reader.ts";
import { defaultTolerationSeconds } from "./default-toleration-seconds.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";
import { priority } from "./priority.ts";
import { serviceAccount } from "./service-account.ts";
import { serviceAllocation } from "./service-allocation.ts";

export interface AdmissionOptions {
  readonly objects: ObjectReader;
  readonly random: Pick<Random, "float">;
  readonly timers: Pick<Timers, "after">;
  readonly certificates: Pick<Certificates, "readSigningRequest">;
  readonly serviceRange: string;
  readonly nodePorts: { readonly first: number; readonly last: number };
}

/** All admission steps in their order: every mutate step runs before every validate step. */
export function createAdmission(options: AdmissionOptions): readonly AdmissionPlugin[] {
  const { objects } = options;
  return [
    namespaceLifecycle(objects),
    serviceAccount(options),
    priority(objects),
    defaultTolerationSeconds(),
    serviceAllocation(options),
  ];
}
