import { holdAnnotation } from "#api/apps/hold.ts";
import { deployments } from "#api/generated/resources.ts";
import type { PodTemplateSpec } from "#api/generated/core-v1.ts";
import type { ReplicaSet } from "#api/generated/apps-v1.ts";
import type { Draft, Resource } from "#api/resource.ts";
import { canonicalText, fnv32, isEqual, namedAfter, safeSuffix } from "#reconcile/canonical.ts";
import { controllerReference } from "../ownership.ts";
import type { DeploymentView, ReplicaSetView } from "../views/workload.ts";
import { annotations, hashLabel, type Bounds } from "./observed.ts";

const notCopied: ReadonlySet<string> = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  "deprecated.deployment.rollback.to",
  holdAnnotation,
  ...Object.values(annotations),
]);

/** Templates are equal when they differ at most in the hash label. */
function isTemplateEqual(a: PodTemplateSpec, b: PodTemplateSpec): boolean {
  return isEqual(a.spec, b.spec) && isEqual(comparable(a), comparable(b));
}

function comparable(template: PodTemplateSpec): unknown {
  const { labels, annotations: notes, finalizers } = template.metadata ?? {};
  const { [hashLabel]: _hash, ...rest } = labels ?? {};
  return { labels: rest, annotations: notes ?? {}, finalizers: finalizers ?? [] };
}

/** ReplicaSets from old to new; equal ages by name, so that the order is stable. */
export function byAge(replicaSets: readonly ReplicaSetView[]): ReplicaSetView[] {
  return [...replicaSets].sort((a, b) => a.createdMs - b.createdMs || (a.name < b.name ? -1 : 1));
}

/** The oldest set with the Deployment's template: several can exist after a collision of writers. */
export function findNew(deployment: DeploymentView, owned: readonly ReplicaSetView[]): ReplicaSetView | undefined {
  return byAge(owned).find((replicaSet) => isTemplateEqual(replicaSet.spec.template, deployment.spec.template));
}

export function revisionOf(replicaSet: ReplicaSetView): number {
  const text = replicaSet.annotations[annotations.revision];
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : 0;
}

/** The hash that tells this template's pods from others', different for each collision count. */
function templateHash(template: PodTemplateSpec, collisionCount: number): string {
  const suffix = collisionCount === 0 ? "" : `#${collisionCount}`;
  return safeSuffix(fnv32(canonicalText(template) + suffix));
}

/** Annotations that the new set should carry: the Deployment's, its revision and its bounds. */
export function newSetAnnotations(
  deployment: DeploymentView,
  current: Readonly<Record<string, string>>,
  oldSets: readonly ReplicaSetView[],
): Record<string, string> {
  const wanted: Record<string, string> = { ...current };
  for (const [key, value] of Object.entries(deployment.annotations)) if (!notCopied.has(key)) wanted[key] = value;
  const oldRevision = current[annotations.revision];
  const oldNumber = oldRevision !== undefined && /^[0-9]{1,15}$/.test(oldRevision) ? Number(oldRevision) : 0;
  const revision = Math.max(0, ...oldSets.map(revisionOf)) + 1;
  if (oldNumber >= revision) return wanted;
  wanted[annotations.revision] = String(revision);
  if (oldRevision !== undefined) {
    const history = current[annotations.revisionHistory];
    wanted[annotations.revisionHistory] =
      history === undefined || history === "" ? oldRevision : `${history},${oldRevision}`;
  }
  return wanted;
}

/** Annotations that say for which size of the Deployment a set was last scaled. */
export function sizeAnnotations(bounds: Bounds): Record<string, string> {
  return {
    [annotations.desired]: String(bounds.replicas),
    [annotations.max]: String(bounds.replicas === 0 ? 0 : bounds.replicas + bounds.maxSurge),
  };
}

export function newSetName(deployment: DeploymentView): { readonly name: string; readonly hash: string } {
  const hash = templateHash(deployment.spec.template, deployment.status.collisionCount ?? 0);
  return { hash, name: namedAfter(`${deployment.name}-`, hash) };
}

/** The ReplicaSet of the Deployment's current template. */
export function newSet(
  deployment: DeploymentView,
  oldSets: readonly ReplicaSetView[],
  bounds: Bounds,
  replicas: number,
  extraAnnotations: Readonly<Record<string, string>>,
): Draft<ReplicaSet> {
  const { name, hash } = newSetName(deployment);
  const { template, selector, minReadySeconds } = deployment.spec;
  const labels = { ...template.metadata?.labels, [hashLabel]: hash };
  const { creationTimestamp: _none, ...templateMetadata } = template.metadata ?? {};
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name,
      namespace: deployment.namespace,
      labels,
      annotations: { ...newSetAnnotations(deployment, {}, oldSets), ...sizeAnnotations(bounds), ...extraAnnotations },
      ownerReferences: [controllerReference(deployments as Resource<unknown>, deployment)],
    },
    spec: {
      replicas,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector?.matchLabels, [hashLabel]: hash } },
      template: { metadata: { ...templateMetadata, labels }, spec: template.spec },
    },
  };
}
