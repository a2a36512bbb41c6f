import type { CanaryStatus } from "#api/delivery/canary.ts";
import { throughProxyCondition } from "#api/delivery/through-proxy.ts";
import type { Condition } from "#api/generated/meta-v1.ts";
import type { Action, EventText } from "#reconcile/action.ts";
import { isEqual } from "#reconcile/canonical.ts";
import type { Plan } from "#reconcile/controller.ts";
import { timeText } from "#reconcile/object-view.ts";
import { effectActions, holdActions, statusAction, thresholdOf } from "./effects.ts";
import { factsOf } from "./facts.ts";
import { advance } from "./machine.ts";
import type { CanaryView, DeploymentView } from "./observed.ts";
import type { Obstacle, Scene } from "./scene.ts";

/** One look at a Canary that can act. */
export function planCanary(scene: Scene, now: number): Plan {
  const { view, canary } = scene;
  const before = canary.status ?? {};
  const { status, event, lookAgainMs } = advance(before, factsOf(scene, before, now));
  const next = withCondition(
    status,
    view,
    { status: "True", reason: "Acting", message: "The Canary steers its Deployment" },
    now,
    serviceTrafficOf(scene),
  );
  const effects = effectActions(scene, next);
  const reason = event?.message ?? next.message ?? "the numbers have changed";
  const write = isEqual(next, before) ? [] : [{ ...statusAction(scene, next, reason), ...eventOf(view, event) }];
  // Taking users away is never late: the proxy learns first. Everything else is remembered before it is done.
  const isBack = thresholdOf(scene, next) < (scene.split?.split.spec.threshold ?? 0);
  const actions: Action[] = isBack ? [...effects.slice(0, 1), ...write, ...effects.slice(1)] : [...write, ...effects];
  return { actions, because: becauseOf(view), ...(lookAgainMs === undefined ? {} : { lookAgainMs }) };
}

/** One look at a Canary that cannot act: it says so, and holds nothing that it does not have on trial. */
export function planObstacle(
  view: CanaryView,
  deployment: DeploymentView | undefined,
  obstacle: Obstacle,
  now: number,
): Plan {
  const before = view.canary.status ?? {};
  const isAtRest = before.phase === undefined || before.phase === "Stable";
  const status = withCondition(isAtRest ? withoutPhase(before) : before, view, { ...obstacle, status: "False" }, now);
  const event = { type: "Warning", reason: obstacle.reason, message: obstacle.message } as const;
  const write = isEqual(status, before)
    ? []
    : [{ ...statusAction({ view }, status, obstacle.message), ...eventOf(view, event) }];
  const isHeldByUs = deployment?.hold?.includes(`"by":"Canary/${view.name}"`) === true;
  const release =
    isAtRest && isHeldByUs ? holdActions({ deployment }, undefined, `Canary ${view.name} cannot act`) : [];
  return { actions: [...write, ...release], because: becauseOf(view) };
}

/** A hold whose Canary is gone holds nothing any more. */
export function planLeftHold(deployment: DeploymentView): Plan {
  return { actions: holdActions({ deployment }, undefined, "the Canary that held the Deployment is gone") };
}

function withoutPhase({ phase: _phase, stable: _stable, ...rest }: CanaryStatus): CanaryStatus {
  return rest;
}

function eventOf(
  view: CanaryView,
  event: { type: "Normal" | "Warning"; reason: string; message: string } | undefined,
): { readonly event?: EventText } {
  if (event === undefined) return {};
  const { namespace, name, uid } = view;
  const about = { apiVersion: "delivery.steersman.dev/v1", kind: "Canary", namespace, name, uid };
  return { event: { about, type: event.type, eventReason: event.reason, message: event.message.slice(0, 1000) } };
}

/** What the network says of requests inside the cluster to the Service: without it users come through the ingress only. */
function serviceTrafficOf({ service }: Scene): Condition[] {
  return (service.service.status?.conditions ?? []).filter(({ type }) => type === throughProxyCondition);
}

function withCondition(
  status: CanaryStatus,
  view: CanaryView,
  { status: is, reason, message }: { status: "True" | "False"; reason: string; message: string },
  now: number,
  others: readonly Condition[] = [],
): CanaryStatus {
  const before = status.conditions?.find(({ type }) => type === "Ready");
  const lastTransitionTime = before?.status === is ? before.lastTransitionTime : timeText(now);
  const condition: Condition = { type: "Ready", status: is, reason, message, lastTransitionTime };
  return { ...status, observedGeneration: view.generation, conditions: [condition, ...others] };
}

function becauseOf({ namespace, name, resourceVersion }: CanaryView): string {
  return `delivery.steersman.dev/canaries/${namespace}/${name}@${resourceVersion}`;
}
