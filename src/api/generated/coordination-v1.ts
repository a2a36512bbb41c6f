// Written by tools/generate-types.ts from the published facts of the Kubernetes API. Do not edit.
import type { ListMeta as meta_v1_ListMeta, ObjectMeta as meta_v1_ObjectMeta } from "./meta-v1.ts";

export interface Lease {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  spec: LeaseSpec;
}

export interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
  strategy?: string;
  preferredHolder?: string;
}

export interface LeaseList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: Lease[];
}
