import { holdAnnotation, holdText, type Hold } from "#api/apps/hold.ts";
import { canaries, type CanaryStatus } from "#api/delivery/canary.ts";
import { bucketsTotal, trafficsplits, type RequestMirror, type TrafficSplitSpec } from "#api/delivery/traffic-split.ts";
import type { ServiceSpec } from "#api/generated/core-v1.ts";
import { deployments, services } from "#api/generated/resources.ts";
import type { Draft, Resource } from "#api/resource.ts";
import type { Action } from "#reconcile/action.ts";
import { isEqual } from "#reconcile/canonical.ts";
import { candidateServiceName, type Scene } from "./scene.ts";
import { millisecondsOf, podsAt } from "./settings.ts";

const hashLabel = "pod-template-hash";
const owned = { apiVersion: "delivery.steersman.dev/v1", kind: "Canary" } as const;

/** Names the counters of the step that runs; undefined while nobody is counted. */
export function runOf({ view }: Pick<Scene, "view">, status: CanaryStatus): string | undefined {
  const isCounting =
    status.phase === "Step" ||
    status.phase === "Paused" ||
    status.phase === "RollingBack" ||
    (status.phase === "Starting" && (status.step ?? 0) > 0);
  return isCounting ? `${view.uid.slice(0, 8)}-${status.run ?? 0}` : undefined;
}

/** Buckets of users that get the candidate in a state. */
export function thresholdOf({ settings }: Pick<Scene, "settings">, status: CanaryStatus): number {
  const at = (step: number): number => settings.steps[Math.min(step, settings.steps.length - 1)]?.threshold ?? 0;
  const step = status.step ?? 0;
  const { phase } = status;
  if (phase === undefined) return 0;
  switch (phase) {
    case "Step":
    case "Paused":
      return at(step);
    case "Starting":
      return step === 0 ? 0 : at(step - 1);
    case "Promoting":
      return bucketsTotal;
    case "Stable":
    case "RollingBack":
    case "RolledBack":
      return 0;
  }
}

/** What the Deployment is to hold in a state; undefined: it is an ordinary one. */
function holdFor({ deployment, settings, view }: Scene, status: CanaryStatus): Hold | undefined {
  const { stable, candidate } = status;
  if (stable === undefined || status.phase === undefined) return undefined;
  const by = `Canary/${view.name}`;
  switch (status.phase) {
    case "Stable":
      return { keep: stable, by };
    case "Starting":
    case "Step":
    case "Paused":
    case "RollingBack": {
      const step = settings.steps[Math.min(status.step ?? 0, settings.steps.length - 1)]!;
      return {
        keep: stable,
        ...(candidate === undefined ? {} : { bring: candidate }),
        size: podsAt(step, deployment.replicas),
        by,
      };
    }
    case "Promoting":
      return { keep: candidate ?? stable, by };
    case "RolledBack":
      return { keep: stable, ...(candidate === undefined ? {} : { rejected: candidate }), by };
  }
}

/** The writes that bring Service, TrafficSplit and Deployment to a state. */
export function effectActions(scene: Scene, status: CanaryStatus): Action[] {
  if (status.phase === undefined) return holdActions(scene, undefined, "nothing is to be held");
  const why = `Canary ${scene.view.name} is ${status.phase}`;
  return [
    ...splitActions(scene, status, why),
    ...serviceActions(scene, status, why),
    ...holdActions(scene, holdFor(scene, status), why),
  ];
}

export function holdActions(
  { deployment }: Pick<Scene, "deployment">,
  hold: Hold | undefined,
  reason: string,
): Action[] {
  const wanted = hold === undefined ? undefined : holdText(hold);
  if (deployment.hold === wanted) return [];
  const { namespace, name, uid } = deployment;
  const patch = { metadata: { uid, annotations: { [holdAnnotation]: wanted ?? null } } };
  return [{ verb: "patch", resource: deployments as Resource<unknown>, namespace, name, type: "merge", patch, reason }];
}

