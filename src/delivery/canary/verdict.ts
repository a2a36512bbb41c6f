import type { MirrorStatus, RequestsStatus } from "#api/delivery/canary.ts";
import type { MirrorCount, RequestCount } from "#api/delivery/traffic-split.ts";

/**
 * Is the share of users in errors above or below a limit? Judged from a confidence sequence: an interval that holds the true
 * share at all looks at once with the wanted confidence, so that one may look after every user and stop when it tells.
 *
 * The sequence is the prior-posterior-ratio one (Waudby-Smith and Ramdas, "Confidence sequences for sampling without
 * replacement", 2020): with a uniform prior the ratio prior/posterior at the true share is a non-negative martingale that begins
 * at 1, so by Ville's inequality it ever reaches 1/alpha with a probability of at most alpha. The interval is where it has not:
 * where the density of Beta(1 + errors, 1 + users - errors) is at least alpha.
 */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Distinct users, and those of them with at least one error. */
export interface UserCount {
  readonly users: number;
  readonly inErrors: number;
}

const bisections = 40;

/** The interval after so many users; `alpha` is 1 - confidence. Whatever makes no sense says nothing: 0 to 1. */
export function confidenceInterval({ users, inErrors }: UserCount, alpha: number): Interval {
  const isSound =
    Number.isFinite(users) && Number.isFinite(inErrors) && users > 0 && inErrors >= 0 && inErrors <= users;
  if (!isSound || !(alpha > 0 && alpha < 1)) return { low: 0, high: 1 };
  const scale = logGamma(users + 2) - logGamma(inErrors + 1) - logGamma(users - inErrors + 1);
  const isInside = (share: number): boolean => {
    const errors = inErrors === 0 ? 0 : inErrors * Math.log(share);
    const rest = users === inErrors ? 0 : (users - inErrors) * Math.log1p(-share);
    return scale + errors + rest >= Math.log(alpha);
  };
  const peak = inErrors / users;
  return { low: edge(0, peak, isInside), high: edge(1, peak, isInside) };
}

/** Between a point outside (or at the end of the scale) and one inside. */
function edge(outside: number, inside: number, isInside: (share: number) => boolean): number {
  if (outside === inside || isInside(outside)) return outside;
  let [out, within] = [outside, inside];
  for (let step = 0; step < bisections; step++) {
    const middle = (out + within) / 2;
    if (isInside(middle)) within = middle;
    else out = middle;
  }
  return out;
}

/** Lanczos' approximation, g = 7, nine terms: relative error below 1e-13 for positive arguments. */
function logGamma(value: number): number {
  const shifted = value - 1;
  let sum = lanczos[0]!;
  for (let index = 1; index < lanczos.length; index++) sum += lanczos[index]! / (shifted + index);
  const base = shifted + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(base) - base + Math.log(sum);
}

const lanczos = [
  0.999_999_999_999_809_93, 676.520_368_121_885_1, -1259.139_216_722_402_8, 771.323_428_777_653_13,
  -176.615_029_162_140_6, 12.507_343_278_686_905, -0.138_571_095_265_720_12, 9.984_369_578_019_571_6e-6,
  1.505_632_735_149_311_6e-7,
];

export type Verdict = "Pass" | "Fail" | "NotEnoughData" | "BothSidesFail";

export interface JudgedSide extends UserCount, Interval {}

export interface Judgement {
  readonly verdict: Verdict;
  /** A sentence with the numbers. */
  readonly message: string;
  readonly users: JudgedSide;
  readonly control: JudgedSide;
  /** When copies were judged. */
  readonly mirrored?: MirrorStatus;
}

export interface Evidence {
  readonly chosen: UserCount;
  readonly others: UserCount;
  /** 0 to 1. */
  readonly limit: number;
  /** 0 to 1. */
  readonly confidence: number;
  readonly minUsers: number;
  /** Nodes whose numbers are missing or old. */
  readonly missing: readonly string[];
}

/** Copied requests, which judge a step that no user has. */
export interface CopyEvidence extends Omit<Evidence, "minUsers"> {
  readonly mirrored: MirrorCount;
  readonly minRequests: number;
}

/**
 * The same for copies of requests: what the new version answered to them, against what the stable one answered to the very same
 * ones. Copies that were dropped are on neither side.
 */
export function judgeCopies(evidence: CopyEvidence): Judgement {
  const { mirrored, limit, confidence, chosen, others } = evidence;
  const sideOf = ({ requests, inErrors }: RequestCount): JudgedSide =>
    judged({ users: requests, inErrors }, confidence);
  const [copies, originals] = [sideOf(mirrored.copies), sideOf(mirrored.originals)];
  const { verdict, why } = decide(copies, originals, evidence, evidence.minRequests, {
    control: `so do ${originals.inErrors} of the same ${originals.users} requests in the stable version`,
    minimum: `${evidence.minRequests} copies are the minimum`,
  });
  const message =
    `${copies.inErrors} of ${copies.users} copied requests end in errors in the new version ` +
    `(${interval(copies, confidence)}; limit ${percent(limit)})${why}`;
  const statusOf = ({ users: requests, ...rest }: JudgedSide): RequestsStatus => ({ requests, ...rest });
  return {
    verdict,
    message,
    users: judged(chosen, confidence),
    control: judged(others, confidence),
    mirrored: { copies: statusOf(copies), originals: statusOf(originals), dropped: mirrored.dropped },
  };
}

function judged(count: UserCount, confidence: number): JudgedSide {
  return { ...count, ...confidenceInterval(count, 1 - confidence) };
}

function interval({ low, high }: Interval, confidence: number): string {
  return `${percent(low)} to ${percent(high)} of all, at ${percent(confidence)} confidence`;
}

function decide(
  side: JudgedSide,
  control: JudgedSide,
  { limit, missing }: Pick<Evidence, "limit" | "missing">,
  minimum: number,
  words: { readonly control: string; readonly minimum: string },
): { readonly verdict: Verdict; readonly why: string } {
  if (side.low > limit) {
    const controlFails = control.users > 0 && control.inErrors / control.users > limit;
    if (!controlFails || side.low > control.high) return { verdict: "Fail", why: "" };
    return { verdict: "BothSidesFail", why: `; ${words.control}` };
  }
  if (missing.length > 0)
    return { verdict: "NotEnoughData", why: `; no numbers from ${missing.slice(0, 5).join(", ")}` };
  if (side.users < minimum) return { verdict: "NotEnoughData", why: `; ${words.minimum}` };
  return { verdict: side.high < limit ? "Pass" : "NotEnoughData", why: "" };
}

/**
 * Three values, and a fourth when both sides fail alike. A failure needs no minimum of users: the interval knows how little it
 * knows. A pass needs all sources and the minimum.
 */
export function judge(evidence: Evidence): Judgement {
  const { limit, confidence, minUsers } = evidence;
  const [users, control] = [judged(evidence.chosen, confidence), judged(evidence.others, confidence)];
  const { verdict, why } = decide(users, control, evidence, minUsers, {
    control: `so do ${control.inErrors} of ${control.users} users of the stable version`,
    minimum: `${minUsers} users are the minimum`,
  });
  const message =
    `${users.inErrors} of ${users.users} users of the new version see errors ` +
    `(${interval(users, confidence)}; limit ${percent(limit)})${why}`;
  return { verdict, message, users, control };
}

export function percent(share: number): string {
  return `${Number((share * 100).toFixed(2))}%`;
}
