// Written by tools/generate-types.ts from the published facts of the Kubernetes API. Do not edit.
import type { PersistentVolumeSpec as core_v1_PersistentVolumeSpec, TopologySelectorTerm as core_v1_TopologySelectorTerm } from "./core-v1.ts";
import type { LabelSelector as meta_v1_LabelSelector, ListMeta as meta_v1_ListMeta, ObjectMeta as meta_v1_ObjectMeta } from "./meta-v1.ts";

export interface StorageClass {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  provisioner: string;
  parameters?: Record<string, string>;
  reclaimPolicy?: string;
  mountOptions?: string[];
  allowVolumeExpansion?: boolean;
  volumeBindingMode?: string;
  allowedTopologies?: core_v1_TopologySelectorTerm[];
}

export interface StorageClassList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: StorageClass[];
}

export interface VolumeAttachment {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  spec: VolumeAttachmentSpec;
  status: VolumeAttachmentStatus;
}

export interface VolumeAttachmentList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: VolumeAttachment[];
}

export interface VolumeAttachmentSpec {
  attacher: string;
  source: VolumeAttachmentSource;
  nodeName: string;
}

export interface VolumeAttachmentSource {
  persistentVolumeName?: string;
  inlineVolumeSpec?: core_v1_PersistentVolumeSpec;
}

export interface VolumeAttachmentStatus {
  attached: boolean;
  attachmentMetadata?: Record<string, string>;
  attachError?: VolumeError;
  detachError?: VolumeError;
}

export interface VolumeError {
  time?: string;
  message?: string;
  errorCode?: number;
}

export interface CSIDriver {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  spec: CSIDriverSpec;
}

export interface CSIDriverList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: CSIDriver[];
}

export interface CSIDriverSpec {
  attachRequired?: boolean;
  podInfoOnMount?: boolean;
  volumeLifecycleModes?: string[];
  storageCapacity?: boolean;
  fsGroupPolicy?: string;
  tokenRequests?: TokenRequest[];
  requiresRepublish?: boolean;
  seLinuxMount?: boolean;
  nodeAllocatableUpdatePeriodSeconds?: number;
  serviceAccountTokenInSecrets?: boolean;
  preventPodSchedulingIfMissing?: boolean;
}

export interface TokenRequest {
  audience: string;
  expirationSeconds?: number;
}

export interface CSINode {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  spec: CSINodeSpec;
}

export interface CSINodeSpec {
  drivers: CSINodeDriver[];
}

export interface CSINodeDriver {
  name: string;
  nodeID: string;
  topologyKeys: string[];
  allocatable?: VolumeNodeResources;
}

export interface VolumeNodeResources {
  count?: number;
}

export interface CSINodeList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: CSINode[];
}

export interface CSIStorageCapacity {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  nodeTopology?: meta_v1_LabelSelector;
  storageClassName: string;
  capacity?: string;
  maximumVolumeSize?: string;
}

export interface CSIStorageCapacityList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: CSIStorageCapacity[];
}

export interface VolumeAttributesClass {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  driverName: string;
  parameters?: Record<string, string>;
}

export interface VolumeAttributesClassList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: VolumeAttributesClass[];
}
