import { trafficdemands } from "#api/delivery/traffic-hold.ts";
import { trafficcounts } from "#api/delivery/traffic-split.ts";
import type { Node, Pod } from "#api/generated/core-v1.ts";
import {
  certificatesigningrequests,
  csidrivers,
  csinodes,
  leases,
  nodes,
  persistentvolumeclaims,
  pods,
  resourceslices,
} from "#api/generated/resources.ts";
import type { ObjectMeta } from "#api/generated/meta-v1.ts";
import type { Resource } from "#api/resource.ts";
import type { Certificates } from "#world/crypto.ts";
import type { AdmissionPlugin, AdmissionRequest, Verdict } from "../admission.ts";
import { textFromBase64 } from "../authenticate/base64.ts";
import { nodeNameOf } from "../authorize/node-identity.ts";
import { referencesOf } from "../authorize/pod-references.ts";
import { getStored } from "../authorize/stored.ts";
import type { ObjectReader } from "../object-reader.ts";
import { isMirrorPod } from "./mirror-pod.ts";
import { refusedNodeLabels } from "./node-labels.ts";
import { allow, forbid, isAbout, objectOf, oldObjectOf } from "./request.ts";

export interface NodeRestrictionOptions {
  readonly objects: ObjectReader;
  readonly certificates: Pick<Certificates, "readSigningRequest">;
}

/** A node changes only its own Node and what belongs to its pods, whatever it is authorized to (Kubernetes: NodeRestriction). */
export function nodeRestriction(options: NodeRestrictionOptions): AdmissionPlugin {
  return {
    name: "NodeRestriction",
    validate(request) {
      const node = nodeNameOf(request.user);
      if (node === undefined) return allow;
      if (node === "") return forbid(`could not determine node from user "${request.user.name}"`);
      return judge(node, request, options);
    },
  };
}

function judge(node: string, request: AdmissionRequest, options: NodeRestrictionOptions): Verdict | Promise<Verdict> {
  const { objects } = options;
  switch (`${request.group}/${request.resource}`) {
    case "/pods":
      return judgePod(node, request, objects);
    case "/nodes":
      return judgeNode(node, request);
    case "/persistentvolumeclaims":
      return judgeClaim(node, request);
    case "/serviceaccounts":
      return request.subresource === "token" ? judgeToken(node, request, objects) : allow;
    case "coordination.k8s.io/leases":
      return judgeLease(node, request);
    case "storage.k8s.io/csinodes":
      return nameOf(request, objectOf(request, csinodes)) === node
        ? allow
        : forbid("can only access CSINode with the same name as the requesting node");
    case "resource.k8s.io/resourceslices":
      return judgeSlice(node, request);
    case "delivery.steersman.dev/trafficcounts":
      return judgeTold(node, request, trafficcounts, "TrafficSplit", ({ spec }) => spec.split);
    case "delivery.steersman.dev/trafficdemands":
      return judgeTold(node, request, trafficdemands, "TrafficHold", ({ spec }) => spec.hold);
    case "certificates.k8s.io/certificatesigningrequests":
      return judgeSigningRequest(node, request, options);
    default:
      return allow;
  }
}

function nameOf(request: AdmissionRequest, object: { metadata: { name?: string } } | undefined): string {
  return request.name || (object?.metadata.name ?? "");
}

