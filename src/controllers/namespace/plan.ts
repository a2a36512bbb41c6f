import type { Namespace, NamespaceCondition } from "#api/generated/core-v1.ts";
import { namespaces } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import { isEqual } from "#reconcile/canonical.ts";
import type { PassContext, Plan } from "#reconcile/controller.ts";
import { timeText, type ObjectView } from "#reconcile/object-view.ts";
import { limits } from "../limits.ts";
import { referenceOf } from "../ownership.ts";
import type { NamespaceView } from "../views/namespace.ts";

/** What is left of one resource in the namespace. */
export interface Content {
  readonly resource: Resource<unknown>;
  readonly objects: readonly ObjectView[];
}

export interface ObservedNamespace {
  readonly namespace: NamespaceView;
  /** Only resources of which something is left, in the order of discovery. */
  readonly content: readonly Content[];
  /** Group versions of other servers that do not answer: what they keep in the namespace is not known. */
  readonly undiscovered: readonly string[];
  /** What other servers said instead of what they keep in the namespace. */
  readonly unlisted: readonly string[];
}

export const namespaceFinalizer = "kubernetes";
const resource = namespaces as Resource<unknown>;

/**
 * Empties a namespace that is being deleted: first its pods, then, when the last of them is gone, the rest, so that no pod
 * outlives the NetworkPolicies that protect it (CVE-2024-7598). When nothing is left, the namespace's own finalizer goes.
 */
export function planNamespace(observed: ObservedNamespace, { now, refusal }: PassContext): Plan | undefined {
  const { namespace, content, undiscovered, unlisted } = observed;
  if (namespace.deletionMs === undefined || !namespace.specFinalizers.includes(namespaceFinalizer)) return undefined;
  const because = referenceOf(resource, namespace);
  const refused = refusal?.action.verb === "delete" ? refusal.message : undefined;
  const conditions = conditionsOf(observed, refused, now);
  const status =
    isEqual(conditions, namespace.conditions) && namespace.phase === "Terminating"
      ? []
      : [updateStatus(namespace, conditions)];
  if (content.length === 0 && undiscovered.length === 0 && unlisted.length === 0) {
    // The status first: its write makes the judged revision old, so the finalizer goes in the next pass.
    return status.length > 0 ? { actions: status, because } : { actions: [finalize(namespace)], because };
  }
  const pods = content.find((left) => isPods(left.resource));
  const doomed = pods === undefined ? content : [pods];
  const deletions = doomed.flatMap((left) =>
    left.objects.filter((object) => object.deletionMs === undefined).map((object) => deletion(left, object)),
  );
  return { actions: [...status, ...deletions], because, lookAgainMs: limits.namespaceCheckMaxMs };
}

export function isPods({ group, resource: plural }: Resource<unknown>): boolean {
  return group === "" && plural === "pods";
}

function deletion(left: Content, object: ObjectView): Action {
  return {
    verb: "delete",
    resource: left.resource,
    namespace: object.namespace,
    name: object.name,
    uid: object.uid,
    propagation: "Background",
    // Whoever may keep this one back keeps nothing else back.
    othersGoOn: true,
    reason: `namespace ${object.namespace} is being deleted; ${left.objects.length} ${left.resource.resource} are left`,
  };
}

function finalize(namespace: NamespaceView): Action {
  return {
    verb: "update",
    resource,
    name: namespace.name,
    subresource: "finalize",
    object: {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: namespace.name, uid: namespace.uid, resourceVersion: namespace.resourceVersion },
      spec: { finalizers: namespace.specFinalizers.filter((finalizer) => finalizer !== namespaceFinalizer) },
    },
    reason: "nothing is left in the namespace",
  };
}

function updateStatus(namespace: NamespaceView, conditions: NamespaceCondition[]): Action {
  const { name, uid, resourceVersion } = namespace;
  const object: Namespace = {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, uid, resourceVersion },
    spec: { finalizers: [...namespace.specFinalizers] },
    status: { phase: "Terminating", conditions },
  };
  return { verb: "update", resource, name, subresource: "status", object, reason: "the namespace is being deleted" };
}

/** `refused` is what the server said when it did not let something go. */
function conditionsOf(
  { namespace, content, undiscovered, unlisted }: ObservedNamespace,
  refused: string | undefined,
  now: number,
): NamespaceCondition[] {
  const remaining = content.map(
    (left) => `${resourceName(left.resource)} has ${left.objects.length} resource instances`,
  );
  const finalizers = new Map<string, number>();
  for (const left of content) {
    for (const object of left.objects)
      for (const name of object.finalizers) finalizers.set(name, (finalizers.get(name) ?? 0) + 1);
  }
  const held = [...finalizers].sort().map(([name, count]) => `${name} in ${count} resource instances`);
  const left = content.length + unlisted.length;
  const failures = [...(refused === undefined || content.length === 0 ? [] : [refused]), ...unlisted];
  const wanted: Omit<NamespaceCondition, "lastTransitionTime">[] = [
    discoveryCondition(undiscovered),
    {
      type: "NamespaceDeletionGroupVersionParsingFailure",
      status: "False",
      reason: "ParsedGroupVersions",
      message: "All legacy kube types successfully parsed",
    },
    failures.length === 0
      ? {
          type: "NamespaceDeletionContentFailure",
          status: "False",
          reason: "ContentDeleted",
          message: "All content successfully deleted, may be waiting on finalization",
        }
      : {
          type: "NamespaceDeletionContentFailure",
          status: "True",
          reason: "ContentDeletionFailed",
          message: `Failed to delete all resource types, ${left} remaining: ${failures.join(", ")}`,
        },
    remaining.length === 0
      ? {
          type: "NamespaceContentRemaining",
          status: "False",
          reason: "ContentRemoved",
          message: "All content successfully removed",
        }
      : {
          type: "NamespaceContentRemaining",
          status: "True",
          reason: "SomeResourcesRemain",
          message: `Some resources are remaining: ${remaining.join(", ")}`,
        },
    held.length === 0
      ? {
          type: "NamespaceFinalizersRemaining",
          status: "False",
          reason: "ContentHasNoFinalizers",
          message: "All content-preserving finalizers finished",
        }
      : {
          type: "NamespaceFinalizersRemaining",
          status: "True",
          reason: "SomeFinalizersRemain",
          message: `Some content in the namespace has finalizers remaining: ${held.join(", ")}`,
        },
  ];
  return wanted.map((condition) => {
    const old = namespace.conditions.find((other) => other.type === condition.type);
    const lastTransitionTime =
      old !== undefined && old.status === condition.status ? old.lastTransitionTime : timeText(now);
    return { ...condition, ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }) };
  });
}

function discoveryCondition(undiscovered: readonly string[]): Omit<NamespaceCondition, "lastTransitionTime"> {
  const type = "NamespaceDeletionDiscoveryFailure";
  if (undiscovered.length === 0) {
    const message = "All resources successfully discovered";
    return { type, status: "False", reason: "ResourcesDiscovered", message };
  }
  const failing = undiscovered
    .toSorted()
    .map((apiVersion) => `${apiVersion}: stale GroupVersion discovery: ${apiVersion}`);
  const incomplete = `unable to retrieve the complete list of server APIs: ${failing.join(", ")}`;
  const message = `Discovery failed for some groups, ${failing.length} failing: ${incomplete}`;
  return { type, status: "True", reason: "DiscoveryFailed", message };
}

function resourceName({ group, resource: plural }: Resource<unknown>): string {
  return `${plural}.${group}`;
}
