// Written by tools/generate-types.ts from the published facts of the Kubernetes API. Do not edit.
import type { ObjectReference as core_v1_ObjectReference } from "./core-v1.ts";
import type { LabelSelector as meta_v1_LabelSelector, ListMeta as meta_v1_ListMeta } from "./meta-v1.ts";

export interface MetricIdentifier {
  name: string;
  selector?: meta_v1_LabelSelector;
}

export interface MetricValueList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: MetricValue[];
}

export interface MetricValue {
  kind?: string;
  apiVersion?: string;
  describedObject: core_v1_ObjectReference;
  metric: MetricIdentifier;
  timestamp: string;
  windowSeconds?: number;
  value: string;
}

export interface MetricListOptions {
  kind?: string;
  apiVersion?: string;
  labelSelector?: string;
  metricLabelSelector?: string;
}