function judgePod(node: string, request: AdmissionRequest, objects: ObjectReader): Verdict {
  if (request.subresource === "") {
    if (request.operation === "CREATE") return judgePodCreation(node, objectOf(request, pods), objects);
    if (request.operation !== "DELETE")
      return forbid(
        `unexpected operation "${request.operation}", node "${node}" can only create and delete mirror pods`,
      );
    const old = oldObjectOf(request, pods) ?? getStored(objects, pods, request.namespace, request.name);
    return old === undefined || old.spec.nodeName === node
      ? allow
      : forbid(`node "${node}" can only delete pods with spec.nodeName set to itself`);
  }
  if (request.subresource === "status") {
    if (request.operation !== "UPDATE")
      return forbid(`unexpected operation "${request.operation}", node "${node}" can only update pod status`);
    return judgePodStatus(node, objectOf(request, pods), oldObjectOf(request, pods));
  }
  if (request.subresource === "eviction") {
    const target = getStored(objects, pods, request.namespace, request.name);
    if (target === undefined)
      return { allowed: false, code: 404, reason: "NotFound", message: `pods "${request.name}" not found` };
    return target.spec.nodeName === node
      ? allow
      : forbid(`node "${node}" can only evict pods with spec.nodeName set to itself`);
  }
  return forbid(`unexpected pod subresource "${request.subresource}", only 'status' and 'eviction' are allowed`);
}

function judgePodStatus(node: string, pod: Pod | undefined, old: Pod | undefined): Verdict {
  if (old?.spec.nodeName !== node)
    return forbid(`node "${node}" can only update pod status for pods with spec.nodeName set to itself`);
  if (!same(pod?.metadata.labels, old.metadata.labels))
    return forbid(`node "${node}" cannot update labels through pod status`);
  if (!same(pod?.metadata.ownerReferences, old.metadata.ownerReferences)) {
    return forbid(`node "${node}" cannot update ownerReferences through pod status`);
  }
  // Claims that a node could add would be claims that it may read (CVE-2025-4563's class).
  if (!same(pod?.status.resourceClaimStatuses, old.status.resourceClaimStatuses))
    return forbid(`node "${node}" cannot update resource claim statuses`);
  if (!same(pod?.status.extendedResourceClaimStatus, old.status.extendedResourceClaimStatus)) {
    return forbid(`node "${node}" cannot update extended resource claim status`);
  }
  return allow;
}

/** A mirror pod must name nothing: whatever a pod names, its node may read. */
function judgePodCreation(node: string, pod: Pod | undefined, objects: ObjectReader): Verdict {
  if (pod === undefined) return allow;
  if (!isMirrorPod(pod))
    return forbid(
      `pod does not have "kubernetes.io/config.mirror" annotation, node "${node}" can only create mirror pods`,
    );
  if (pod.spec.nodeName !== node) return forbid(`node "${node}" can only create pods with spec.nodeName set to itself`);
  const owners = judgeMirrorOwners(node, pod, objects);
  if (!owners.allowed) return owners;
  const references = referencesOf(pod);
  const can = `node "${node}" can not create pods that reference`;
  if (pod.spec.serviceAccountName) return forbid(`${can} a service account`);
  if (references.secrets.size !== 0) return forbid(`${can} secrets`);
  if (references.configMaps.size !== 0) return forbid(`${can} configmaps`);
  if (references.claims.size !== 0) return forbid(`${can} persistentvolumeclaims`);
  if (references.resourceClaims.size !== 0) return forbid(`${can} resourceclaims`);
  if (references.hasServiceAccountToken) return forbid(`${can} service account tokens`);
  return allow;
}

function judgeMirrorOwners(node: string, pod: Pod, objects: ObjectReader): Verdict {
  const owners = pod.metadata.ownerReferences ?? [];
  const [owner] = owners;
  if (owner === undefined) return forbid("pod must have an owner reference set to itself");
  if (owners.length !== 1)
    return forbid(`node "${node}" can only create pods with a single owner reference set to itself`);
  if (owner.apiVersion !== "v1" || owner.kind !== "Node" || owner.name !== node) {
    return forbid(`node "${node}" can only create pods with an owner reference set to itself`);
  }
  if (owner.controller !== true)
    return forbid(`node "${node}" can only create pods with a controller owner reference set to itself`);
  if (owner.blockOwnerDeletion === true)
    return forbid(`node "${node}" must not set blockOwnerDeletion on an owner reference`);
  const stored = getStored(objects, nodes, undefined, node);
  return stored?.metadata.uid === owner.uid
    ? allow
    : forbid(`node "${node}" UID mismatch: expected ${stored?.metadata.uid ?? "none"} got ${owner.uid}`);
}

