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

/**
 * Three values, and a fourth when both sides fail alike. A failure needs no minimum of users: the interval knows how little it
 * knows. A pass needs all sources and the minimum.
 */
export function judge(evidence: Evidence): Judgement {
  const { chosen, others, limit, confidence, minUsers, missing } = evidence;
  const users = { ...chosen, ...confidenceInterval(chosen, 1 - confidence) };
  const control = { ...others, ...confidenceInterval(others, 1 - confidence) };
  const numbers =
    `${chosen.inErrors} of ${chosen.users} users of the new version see errors ` +
    `(${percent(users.low)} to ${percent(users.high)} of all, at ${percent(confidence)} confidence; limit ${percent(limit)})`;
  const answer = (verdict: Verdict, why: string): Judgement => ({
    verdict,
    message: `${numbers}${why}`,
    users,
    control,
  });
  if (users.low > limit) {
    const controlFails = others.users > 0 && others.inErrors / others.users > limit;
    if (!controlFails || users.low > control.high) return answer("Fail", "");
    return answer("BothSidesFail", `; so do ${others.inErrors} of ${others.users} users of the stable version`);
  }
  if (missing.length > 0) return answer("NotEnoughData", `; no numbers from ${missing.slice(0, 5).join(", ")}`);
  if (chosen.users < minUsers) return answer("NotEnoughData", `; ${minUsers} users are the minimum`);
  return users.high < limit ? answer("Pass", "") : answer("NotEnoughData", "");
}

export function percent(share: number): string {
  return `${Number((share * 100).toFixed(2))}%`;
}
