// Written by tools/generate-types.ts from the published facts of the Kubernetes API. Do not edit.
import type { GroupVersionKind as meta_v1_GroupVersionKind, ListMeta as meta_v1_ListMeta, ObjectMeta as meta_v1_ObjectMeta } from "./meta-v1.ts";

export interface APIGroupDiscoveryList {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ListMeta;
  items: APIGroupDiscovery[];
}

export interface APIGroupDiscovery {
  kind?: string;
  apiVersion?: string;
  metadata: meta_v1_ObjectMeta;
  versions?: APIVersionDiscovery[];
}

export interface APIVersionDiscovery {
  version: string;
  resources?: APIResourceDiscovery[];
  freshness?: string;
}

export interface APIResourceDiscovery {
  resource: string;
  responseKind?: meta_v1_GroupVersionKind;
  scope: string;
  singularResource: string;
  verbs: string[];
  shortNames?: string[];
  categories?: string[];
  subresources?: APISubresourceDiscovery[];
}

export interface APISubresourceDiscovery {
  subresource: string;
  responseKind?: meta_v1_GroupVersionKind;
  acceptedTypes?: meta_v1_GroupVersionKind[];
  verbs: string[];
}
