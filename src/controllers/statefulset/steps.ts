import type { PodTemplateSpec } from "#api/generated/core-v1.ts";
import type { Action } from "#reconcile/action.ts";
import type { ObjectView } from "#reconcile/object-view.ts";
import { resolve } from "../deployment/observed.ts";
import { limits } from "../limits.ts";
import { revisionLabel, templateOf } from "../revision-history.ts";
import { isAvailable, isFinished, type PodView } from "../views/pod.ts";
import type { RevisionView, StatefulSetView } from "../views/workload.ts";
import { createPod, deletePod, missingClaims, ownClaims, ordinalOf, podName, removeFinished } from "./identity.ts";

export interface Input {
  readonly set: StatefulSetView;
  readonly pods: readonly PodView[];
  readonly current: RevisionView;
  readonly update: RevisionView;
  readonly claimNamed: (name: string) => ObjectView | undefined;
  readonly untilReplacedMs: (pod: PodView) => number;
  readonly now: number;
}

export function startOf(set: StatefulSetView): number {
  return set.spec.ordinals?.start ?? 0;
}

export function wantedOf(set: StatefulSetView): number {
  return set.spec.replicas ?? 1;
}

/** The next changes of pods, in the order that the set promises; empty when it waits or has nothing to do. */
export function nextSteps(input: Input): Action[] {
  const { set } = input;
  const byOrdinal = new Map(input.pods.map((pod) => [ordinalOf(set, pod), pod]));
  const first = startOf(set);
  const end = first + wantedOf(set);
  const isSurplus = (pod: PodView): boolean => ordinalOf(set, pod) < first || ordinalOf(set, pod) >= end;
  // Before any pod goes its claims must know whether they go with it.
  const owned = input.pods.flatMap((pod) => ownClaims(set, pod, isSurplus(pod), input.claimNamed));
  return [...owned, ...podSteps(input, byOrdinal, isSurplus)];
}

function podSteps(
  input: Input,
  byOrdinal: ReadonlyMap<number, PodView>,
  isSurplus: (pod: PodView) => boolean,
): Action[] {
  const isOrdered = input.set.spec.podManagementPolicy !== "Parallel";
  const first = startOf(input.set);
  const end = first + wantedOf(input.set);
  const grown = growth(input, byOrdinal, first, end, isOrdered);
  if (grown.actions.length > 0 || grown.mustWait) return grown.actions;
  const condemned = input.pods.filter(isSurplus);
  const shrunk = shrinking(input, condemned, byOrdinal, isOrdered);
  if (shrunk.actions.length > 0 || shrunk.mustWait) return shrunk.actions;
  return rolling(input, byOrdinal, first, end);
}

interface Stage {
  readonly actions: Action[];
  /** An ordered set goes no further before this has settled. */
  readonly mustWait: boolean;
}

function growth(
  input: Input,
  byOrdinal: ReadonlyMap<number, PodView>,
  first: number,
  end: number,
  isOrdered: boolean,
): Stage {
  const { set, claimNamed, now } = input;
  const actions: Action[] = [];
  const claims: Action[] = [];
  for (let ordinal = first; ordinal < end && actions.length < limits.burstReplicasMax; ordinal++) {
    const pod = byOrdinal.get(ordinal);
    // Whoever removes the claim of a pod that waits for it gets a new one.
    if (pod === undefined || (pod.phase === "Pending" && pod.deletionMs === undefined))
      claims.push(...missingClaims(set, ordinal, claimNamed));
    if (pod === undefined) {
      const reason = `pod ${podName(set, ordinal)} of ${wantedOf(set)} does not exist${isOrdered ? " and all before it are ready" : ""}`;
      const { template, hash } = templateFor(input, ordinal);
      actions.push(createPod(set, ordinal, template, hash, reason));
    } else if (isFinished(pod) && pod.deletionMs === undefined && input.untilReplacedMs(pod) === 0) {
      actions.push(removeFinished(set, pod));
    } else if (isOrdered && (pod.deletionMs !== undefined || !isAvailable(pod, set.spec.minReadySeconds ?? 0, now))) {
      return { actions: [...claims, ...actions], mustWait: true };
    }
    if (isOrdered && actions.length > 0) return { actions: [...claims, ...actions], mustWait: true };
  }
  return { actions: [...claims, ...actions], mustWait: false };
}

