import { persistentvolumeclaims, statefulsets } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import { compareQuantities, parseQuantity, quantityOf } from "#codec/quantity.ts";
import type { Action, EventText } from "#reconcile/action.ts";
import type { Plan } from "#reconcile/controller.ts";
import { aboutOf, referenceOf } from "../ownership.ts";
import { claimName } from "../statefulset/identity.ts";
import type { ClaimView } from "../views/storage.ts";
import type { StatefulSetView } from "../views/workload.ts";

/** On a StatefulSet: the sizes that claims of its templates grow to, `data=5Gi,log=2Gi`; the templates cannot be changed. */
export const sizesAnnotation = "steersman.dev/claim-sizes";
const sets = statefulsets as Resource<unknown>;
const claims = persistentvolumeclaims as Resource<unknown>;

/** Grows the bound claims of a StatefulSet's pods to the sizes it asks for; none ever shrinks. Pure. */
export function planClaimGrowth(
  set: StatefulSetView,
  claimNamed: (name: string) => ClaimView | undefined,
): Plan | undefined {
  const text = set.annotations[sizesAnnotation];
  if (text === undefined || set.deletionMs !== undefined) return undefined;
  const first = set.spec.ordinals?.start ?? 0;
  const actions: Action[] = [];
  const wrong: string[] = [];
  for (const part of text.split(",")) {
    const [templateName = "", size = ""] = part.trim().split("=");
    const template = set.spec.volumeClaimTemplates?.find(({ metadata }) => metadata.name === templateName);
    if (template === undefined) wrong.push(`it has no claim template "${templateName}"`);
    else if (!parseQuantity(size).ok) wrong.push(`"${size}" is no size for "${templateName}"`);
    if (template === undefined || !parseQuantity(size).ok) continue;
    for (let ordinal = first; ordinal < first + (set.spec.replicas ?? 1); ordinal++) {
      const claim = claimNamed(claimName(template, set, ordinal));
      if (claim?.status.phase === "Bound" && claim.deletionMs === undefined) actions.push(...grow(set, claim, size));
    }
  }
  if (wrong.length > 0) {
    const message = `${sizesAnnotation}: ${wrong.join("; ")}`;
    actions.push({
      verb: "event",
      about: aboutOf(sets, set),
      type: "Warning",
      eventReason: "InvalidClaimSizes",
      message,
    });
  }
  return { because: referenceOf(sets, set), actions };
}

function grow(set: StatefulSetView, claim: ClaimView, size: string): Action[] {
  const before = claim.spec.resources?.requests?.["storage"] ?? "0";
  if (compareQuantities(quantityOf(size), quantityOf(before)) <= 0) return [];
  const { namespace, name, uid, resourceVersion } = claim;
  const patch = { metadata: { uid, resourceVersion }, spec: { resources: { requests: { storage: size } } } };
  const about = aboutOf(sets, set);
  const failureEvent: EventText = {
    about,
    type: "Warning",
    eventReason: "FailedGrowth",
    message: `claim ${name} cannot grow to ${size}: `,
  };
  const reason = `${sizesAnnotation} of ${set.name} asks for ${size} and the claim has ${before}`;
  return [{ verb: "patch", resource: claims, namespace, name, type: "merge", patch, reason, failureEvent }];
}
