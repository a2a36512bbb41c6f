import { namespaces } from "#api/generated/resources.ts";
import type { AdmissionPlugin, AdmissionRequest, Verdict } from "../admission.ts";
import { getStored } from "../authorize/stored.ts";
import type { ObjectReader } from "../object-reader.ts";
import { allow, forbid } from "./request.ts";

const immortal = new Set(["default", "kube-system", "kube-public"]);

/**
 * Nothing lives in a namespace that does not exist, nothing new comes into one that ends, and three never end. Judged twice:
 * before the others, and again after whatever they waited for.
 */
export function namespaceLifecycle(objects: ObjectReader): AdmissionPlugin {
  const judge = (request: AdmissionRequest): Verdict => judgeNamespace(request, objects);
  return { name: "NamespaceLifecycle", mutate: judge, validate: judge };
}

function judgeNamespace(request: AdmissionRequest, objects: ObjectReader): Verdict {
  if (request.resource === namespaces.resource && request.group === namespaces.group) {
    const ends = request.operation === "DELETE" && immortal.has(request.name);
    return ends ? forbid("this namespace may not be deleted") : allow;
  }
  // Deletions must go on, or a namespace could never become empty. Reviews ask about namespaces that need not exist.
  if (request.namespace === "" || request.operation === "DELETE" || request.group === "authorization.k8s.io")
    return allow;
  const namespace = getStored(objects, namespaces, undefined, request.namespace);
  if (namespace === undefined) {
    return { allowed: false, code: 404, reason: "NotFound", message: `namespaces "${request.namespace}" not found` };
  }
  if (request.operation !== "CREATE" || namespace.metadata.deletionTimestamp === undefined) return allow;
  return forbid(`unable to create new content in namespace ${request.namespace} because it is being terminated`, [
    {
      reason: "NamespaceTerminating",
      message: `namespace ${request.namespace} is being terminated`,
      field: "metadata.namespace",
    },
  ]);
}
