import type { CanaryStatus, Rollback } from "#api/delivery/canary.ts";
import { bucketsTotal } from "#api/delivery/traffic-split.ts";
import { promotionSettleMs, rollbackAckMs, unreadyGraceMs } from "../limits.ts";
import type { ChecksJudgement } from "./checks.ts";
import type { Settings, Step } from "./settings.ts";
import type { Judgement } from "./verdict.ts";

/** What the state machine looks at. */
export interface Facts {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly settings: Settings;
  /** The ReplicaSet of the Deployment's template, once its controller has made it. */
  readonly current: string | undefined;
  /** The ReplicaSet `current` has all pods, and nobody else has any. */
  readonly rolledOut: boolean;
  readonly stableExists: boolean;
  /** Ready pods of the candidate, and how many the step wants. */
  readonly ready: number;
  readonly wanted: number;
  /** The candidate has all pods of the Deployment, and nobody else has any. */
  readonly candidateAlone: boolean;
  readonly judgement: Judgement;
  /** What else the step must pass. */
  readonly checks: ChecksJudgement;
  /** Every ready node's ingress holds threshold 0. */
  readonly acknowledged: boolean;
  /** What the annotation of approval says. */
  readonly approved: string | undefined;
  /** `kubectl rollout pause`: nothing goes on, but going back does. */
  readonly paused: boolean;
  /** Milliseconds that the new version gets to its first ready pods. */
  readonly startDeadlineMs: number;
  readonly firstErrorMs: number | undefined;
  readonly samples: readonly string[];
}

export interface Transition {
  readonly status: CanaryStatus;
  /** What happened, for people; undefined when the phase is the same. */
  readonly event?: { readonly type: "Normal" | "Warning"; readonly reason: string; readonly message: string };
  /** Look again then even if nothing changes. */
  readonly lookAgainMs?: number;
}

/**
 * The next state of a Canary. One transition a look; what is written to the Deployment and the ingress follows from the state
 * alone (`effects.ts`), so a crash at any point continues or goes back. Drawn in docs/canary.md.
 */
export function advance(status: CanaryStatus, facts: Facts): Transition {
  const { phase } = status;
  if (phase === undefined) return whenNew(status, facts);
  switch (phase) {
    case "Stable":
    case "RolledBack":
      return whenAtRest(status, facts);
    case "Starting":
    case "Step":
    case "Paused":
      return whenOnTrial(status, facts);
    case "Promoting":
      return whenPromoting(status, facts);
    case "RollingBack":
      return whenRollingBack(status, facts);
  }
}

function whenNew(status: CanaryStatus, facts: Facts): Transition {
  if (!facts.rolledOut || facts.current === undefined)
    return { status: { ...status, message: "Waits for the rollout under way" } };
  return enter(status, facts, {
    phase: "Stable",
    stable: facts.current,
    share: "0%",
    message: "The stable version serves everybody",
  });
}

function whenAtRest(status: CanaryStatus, facts: Facts): Transition {
  const { current } = facts;
  if (!facts.stableExists)
    return { status: withoutRelease(status, "The stable ReplicaSet is gone: the Deployment goes its own way") };
  if (current === undefined) return { status };
  if (current === status.stable) {
    if (status.phase === "Stable") return { status };
    return enter(status, facts, {
      phase: "Stable",
      share: "0%",
      message: "The Deployment is back at the stable version",
    });
  }
  if (status.phase === "RolledBack" && current === status.candidate) return { status };
  const { firstErrorAt: _first, checks: _checks, mirrored: _mirrored, ...rest } = status;
  const message = `${current} starts beside ${status.stable}`;
  const next = {
    phase: "Starting",
    candidate: current,
    step: 0,
    share: "0%",
    releasedAt: timeOf(facts.now),
    message,
  } as const;
  return enter(rest, facts, next, { type: "Normal", reason: "CanaryStarted", message });
}

