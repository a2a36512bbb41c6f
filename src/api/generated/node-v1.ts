// Written by tools/generate-types.ts from the published facts of the Kubernetes API. Do not edit.
import type { Toleration as core_v1_Toleration } from "./core-v1.ts";
import type { ListMeta as meta_v1_ListMeta, ObjectMeta as meta_v1_ObjectMeta } from "./meta-v1.ts";

export interface RuntimeClass {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  handler: string;
  overhead?: Overhead;
  scheduling?: Scheduling;
}

export interface Overhead {
  podFixed?: Record<string, string>;
}

export interface Scheduling {
  nodeSelector?: Record<string, string>;
  tolerations?: core_v1_Toleration[];
}

export interface RuntimeClassList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: RuntimeClass[];
}
