// Written by tools/generate-types.ts from the published facts of the Kubernetes API. Do not edit.
import type { Condition as meta_v1_Condition, DeleteOptions as meta_v1_DeleteOptions, LabelSelector as meta_v1_LabelSelector, ListMeta as meta_v1_ListMeta, ObjectMeta as meta_v1_ObjectMeta } from "./meta-v1.ts";

export interface PodDisruptionBudgetSpec {
  minAvailable?: number | string;
  selector?: meta_v1_LabelSelector;
  maxUnavailable?: number | string;
  unhealthyPodEvictionPolicy?: string;
}

export interface PodDisruptionBudgetStatus {
  observedGeneration?: number;
  disruptedPods?: Record<string, string>;
  disruptionsAllowed: number;
  currentHealthy: number;
  desiredHealthy: number;
  expectedPods: number;
  conditions?: meta_v1_Condition[];
}

export interface PodDisruptionBudget {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  spec: PodDisruptionBudgetSpec;
  status: PodDisruptionBudgetStatus;
}

export interface PodDisruptionBudgetList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: PodDisruptionBudget[];
}

export interface Eviction {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  deleteOptions?: meta_v1_DeleteOptions;
}
