import { holdOf } from "#api/apps/hold.ts";
import type { Controller } from "#reconcile/controller.ts";
import { createLoop, type LoopDependencies } from "#reconcile/loop.ts";
import { keyOf } from "#reconcile/object-view.ts";
import { canarySpacingMs } from "../limits.ts";
import {
  canaryDeclaration,
  countDeclaration,
  deploymentDeclaration,
  ingressDeclaration,
  nodeDeclaration,
  replicaSetDeclaration,
  serviceDeclaration,
  splitDeclaration,
  type Observed,
} from "./observed.ts";
import { CheckSource, type AskWebhook } from "./check-source.ts";
import { planCanary, planLeftHold, planObstacle } from "./plan.ts";
import { sceneOf } from "./scene.ts";

/** What the loops of delivery are given. */
export interface DeliveryDependencies extends LoopDependencies {
  /** The way to the webhooks of checks; absent: they are never asked. */
  readonly askWebhook?: AskWebhook;
}

const left = "left hold ";

/** Steers Deployments by their Canaries. */
export function createCanaryController(dependencies: DeliveryDependencies): Controller {
  const { informers, client, clock, timers } = dependencies;
  const observed: Observed = {
    canaries: informers.of(canaryDeclaration),
    deployments: informers.of(deploymentDeclaration),
    replicaSets: informers.of(replicaSetDeclaration),
    services: informers.of(serviceDeclaration),
    ingresses: informers.of(ingressDeclaration),
    splits: informers.of(splitDeclaration),
    counts: informers.of(countDeclaration),
    nodes: informers.of(nodeDeclaration),
  };
  const checks = new CheckSource({
    client,
    clock,
    timers,
    askWebhook: dependencies.askWebhook,
    canaryOf: (key) => observed.canaries.get(key),
    onSaid: (key) => controller.enqueue(key),
  });
  const controller = createLoop(dependencies, {
    room: "delivery",
    name: "canary",
    needs: Object.values(observed),
    spacingMs: canarySpacingMs,
    watch: (enqueue) => [
      ...watch(observed, enqueue),
      observed.canaries.handle((key) => checks.look(key)),
      { close: () => checks.stop() },
    ],
    pass: (key, { now }) =>
      key.startsWith(left) ? passLeft(observed, key.slice(left.length)) : passCanary(observed, checks, key, now),
  });
  return controller;
}

function passCanary(observed: Observed, checks: CheckSource, key: string, now: number) {
  const view = observed.canaries.get(key);
  if (view === undefined || view.deletionMs !== undefined) return undefined;
  const scene = sceneOf(view, observed, checks.resultsOf(key));
  if (!("reason" in scene)) return planCanary(scene, now);
  return planObstacle(view, observed.deployments.get(keyOf(view.namespace, view.canary.spec.deployment)), scene, now);
}

function passLeft(observed: Observed, key: string) {
  const deployment = observed.deployments.get(key);
  if (deployment === undefined || holderOf(observed, deployment.key) !== "gone") return undefined;
  return planLeftHold(deployment);
}

/** Whether the Canary that holds a Deployment is still there; undefined when none holds it. */
function holderOf(observed: Observed, key: string): "gone" | "there" | undefined {
  const deployment = observed.deployments.get(key);
  const by = deployment === undefined ? undefined : holdOf(deployment.annotations)?.by;
  if (deployment === undefined || by?.startsWith("Canary/") !== true) return undefined;
  const canary = observed.canaries.get(keyOf(deployment.namespace, by.slice("Canary/".length)));
  return canary === undefined || canary.canary.spec.deployment !== deployment.name ? "gone" : "there";
}

function watch(observed: Observed, enqueue: (key: string) => void): readonly { close(): void }[] {
  const { canaries, deployments, replicaSets, services, ingresses, splits, counts, nodes } = observed;
  const enqueueNamespace = (namespace: string): void => {
    for (const canary of canaries.by("namespace", namespace)) enqueue(canary.key);
  };
  const enqueueFor = (namespace: string, deployment: string): void => {
    for (const { key, canary } of canaries.by("namespace", namespace))
      if (canary.spec.deployment === deployment) enqueue(key);
  };
  return [
    canaries.handle((_key, old, current) => {
      const canary = current ?? old;
      if (canary === undefined) return;
      // A younger one may wait for an older one to go.
      if (current === undefined || old === undefined) enqueueNamespace(canary.namespace);
      enqueue(canary.key);
      for (const view of [old, current])
        if (view !== undefined) enqueue(left + keyOf(view.namespace, view.canary.spec.deployment));
    }),
    deployments.handle((key, old, current) => {
      const deployment = current ?? old;
      if (deployment !== undefined) enqueueFor(deployment.namespace, deployment.name);
      if (current?.hold !== undefined && old?.hold !== current.hold) enqueue(left + key);
    }),
    replicaSets.handle((_key, old, current) => {
      const set = current ?? old;
      if (set?.controller?.kind === "Deployment") enqueueFor(set.namespace, set.controller.name);
    }),
    services.handle((_key, old, current) => enqueueNamespace((current ?? old)?.namespace ?? "")),
    ingresses.handle((_key, old, current) => enqueueNamespace((current ?? old)?.namespace ?? "")),
    splits.handle((key) => enqueue(key)),
    counts.handle((_key, old, current) => {
      const count = current ?? old;
      if (count !== undefined) enqueue(keyOf(count.metadata.namespace ?? "", count.spec.split));
    }),
    nodes.handle((_key, old, current) => {
      if (old?.ready === current?.ready) return;
      for (const { key } of canaries.list()) enqueue(key);
    }),
  ];
}
