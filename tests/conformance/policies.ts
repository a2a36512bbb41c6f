import type { Conformance } from "./cluster.ts";

export const policies: Readonly<Record<string, Conformance>> = {};