function judgeNode(node: string, request: AdmissionRequest): Verdict {
  const asked = request.operation === "DELETE" ? undefined : objectOf(request, nodes);
  if (nameOf(request, asked) !== node)
    return forbid(`node "${node}" is not allowed to modify node "${nameOf(request, asked)}"`);
  if (asked === undefined) return allow;
  const old = oldObjectOf(request, nodes);
  const labels = refusedNodeLabels(asked.metadata.labels, old?.metadata.labels);
  if (labels.length !== 0) {
    const verb = old === undefined ? "set the following labels" : "modify labels";
    return forbid(`is not allowed to ${verb}: ${labels.join(", ")}`);
  }
  if (!same(asked.metadata.ownerReferences, old?.metadata.ownerReferences)) {
    return forbid(`node "${node}" is not allowed to ${old === undefined ? "set" : "modify"} ownerReferences`);
  }
  return old === undefined ? allow : judgeNodeUpdate(node, asked, old);
}

/** Taints come with the node's first registration and are other people's from then on. */
function judgeNodeUpdate(node: string, asked: Node, old: Node): Verdict {
  if (!same(asked.spec.taints, old.spec.taints)) return forbid(`node "${node}" is not allowed to modify taints`);
  if (!same(asked.spec.configSource, old.spec.configSource))
    return forbid(`node "${node}" is not allowed to update configSource`);
  return allow;
}

function judgeClaim(node: string, request: AdmissionRequest): Verdict {
  if (request.subresource !== "status" || request.operation !== "UPDATE") {
    return forbid(
      `unexpected operation "${request.operation}", node "${node}" can only update persistentvolumeclaim status`,
    );
  }
  const asked = objectOf(request, persistentvolumeclaims);
  const old = oldObjectOf(request, persistentvolumeclaims);
  const unchanged = same(asked?.spec, old?.spec) && same(asked?.metadata.labels, old?.metadata.labels);
  return unchanged ? allow : forbid(`node "${node}" is not allowed to update fields other than status`);
}

interface TokenRequest {
  readonly spec?: {
    readonly audiences?: readonly string[];
    readonly boundObjectRef?: {
      readonly kind?: string;
      readonly apiVersion?: string;
      readonly name?: string;
      readonly uid?: string;
    };
  };
}

function judgeToken(node: string, request: AdmissionRequest, objects: ObjectReader): Verdict {
  const spec = (request.object as TokenRequest | undefined)?.spec;
  const bound = spec?.boundObjectRef;
  if (bound === undefined || bound.kind !== "Pod" || bound.apiVersion !== "v1" || !bound.name)
    return forbid("node requested token not bound to a pod");
  if (!bound.uid) return forbid("node requested token with a pod binding without a uid");
  const pod = getStored(objects, pods, request.namespace, bound.name);
  if (pod === undefined)
    return { allowed: false, code: 404, reason: "NotFound", message: `pods "${bound.name}" not found` };
  if (pod.metadata.uid !== bound.uid) {
    return {
      allowed: false,
      code: 409,
      reason: "Conflict",
      message: `the UID in the bound object reference (${bound.uid}) does not match the UID in record`,
    };
  }
  if (pod.spec.nodeName !== node) return forbid("node requested token bound to a pod scheduled on a different node");
  if (pod.spec.serviceAccountName !== request.name)
    return forbid("node requested token for a service account that its pod does not use");
  return judgeAudiences(spec?.audiences ?? [], pod, objects);
}

/** Audiences that nothing in the pod asks for would let a node speak to strangers in the pod's name. */
function judgeAudiences(audiences: readonly string[], pod: Pod, objects: ObjectReader): Verdict {
  if (1 < audiences.length) return forbid("node may only request 0 or 1 audiences");
  const [audience] = audiences;
  if (audience === undefined || audience === "") return allow;
  const references = referencesOf(pod);
  if (references.tokenAudiences.has(audience)) return allow;
  for (const name of references.csiDrivers) {
    const asked = getStored(objects, csidrivers, undefined, name)?.spec.tokenRequests ?? [];
    if (asked.some((request) => request.audience === audience)) return allow;
  }
  return forbid(
    `audience "${audience}" not found in pod spec volume, system:node is not authorized to request tokens for this audience`,
  );
}

