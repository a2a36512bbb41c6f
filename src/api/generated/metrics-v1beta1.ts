// Written by tools/generate-types.ts from the published facts of the Kubernetes API. Do not edit.
import type { ListMeta as meta_v1_ListMeta, ObjectMeta as meta_v1_ObjectMeta } from "./meta-v1.ts";

export interface NodeMetrics {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  timestamp: string;
  window: string;
  usage: Record<string, string>;
}

export interface NodeMetricsList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: NodeMetrics[];
}

export interface PodMetrics {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  timestamp: string;
  window: string;
  containers: ContainerMetrics[];
}

export interface PodMetricsList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: PodMetrics[];
}

export interface ContainerMetrics {
  name: string;
  usage: Record<string, string>;
}
