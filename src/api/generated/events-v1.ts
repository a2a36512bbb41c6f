// Written by tools/generate-types.ts from the published facts of the Kubernetes API. Do not edit.
import type { EventSource as core_v1_EventSource, ObjectReference as core_v1_ObjectReference } from "./core-v1.ts";
import type { ListMeta as meta_v1_ListMeta, ObjectMeta as meta_v1_ObjectMeta } from "./meta-v1.ts";

export interface Event {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  eventTime: string;
  series?: EventSeries;
  reportingController?: string;
  reportingInstance?: string;
  action?: string;
  reason?: string;
  regarding: core_v1_ObjectReference;
  related?: core_v1_ObjectReference;
  note?: string;
  type?: string;
  deprecatedSource: core_v1_EventSource;
  deprecatedFirstTimestamp?: string;
  deprecatedLastTimestamp?: string;
  deprecatedCount?: number;
}

export interface EventSeries {
  count: number;
  lastObservedTime: string;
}

export interface EventList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: Event[];
}