function whenOnTrial(status: CanaryStatus, facts: Facts): Transition {
  const judged = withNumbers(status, facts);
  if (!facts.stableExists)
    return { status: withoutRelease(status, "The stable ReplicaSet is gone: the Deployment goes its own way") };
  if (facts.current !== undefined && facts.current !== status.candidate) {
    return goBack(judged, facts, `the Deployment's template changed to that of ${facts.current}`, false);
  }
  const isCounting = status.phase !== "Starting" || (status.step ?? 0) > 0;
  if (isCounting && facts.judgement.verdict === "Fail") return goBack(judged, facts, facts.judgement.message, true);
  if (status.phase !== "Starting" && facts.checks.verdict === "Fail")
    return goBack(judged, facts, facts.checks.message, true);
  // The Deployment's controller has not looked at the newest template yet: nothing goes forward on old knowledge.
  if (facts.current === undefined) return { status: judged };
  if (status.phase === "Starting") return whenStarting(judged, facts);
  const readiness = whenUnready(judged, facts);
  if (readiness !== undefined) return readiness;
  return status.phase === "Step" ? whenInStep(judged, facts) : whenPaused(judged, facts);
}

function whenStarting(status: CanaryStatus, facts: Facts): Transition {
  const step = stepOf(status, facts);
  if (facts.ready >= facts.wanted && facts.wanted > 0 && !facts.paused) {
    const message =
      step.mirror === undefined
        ? `${step.shareText} of the users get ${status.candidate}`
        : `${step.mirror.text} of the requests are copied to ${status.candidate}; no user gets it`;
    const next = { phase: "Step", run: (status.run ?? 0) + 1, share: step.shareText, message } as const;
    return enter(status, facts, next, { type: "Normal", reason: "CanaryStep", message });
  }
  const leftMs = sinceMs(status) + facts.startDeadlineMs - facts.now;
  if (leftMs > 0) return { status, lookAgainMs: leftMs };
  const why = `${facts.ready} of ${facts.wanted} pods of ${status.candidate} were ready within ${facts.startDeadlineMs / 1000} s`;
  return goBack(status, facts, why, true);
}

/** A new version without any ready pod cannot go on, however good its numbers are. */
function whenUnready(status: CanaryStatus, facts: Facts): Transition | undefined {
  const { unreadySince: since, ...rest } = status;
  if (facts.ready > 0) return since === undefined ? undefined : { status: rest, lookAgainMs: 1 };
  if (since === undefined) {
    const marked = { ...rest, unreadySince: timeOf(facts.now) };
    return { status: marked, lookAgainMs: unreadyGraceMs };
  }
  const leftMs = Date.parse(since) + unreadyGraceMs - facts.now;
  if (leftMs > 0) return { status, lookAgainMs: leftMs };
  return goBack(rest, facts, `no pod of ${status.candidate} was ready for ${unreadyGraceMs / 1000} s`, true);
}

function whenInStep(status: CanaryStatus, facts: Facts): Transition {
  const step = stepOf(status, facts);
  const { verdict, message } = facts.judgement;
  const elapsedMs = facts.now - sinceMs(status);
  // Nobody but testers is on the new version, or everybody is and no more is asked: there is nothing to judge.
  const asksForNothing = step.threshold === bucketsTotal && step.forMs === 0 && step.minUsers === 0;
  const needsVerdict = (step.threshold > 0 || step.mirror !== undefined) && !asksForNothing;
  if (needsVerdict && verdict === "BothSidesFail") {
    const next = {
      phase: "Paused",
      message: `${message}: the new version is not to blame; ${approvalHint(status)}`,
    } as const;
    return enter(status, facts, next, { type: "Warning", reason: "CanaryStopped", message: next.message });
  }
  if (elapsedMs < step.forMs) return { status, lookAgainMs: step.forMs - elapsedMs };
  if (facts.paused) return { status };
  if (needsVerdict && verdict !== "Pass") return whenUndecided(status, facts, step, elapsedMs);
  if (!asksForNothing && facts.checks.verdict !== "Pass") return whenUndecided(status, facts, step, elapsedMs);
  if (step.approval) {
    const next = {
      phase: "Paused",
      message: `Step ${stepNumber(status)} has passed; ${approvalHint(status)}`,
    } as const;
    return enter(status, facts, next, { type: "Normal", reason: "CanaryPaused", message: next.message });
  }
  return nextStep(status, facts);
}

