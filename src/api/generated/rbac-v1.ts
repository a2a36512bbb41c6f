// Written by tools/generate-types.ts from the published facts of the Kubernetes API. Do not edit.
import type { LabelSelector as meta_v1_LabelSelector, ListMeta as meta_v1_ListMeta, ObjectMeta as meta_v1_ObjectMeta } from "./meta-v1.ts";

export interface PolicyRule {
  verbs: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
  nonResourceURLs?: string[];
}

export interface Subject {
  kind: string;
  apiGroup?: string;
  name: string;
  namespace?: string;
}

export interface RoleRef {
  apiGroup: string;
  kind: string;
  name: string;
}

export interface Role {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  rules: PolicyRule[];
}

export interface RoleBinding {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  subjects?: Subject[];
  roleRef: RoleRef;
}

export interface RoleBindingList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: RoleBinding[];
}

export interface RoleList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: Role[];
}

export interface ClusterRole {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  rules: PolicyRule[];
  aggregationRule?: AggregationRule;
}

export interface AggregationRule {
  clusterRoleSelectors?: meta_v1_LabelSelector[];
}

export interface ClusterRoleBinding {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  subjects?: Subject[];
  roleRef: RoleRef;
}

export interface ClusterRoleBindingList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: ClusterRoleBinding[];
}

export interface ClusterRoleList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: ClusterRole[];
}
