import type { Volume } from "#api/generated/core-v1.ts";
import { persistentvolumeclaims, pods } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import type { Plan } from "#reconcile/controller.ts";
import type { ObjectView } from "#reconcile/object-view.ts";
import { aboutOf, controllerReference, referenceOf } from "../ownership.ts";

const claims = persistentvolumeclaims as Resource<unknown>;
const owners = pods as Resource<unknown>;

/** One claim for each ephemeral volume of a pod, owned by it. A claim of that name that is another's is not used. Pure. */
export function planEphemeralClaims(
  pod: ObjectView,
  volumes: readonly Volume[],
  claimNamed: (name: string) => ObjectView | undefined,
): Plan {
  const about = aboutOf(owners, pod);
  const actions = volumes.flatMap((volume): Action[] => {
    const template = volume.ephemeral?.volumeClaimTemplate;
    if (template === undefined) return [];
    const name = `${pod.name}-${volume.name}`;
    const existing = claimNamed(name);
    if (existing?.controller?.uid === pod.uid) return [];
    if (existing !== undefined) {
      const message = `PVC ${pod.namespace}/${name} was not created for pod ${pod.namespace}/${pod.name} (pod is not owner)`;
      return [{ verb: "event", about, type: "Warning", eventReason: "FailedBinding", message }];
    }
    const metadata = {
      ...template.metadata,
      name,
      namespace: pod.namespace,
      ownerReferences: [controllerReference(owners, pod)],
    };
    const failure = {
      about,
      type: "Warning" as const,
      eventReason: "FailedBinding",
      message: `ephemeral volume ${volume.name}: `,
    };
    return [
      {
        verb: "create",
        resource: claims,
        namespace: pod.namespace,
        object: { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata, spec: template.spec },
        existingIsFine: true,
        reason: `volume ${volume.name} of pod ${pod.name} is ephemeral and has no claim`,
        failureEvent: failure,
      },
    ];
  });
  return { because: referenceOf(owners, pod), actions };
}
