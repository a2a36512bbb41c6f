import type { Conformance } from "./cluster.ts";

export const webhooks: Readonly<Record<string, Conformance>> = {};
