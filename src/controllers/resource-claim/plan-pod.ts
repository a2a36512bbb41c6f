import { pods, resourceclaims } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import { fnv32, namedAfter, safeSuffix } from "#reconcile/canonical.ts";
import type { Plan } from "#reconcile/controller.ts";
import { aboutOf, controllerReference, referenceOf } from "../ownership.ts";
import { isFinished, type PodView } from "../views/pod.ts";
import type { ResourceClaimTemplateView, ResourceClaimView } from "../views/resource-claim.ts";

/** On a claim made from a template: the name that the pod's spec has for it. */
const podClaimAnnotation = "resource.kubernetes.io/pod-claim-name";
const claimResource = resourceclaims as Resource<unknown>;
const podResource = pods as Resource<unknown>;

export interface ObservedPodClaims {
  readonly pod: PodView;
  /** Claims that the pod owns. */
  readonly owned: readonly ResourceClaimView[];
  readonly claimNamed: (name: string) => ResourceClaimView | undefined;
  readonly templateNamed: (name: string) => ResourceClaimTemplateView | undefined;
}

/**
 * Makes the claims that a pod wants from templates and writes their names into its status; reserves claims for a pod that came to
 * its node without the scheduler. Pure. https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
 */
export function planPodClaims(observed: ObservedPodClaims): Plan | undefined {
  const { pod } = observed;
  if (pod.deletionMs !== undefined || isFinished(pod)) return undefined;
  const because = referenceOf(podResource, pod);
  const creations: Action[] = [];
  const named: { name: string; resourceClaimName: string }[] = [];
  for (const { name, templateName, claimName } of pod.deviceClaims) {
    if (templateName === undefined || claimName !== undefined) continue;
    const wanted = generatedName(pod, name);
    const existing =
      observed.owned.find(
        (claim) => claim.annotations[podClaimAnnotation] === name && claim.deletionMs === undefined,
      ) ?? observed.claimNamed(wanted);
    if (existing !== undefined && existing.controller?.uid === pod.uid)
      named.push({ name, resourceClaimName: existing.name });
    else if (existing === undefined) creations.push(creation(observed, name, templateName, wanted));
    else creations.push(failure(pod, name, `claim ${existing.name} is there and belongs to somebody else`));
  }
  if (creations.length > 0) return { actions: creations, because };
  if (named.length > 0) return { actions: [naming(pod, named)], because };
  return { actions: reservations(observed), because };
}

/** The same for every attempt, so that a creation that nobody answered is not made twice. */
function generatedName(pod: PodView, claim: string): string {
  return namedAfter(`${pod.name}-${claim}-`, safeSuffix(fnv32(`${pod.uid}/${claim}`)).slice(0, 5));
}

function creation({ pod, templateNamed }: ObservedPodClaims, name: string, templateName: string, as: string): Action {
  const template = templateNamed(templateName);
  if (template === undefined) return failure(pod, name, `resource claim template "${templateName}": not found`);
  const { metadata, spec } = template.spec;
  return {
    verb: "create",
    resource: claimResource,
    namespace: pod.namespace,
    object: {
      apiVersion: "resource.k8s.io/v1",
      kind: "ResourceClaim",
      metadata: {
        ...(metadata?.labels === undefined ? {} : { labels: metadata.labels }),
        annotations: { ...metadata?.annotations, [podClaimAnnotation]: name },
        name: as,
        namespace: pod.namespace,
        ownerReferences: [controllerReference(podResource, pod)],
      },
      spec,
    },
    existingIsFine: true,
    reason: `pod ${pod.name} wants its claim ${name} made from template ${templateName}`,
    failureEvent: {
      about: aboutOf(podResource, pod),
      type: "Warning",
      eventReason: "FailedResourceClaimCreation",
      message: `PodResourceClaim ${name}: `,
    },
  };
}

function failure(pod: PodView, name: string, why: string): Action {
  const message = `PodResourceClaim ${name}: ${why}`;
  const about = aboutOf(podResource, pod);
  return { verb: "event", about, type: "Warning", eventReason: "FailedResourceClaimCreation", message };
}

function naming(pod: PodView, named: readonly { name: string; resourceClaimName: string }[]): Action {
  return {
    verb: "patch",
    resource: podResource,
    namespace: pod.namespace,
    name: pod.name,
    type: "strategic",
    subresource: "status",
    patch: { metadata: { uid: pod.uid }, status: { resourceClaimStatuses: named } },
    reason: `made from templates: ${named.map(({ resourceClaimName }) => resourceClaimName).join(", ")}`,
  };
}

/** Somebody wrote spec.nodeName: the devices of claims that have some are this pod's too. */
function reservations({ pod, claimNamed }: ObservedPodClaims): Action[] {
  if (pod.node === "") return [];
  return pod.deviceClaims.flatMap(({ claimName }): Action[] => {
    const claim = claimName === undefined ? undefined : claimNamed(claimName);
    if (claim?.isAllocated !== true || claim.deletionMs !== undefined) return [];
    if (claim.reservedFor.some(({ uid }) => uid === pod.uid)) return [];
    const { namespace, name, uid, resourceVersion } = claim;
    const reservedFor = [...claim.reservedFor, { resource: "pods", name: pod.name, uid: pod.uid }];
    return [
      {
        verb: "patch",
        resource: claimResource,
        namespace,
        name,
        type: "merge",
        subresource: "status",
        patch: { metadata: { uid, resourceVersion }, status: { reservedFor } },
        reason: `pod ${pod.name} was given node ${pod.node} without the scheduler and uses the claim`,
      },
    ];
  });
}
