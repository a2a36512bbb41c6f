import { approvedAnnotation, type CanaryStatus } from "#api/delivery/canary.ts";
import type { MirrorCount, RequestCount, TrafficCount } from "#api/delivery/traffic-split.ts";
import { countStaleMs, samplesMax, startDeadlineMs } from "../limits.ts";
import { judgeChecks } from "./checks.ts";
import { runOf } from "./effects.ts";
import type { Facts } from "./machine.ts";
import type { Scene } from "./scene.ts";
import { podsAt } from "./settings.ts";
import { judge, judgeCopies, type UserCount } from "./verdict.ts";

/** What the state machine needs to know of a scene. */
export function factsOf(scene: Scene, status: CanaryStatus, now: number): Facts {
  const { deployment, replicaSets, settings, view } = scene;
  const named = (name: string | undefined) => replicaSets.find((set) => set.name === name);
  // Once the Deployment's controller has seen the template, its revision tells the ReplicaSet.
  const current = replicaSets.find(({ revision }) => revision !== undefined && revision === deployment.revision);
  const alone = (name: string | undefined): boolean => {
    const whole = named(name);
    const isWhole = whole !== undefined && whole.size === deployment.replicas && whole.ready >= deployment.replicas;
    return isWhole && replicaSets.every((set) => set.name === name || (set.size === 0 && set.pods === 0));
  };
  const step = settings.steps[Math.min(status.step ?? 0, settings.steps.length - 1)]!;
  const run = runOf(scene, status);
  const told = scene.counts.filter(({ spec }) => spec.run === run);
  const counts = told.filter(isSound);
  const fresh = new Set(counts.filter(({ spec }) => isFresh(spec.at, now)).map(({ spec }) => spec.node));
  const evidence = {
    chosen: sum(counts.map(({ spec }) => spec.chosen)),
    others: sum(counts.map(({ spec }) => spec.others)),
    confidence: settings.confidence,
    missing: scene.readyNodes.length === 0 ? ["any node"] : scene.readyNodes.filter((node) => !fresh.has(node)),
  };
  const { limit, requestsLimit } = settings;
  const judgement =
    step.mirror === undefined
      ? judge({ ...evidence, limit, minUsers: step.minUsers })
      : judgeCopies({
          ...evidence,
          limit: requestsLimit,
          minRequests: step.minRequests,
          mirrored: sumOfCopies(counts.flatMap(({ spec }) => spec.mirrored ?? [])),
        });
  return {
    now,
    settings,
    judgement,
    checks: judgeChecks(settings.checks, scene.checkResults, run, now),
    current: current?.name,
    rolledOut: alone(current?.name),
    stableExists: named(status.stable) !== undefined,
    ready: named(status.candidate)?.ready ?? 0,
    wanted: podsAt(step, deployment.replicas),
    candidateAlone: alone(status.candidate),
    acknowledged: isAcknowledged(scene, told),
    approved: view.annotations[approvedAnnotation],
    paused: deployment.paused,
    startDeadlineMs: deployment.deadlineSeconds === undefined ? startDeadlineMs : deployment.deadlineSeconds * 1000,
    firstErrorMs: firstError(counts),
    samples: counts.flatMap(({ spec }) => spec.samples ?? []).slice(-samplesMax),
  };
}

/** Numbers that cannot be are no numbers: their node has told nothing. */
function isSound({ spec: { chosen, others, mirrored } }: TrafficCount): boolean {
  const sides = [chosen, others].map(({ users, inErrors }) => [inErrors, users] as const);
  const copies = mirrored === undefined ? [] : [mirrored.copies, mirrored.originals];
  const all = [...sides, ...copies.map(({ requests, inErrors }) => [inErrors, requests] as const)];
  return all.every(([part, whole]) => 0 <= part && part <= whole && Number.isSafeInteger(whole));
}

/** A report from the future is a clock that is wrong, not a fresh one. */
function isFresh(at: string, now: number): boolean {
  const age = now - Date.parse(at);
  return age < countStaleMs && age > -countStaleMs;
}

function isAcknowledged({ readyNodes }: Scene, counts: readonly TrafficCount[]): boolean {
  const held = new Map(counts.map(({ spec }) => [spec.node, spec.threshold]));
  return readyNodes.every((node) => held.get(node) === 0);
}

function firstError(counts: readonly TrafficCount[]): number | undefined {
  const times = counts.filter(({ spec }) => spec.chosen.inErrors > 0).map(({ spec }) => Date.parse(spec.at));
  return times.length === 0 ? undefined : Math.min(...times);
}

function sum(sides: readonly UserCount[]): UserCount {
  const users = sides.reduce((total, side) => total + side.users, 0);
  const inErrors = sides.reduce((total, side) => total + Math.min(side.inErrors, side.users), 0);
  return { users, inErrors };
}

function sumOfCopies(counts: readonly MirrorCount[]): MirrorCount {
  const of = (sides: readonly RequestCount[]): RequestCount => {
    const { users: requests, inErrors } = sum(sides.map((side) => ({ users: side.requests, inErrors: side.inErrors })));
    return { requests, inErrors };
  };
  return {
    copies: of(counts.map(({ copies }) => copies)),
    originals: of(counts.map(({ originals }) => originals)),
    dropped: counts.reduce((total, { dropped }) => total + dropped, 0),
  };
}
