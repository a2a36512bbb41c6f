// Written by tools/generate-types.ts from the published facts of the Kubernetes API. Do not edit.
import type { ListMeta as meta_v1_ListMeta, ObjectMeta as meta_v1_ObjectMeta } from "./meta-v1.ts";

export interface PriorityClass {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  value: number;
  globalDefault?: boolean;
  description?: string;
  preemptionPolicy?: string;
}

export interface PriorityClassList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: PriorityClass[];
}