/** The Service of the candidate's pods: the split one's ports, its selector and the hash of the candidate's template. */
function serviceActions(scene: Scene, status: CanaryStatus, reason: string): Action[] {
  const { view, service, candidateService, replicaSets } = scene;
  const hash = replicaSets.find(({ name }) => name === status.candidate)?.hash;
  if (hash === undefined || hash === "") return [];
  const { namespace } = view;
  const name = candidateServiceName(view.name);
  const selector = { ...service.service.spec.selector, [hashLabel]: hash };
  const ports = (service.service.spec.ports ?? []).map(({ nodePort: _node, ...port }) => port);
  const resource = services as Resource<unknown>;
  if (candidateService === undefined) {
    const spec: Draft<ServiceSpec> = { clusterIP: "None", selector, ports };
    const object = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace, ownerReferences: [ownerOf(scene)] },
      spec,
    };
    return [{ verb: "create", resource, namespace, object, reason }];
  }
  const { spec } = candidateService.service;
  if (isEqual(spec.selector, selector) && isEqual(spec.ports, ports)) return [];
  return [{ verb: "patch", resource, namespace, name, type: "merge", patch: { spec: { selector, ports } }, reason }];
}

function splitActions(scene: Scene, status: CanaryStatus, reason: string): Action[] {
  const { view, split } = scene;
  const { namespace, name } = view;
  const spec = splitSpecOf(scene, status);
  const resource = trafficsplits as Resource<unknown>;
  if (split === undefined) {
    const object = {
      apiVersion: "delivery.steersman.dev/v1",
      kind: "TrafficSplit",
      metadata: { name, namespace, ownerReferences: [ownerOf(scene)] },
      spec,
    };
    return [{ verb: "create", resource, namespace, object, reason }];
  }
  if (isEqual(split.split.spec, spec)) return [];
  const missing = Object.keys(split.split.spec).filter((key) => !Object.hasOwn(spec, key));
  const patch = {
    metadata: { uid: split.uid },
    spec: { ...Object.fromEntries(missing.map((key) => [key, null])), ...spec },
  };
  return [{ verb: "patch", resource, namespace, name, type: "merge", patch, reason }];
}

/** What is copied in a state: as long as a step that mirrors runs, or waits for its approval. */
function mirrorOf({ settings }: Scene, { phase, step = 0 }: CanaryStatus): RequestMirror | undefined {
  const { mirror } = settings.steps[Math.min(step, settings.steps.length - 1)] ?? {};
  if (mirror === undefined || (phase !== "Step" && phase !== "Paused")) return undefined;
  const { threshold, methods } = mirror;
  return { threshold, ...(methods === undefined ? {} : { methods }) };
}

function splitSpecOf(scene: Scene, status: CanaryStatus): TrafficSplitSpec {
  const { canary, view, service } = scene;
  const { ingress, users, testers, excludedPaths, errors } = canary.spec;
  const { only, ...key } = users;
  const run = runOf(scene, status);
  const mirror = mirrorOf(scene, status);
  const { candidate } = status;
  const slowerThanMs = errors?.slowerThan === undefined ? undefined : millisecondsOf(errors.slowerThan);
  return {
    service: service.name,
    ...(ingress === undefined ? {} : { ingress }),
    to: { service: candidateServiceName(view.name), ...(candidate === undefined ? {} : { replicaSet: candidate }) },
    users: key,
    hashKey: hashKeyOf(view.uid, candidate),
    threshold: thresholdOf(scene, status),
    ...(only === "new" ? { newSince: Math.floor(Date.parse(status.releasedAt ?? "2999-01-01T00:00:00Z") / 1000) } : {}),
    ...(testers === undefined ? {} : { testers }),
    ...(excludedPaths === undefined ? {} : { excludedPaths }),
    ...(errors === undefined
      ? {}
      : {
          errors: {
            ...(errors.statuses === undefined ? {} : { statuses: errors.statuses }),
            ...(slowerThanMs === undefined ? {} : { slowerThanMs }),
          },
        }),
    ...(run === undefined ? {} : { run }),
    ...(mirror === undefined ? {} : { mirror }),
  };
}

/** Each release has its own: not always the same users go first. It changes only while nobody is chosen. */
function hashKeyOf(uid: string, candidate: string | undefined): string {
  return `${uid}${candidate?.slice(candidate.lastIndexOf("-")) ?? ""}`.replaceAll(/[^A-Za-z0-9]/g, "").slice(0, 64);
}

function ownerOf({ view }: Scene): Record<string, unknown> {
  return { ...owned, name: view.name, uid: view.uid, controller: true, blockOwnerDeletion: false };
}

/** Writes a status whole; conflicts when the Canary has moved. */
export function statusAction(scene: Pick<Scene, "view">, status: CanaryStatus, reason: string): Action {
  const { namespace, name, uid, resourceVersion } = scene.view;
  const { canary } = scene.view;
  const object = { ...canary, metadata: { ...canary.metadata, uid, resourceVersion }, status };
  return {
    verb: "update",
    resource: canaries as Resource<unknown>,
    namespace,
    name,
    subresource: "status",
    object,
    reason,
  };
}