/** Below the partition, and while an update that keeps them runs, pods come back with the template they had. */
function templateFor(
  { set, current, update }: Input,
  ordinal: number,
): { readonly template: PodTemplateSpec; readonly hash: string } {
  const { type, rollingUpdate } = set.spec.updateStrategy ?? {};
  const boundary = rollingUpdate === undefined ? (set.status.currentReplicas ?? 0) : (rollingUpdate.partition ?? 0);
  const isKept = type !== "OnDelete" && ordinal < startOf(set) + boundary;
  const revision = isKept ? current : update;
  return { template: templateOf(revision, set.spec.template), hash: revision.name };
}

function shrinking(
  input: Input,
  condemned: readonly PodView[],
  byOrdinal: ReadonlyMap<number, PodView>,
  isOrdered: boolean,
): Stage {
  const { set } = input;
  const highestFirst = [...condemned].sort((a, b) => ordinalOf(set, b) - ordinalOf(set, a));
  const unhealthy = [...byOrdinal.entries()].sort(([a], [b]) => a - b).find(([, pod]) => mayRecover(pod))?.[1];
  const actions: Action[] = [];
  for (const pod of highestFirst) {
    if (pod.deletionMs !== undefined) {
      if (isOrdered) return { actions, mustWait: true };
      continue;
    }
    // A set in trouble is not made smaller in order before the trouble below is over, unless this pod is it.
    if (isOrdered && unhealthy !== undefined && pod !== unhealthy) return { actions, mustWait: true };
    actions.push(
      deletePod(set, pod, `pod ${pod.name} is beyond the ${wantedOf(set)} replicas and the highest is first`),
    );
    if (isOrdered) return { actions, mustWait: true };
  }
  return { actions, mustWait: false };
}

/** In trouble that may pass: a pod that has finished beyond the replicas will never be ready again. */
function mayRecover(pod: PodView): boolean {
  return !isHealthy(pod) && !isFinished(pod);
}

function isHealthy(pod: PodView): boolean {
  return pod.deletionMs === undefined && pod.phase === "Running" && pod.ready;
}

/** Replaces pods of other templates from the highest ordinal down to the partition, at most maxUnavailable at a time. */
function rolling(
  { set, update, now }: Input,
  byOrdinal: ReadonlyMap<number, PodView>,
  first: number,
  end: number,
): Action[] {
  const { type, rollingUpdate } = set.spec.updateStrategy ?? {};
  if (type === "OnDelete") return [];
  const partition = rollingUpdate?.partition ?? 0;
  const maxUnavailable = Math.max(1, resolve(rollingUpdate?.maxUnavailable ?? 1, end - first, Math.ceil));
  const minReadySeconds = set.spec.minReadySeconds ?? 0;
  let unavailable = 0;
  for (let ordinal = first; ordinal < end; ordinal++) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined || !isHealthy(pod) || !isAvailable(pod, minReadySeconds, now)) unavailable++;
  }
  const actions: Action[] = [];
  for (let ordinal = end - 1; ordinal >= first + partition; ordinal--) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined || pod.deletionMs !== undefined || pod.labels[revisionLabel] === update.name) continue;
    // A pod that does not work costs nothing to replace.
    const isDown = !isHealthy(pod) || !isAvailable(pod, minReadySeconds, now);
    if (!isDown && unavailable >= maxUnavailable) return actions;
    if (!isDown) unavailable++;
    actions.push(
      deletePod(
        set,
        pod,
        `pod ${pod.name} has an older template; ${unavailable} of at most ${maxUnavailable} pods are unavailable`,
      ),
    );
  }
  return actions;
}
