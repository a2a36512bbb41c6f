// Written by tools/generate-types.ts from the published facts of the Kubernetes API. Do not edit.
import type { UserInfo as authentication_v1_UserInfo } from "./authentication-v1.ts";
import type { GroupVersionKind as meta_v1_GroupVersionKind, GroupVersionResource as meta_v1_GroupVersionResource, Status as meta_v1_Status } from "./meta-v1.ts";

export interface AdmissionReview {
  kind?: string;
  apiVersion?: string;
  request?: AdmissionRequest;
  response?: AdmissionResponse;
}

export interface AdmissionRequest {
  uid: string;
  kind: meta_v1_GroupVersionKind;
  resource: meta_v1_GroupVersionResource;
  subResource?: string;
  requestKind?: meta_v1_GroupVersionKind;
  requestResource?: meta_v1_GroupVersionResource;
  requestSubResource?: string;
  name?: string;
  namespace?: string;
  operation: string;
  userInfo: authentication_v1_UserInfo;
  object?: unknown;
  oldObject?: unknown;
  dryRun?: boolean;
  options?: unknown;
}

export interface AdmissionResponse {
  uid: string;
  allowed: boolean;
  status?: meta_v1_Status;
  patch?: string;
  patchType?: string;
  auditAnnotations?: Record<string, string>;
  warnings?: string[];
}
