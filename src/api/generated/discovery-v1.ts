// Written by tools/generate-types.ts from the published facts of the Kubernetes API. Do not edit.
import type { ObjectReference as core_v1_ObjectReference } from "./core-v1.ts";
import type { ListMeta as meta_v1_ListMeta, ObjectMeta as meta_v1_ObjectMeta } from "./meta-v1.ts";

export interface EndpointSlice {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  addressType: string;
  endpoints: Endpoint[];
  ports: EndpointPort[];
}

export interface Endpoint {
  addresses: string[];
  conditions: EndpointConditions;
  hostname?: string;
  targetRef?: core_v1_ObjectReference;
  deprecatedTopology?: Record<string, string>;
  nodeName?: string;
  zone?: string;
  hints?: EndpointHints;
}

export interface EndpointConditions {
  ready?: boolean;
  serving?: boolean;
  terminating?: boolean;
}

export interface EndpointHints {
  forZones?: ForZone[];
  forNodes?: ForNode[];
}

export interface ForZone {
  name: string;
}

export interface ForNode {
  name: string;
}

export interface EndpointPort {
  name?: string;
  protocol?: string;
  port?: number;
  appProtocol?: string;
}

export interface EndpointSliceList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: EndpointSlice[];
}