function judgeLease(node: string, request: AdmissionRequest): Verdict {
  if (request.namespace !== "kube-node-lease")
    return forbid('can only access leases in the "kube-node-lease" system namespace');
  const name = request.operation === "CREATE" ? objectOf(request, leases)?.metadata.name : request.name;
  return name === node ? allow : forbid("can only access node lease with the same name as the requesting node");
}

function judgeSlice(node: string, request: AdmissionRequest): Verdict {
  const slice =
    request.operation === "DELETE" ? oldObjectOf(request, resourceslices) : objectOf(request, resourceslices);
  if (slice === undefined) return allow;
  const before = oldObjectOf(request, resourceslices)?.spec.nodeName;
  const own = slice.spec.nodeName === node && (before === undefined || before === node);
  return own
    ? allow
    : forbid(`can only ${request.operation.toLowerCase()} ResourceSlice with spec.nodeName set to the requesting node`);
}

/** What a node's ingress tells moves releases and wakes workloads: it speaks for itself only, and leaves nothing to clear away. */
function judgeTold<T extends { readonly metadata: ObjectMeta; readonly spec: { readonly node: string } }>(
  node: string,
  request: AdmissionRequest,
  resource: Resource<T>,
  ownerKind: string,
  aboutOf: (told: T) => string,
): Verdict {
  const [told, old] = [objectOf(request, resource), oldObjectOf(request, resource)];
  const isOwn = [told, old].every((one) => one === undefined || one.spec.node === node);
  const either = told ?? old;
  const { kind } = resource;
  const about = ownerKind.replace("Traffic", "").toUpperCase();
  if (!isOwn || either === undefined || nameOf(request, told) !== `${aboutOf(either)}.${node}`)
    return forbid(`node "${node}" can only write ${kind}s of its own, named ${about}.${node}`);
  if (told === undefined) return allow;
  if (0 < (told.metadata.finalizers ?? []).length) return forbid(`node "${node}" cannot set finalizers`);
  const isOwnedWell = (told.metadata.ownerReferences ?? []).every(
    (owner) => owner.kind === ownerKind && owner.name === aboutOf(told) && owner.blockOwnerDeletion !== true,
  );
  return isOwnedWell ? allow : forbid(`node "${node}" can only name the ${ownerKind} that it tells of as an owner`);
}

const nodeSigners = new Set(["kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"]);

/** A node asks for certificates of its own name only, also when somebody approves whatever comes. */
async function judgeOwnName(node: string, pem: string, options: NodeRestrictionOptions): Promise<Verdict> {
  const info = await options.certificates.readSigningRequest(pem);
  if (info === undefined) return forbid("unable to parse the certificate signing request");
  return info.subject.commonName === `system:node:${node}`
    ? allow
    : forbid(`can only create a node CSR with CN=system:node:${node}`);
}

function judgeSigningRequest(
  node: string,
  request: AdmissionRequest,
  options: NodeRestrictionOptions,
): Verdict | Promise<Verdict> {
  if (!isAbout(request, certificatesigningrequests) || request.operation !== "CREATE") return allow;
  const asked = objectOf(request, certificatesigningrequests);
  if (asked === undefined || !nodeSigners.has(asked.spec.signerName)) return allow;
  return judgeOwnName(node, textFromBase64(asked.spec.request), options);
}

/** Equal as values; an absent list is an empty one. */
function same(a: unknown, b: unknown): boolean {
  const text = (value: unknown): string =>
    value === undefined || value === null || (Array.isArray(value) && value.length === 0) ? "" : sorted(value);
  return text(a) === text(b);
}

/** Maps may come in any order. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