function whenUndecided(status: CanaryStatus, facts: Facts, step: Step, elapsedMs: number): Transition {
  const { then, afterMs } = facts.settings;
  switch (then) {
    case "wait":
      return { status };
    case "extend": {
      if (step.forMs === 0) return { status };
      // Another whole period: what comes in meanwhile is judged when it ends.
      const next = enter(status, facts, {
        phase: "Step",
        message: `Not enough data after ${elapsedMs / 1000} s: the step goes on`,
      });
      return { ...next, lookAgainMs: step.forMs };
    }
    case "fail": {
      const leftMs = step.forMs + afterMs - elapsedMs;
      if (leftMs > 0) return { status, lookAgainMs: leftMs };
      return goBack(
        status,
        facts,
        `not enough data after ${Math.round(elapsedMs / 1000)} s: ${missingOf(facts)}`,
        true,
      );
    }
  }
}

/** The sentence that says what does not tell yet. */
function missingOf({ judgement, checks }: Facts): string {
  return judgement.verdict === "Pass" ? checks.message : [judgement.message, checks.message].filter(Boolean).join("; ");
}

function whenPaused(status: CanaryStatus, facts: Facts): Transition {
  if (facts.paused || facts.approved !== approvalOf(status)) return { status };
  if (status.verdict !== "BothSidesFail") return nextStep(status, facts);
  const message = `Step ${stepNumber(status)} is counted anew`;
  return enter(status, facts, { phase: "Step", run: (status.run ?? 0) + 1, message });
}

function nextStep(status: CanaryStatus, facts: Facts): Transition {
  const step = (status.step ?? 0) + 1;
  if (step >= facts.settings.steps.length) {
    const message = `${status.candidate} has passed all steps`;
    return enter(
      status,
      facts,
      { phase: "Promoting", share: "100%", message },
      { type: "Normal", reason: "CanaryPassed", message },
    );
  }
  const message = `Step ${stepNumber(status)} has passed: ${facts.judgement.message}`;
  return enter(
    status,
    facts,
    { phase: "Starting", step, message },
    { type: "Normal", reason: "CanaryStepPassed", message },
  );
}

function whenPromoting(status: CanaryStatus, facts: Facts): Transition {
  const { aloneSince, ...waiting } = status;
  if (!facts.candidateAlone) return { status: aloneSince === undefined ? status : waiting };
  // Old pods that end still answer, and a node may learn of threshold 0 before it learns that they are gone.
  if (aloneSince === undefined)
    return { status: { ...status, aloneSince: timeOf(facts.now) }, lookAgainMs: promotionSettleMs };
  const leftMs = Date.parse(aloneSince) + promotionSettleMs - facts.now;
  if (leftMs > 0) return { status, lookAgainMs: leftMs };
  const message = `${status.candidate} is the stable version`;
  const { candidate: stable, step: _step, verdict: _verdict, users: _users, control: _control, ...others } = waiting;
  const { checks: _checks, ...rest } = others;
  return enter(
    rest,
    facts,
    { phase: "Stable", ...(stable === undefined ? {} : { stable, candidate: stable }), share: "0%", message },
    { type: "Normal", reason: "CanaryPromoted", message },
  );
}

function whenRollingBack(status: CanaryStatus, facts: Facts): Transition {
  const elapsedMs = facts.now - sinceMs(status);
  if (!facts.acknowledged && elapsedMs < rollbackAckMs) return { status, lookAgainMs: rollbackAckMs - elapsedMs };
  const rollback = status.lastRollback;
  // Written in the same moment as the phase when the version was judged, and not at all when it was withdrawn.
  if (rollback?.at !== status.phaseSince || rollback === undefined)
    return enter(status, facts, { phase: "Stable", share: "0%", message: "The release was withdrawn" });
  const first = status.firstErrorAt === undefined ? undefined : facts.now - Date.parse(status.firstErrorAt);
  const lastRollback: Rollback = { ...rollback, ...(first === undefined ? {} : { fromFirstErrorMs: first }) };
  return enter(status, facts, {
    phase: "RolledBack",
    share: "0%",
    lastRollback,
    message: `${status.candidate} was taken back: ${rollback.reason}`,
  });
}

/** `isRejected`: the version was judged; else it was only withdrawn. */
function goBack(status: CanaryStatus, facts: Facts, reason: string, isRejected: boolean): Transition {
  const { candidate: replicaSet = "", step = 0 } = status;
  const at = timeOf(facts.now);
  const { users, control, mirrored } = facts.judgement;
  const numbers = { users, control, ...(mirrored === undefined ? {} : { mirrored }) };
  const lastRollback: Rollback = { replicaSet, reason, at, step, ...numbers, samples: facts.samples };
  const message = `${replicaSet} goes back: ${reason}`;
  const next = { phase: "RollingBack", share: "0%", message, ...(isRejected ? { lastRollback } : {}) } as const;
  const event = {
    type: isRejected ? "Warning" : "Normal",
    reason: isRejected ? "CanaryFailed" : "CanaryWithdrawn",
    message,
  } as const;
  return enter(status, facts, next, event);
}

function enter(
  status: CanaryStatus,
  facts: Facts,
  change: Partial<CanaryStatus>,
  event?: Transition["event"],
): Transition {
  const next = { ...status, ...change, phaseSince: timeOf(facts.now) };
  return { status: next, lookAgainMs: 1, ...(event === undefined ? {} : { event }) };
}

function withNumbers(status: CanaryStatus, facts: Facts): CanaryStatus {
  const { verdict, users, control, mirrored } = facts.judgement;
  const first = status.firstErrorAt ?? (facts.firstErrorMs === undefined ? undefined : timeOf(facts.firstErrorMs));
  const { checks: _checks, mirrored: _mirrored, ...rest } = status;
  const copies = mirrored === undefined ? {} : { mirrored };
  const checks = facts.checks.results.length === 0 ? {} : { checks: facts.checks.results };
  return {
    ...rest,
    verdict,
    users,
    control,
    ...copies,
    ...checks,
    ...(first === undefined ? {} : { firstErrorAt: first }),
  };
}

function withoutRelease(status: CanaryStatus, message: string): CanaryStatus {
  const { conditions, observedGeneration, lastRollback, run } = status;
  return {
    message,
    ...(conditions === undefined ? {} : { conditions }),
    ...(observedGeneration === undefined ? {} : { observedGeneration }),
    ...(lastRollback === undefined ? {} : { lastRollback }),
    ...(run === undefined ? {} : { run }),
  };
}

function stepOf(status: CanaryStatus, { settings }: Facts): Step {
  return settings.steps[Math.min(status.step ?? 0, settings.steps.length - 1)]!;
}

function stepNumber(status: CanaryStatus): number {
  return (status.step ?? 0) + 1;
}

/** What the annotation must say to let a paused step go on: never what it said for another release. */
export function approvalOf(status: CanaryStatus): string {
  return `${status.candidate ?? ""}.${stepNumber(status)}`;
}

function approvalHint(status: CanaryStatus): string {
  return `it goes on with the annotation delivery.steersman.dev/approved=${approvalOf(status)}`;
}

function sinceMs({ phaseSince }: CanaryStatus): number {
  return phaseSince === undefined ? 0 : Date.parse(phaseSince);
}

export function timeOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
