import type { CheckStatus } from "#api/delivery/canary.ts";
import { checkAnswerSeconds, checkMessageMax, checkSkewMs } from "../limits.ts";
import type { Check } from "./settings.ts";

/** What the source of a check said, and about which count of which step. */
export interface CheckResult extends CheckStatus {
  /** Names the counters of the step that ran when it was asked. */
  readonly run: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

export interface ChecksJudgement {
  readonly verdict: CheckStatus["verdict"];
  /** A sentence; empty when there are no checks. */
  readonly message: string;
  readonly results: readonly CheckStatus[];
}

/**
 * All checks together: one that fails is enough to fail, and all must pass. What was said in another step, or longer ago than
 * two questions, is nothing.
 */
export function judgeChecks(
  checks: readonly Check[],
  results: readonly CheckResult[],
  run: string | undefined,
  now: number,
): ChecksJudgement {
  const said = checks.map(({ name, everyMs }): CheckStatus => {
    const result = results.find((one) => one.name === name);
    const age = now - (result?.atMs ?? 0);
    const isFresh = age <= 2 * everyMs + checkAnswerSeconds * 1000 && age >= -checkSkewMs;
    if (result === undefined || result.run !== run || !isFresh)
      return { name, verdict: "NotEnoughData", message: "has not answered" };
    return { name, verdict: result.verdict, message: result.message };
  });
  const decisive =
    said.find(({ verdict }) => verdict === "Fail") ??
    said.find(({ verdict }) => verdict === "NotEnoughData") ??
    said[0];
  if (decisive === undefined) return { verdict: "Pass", message: "", results: [] };
  return { verdict: decisive.verdict, message: `check ${decisive.name}: ${decisive.message}`, results: said };
}

type Said = Pick<CheckStatus, "verdict" | "message">;

function unknown(why: string): Said {
  return { verdict: "NotEnoughData", message: printable(why) };
}

/** What Prometheus' answer to an instant query says of the bounds. Whatever is not plainly numbers of now is not enough data. */
export function readQueryAnswer(answer: unknown, bounds: { min?: number; max?: number }, now: number): Said {
  const { status, data } = fields(answer);
  const { resultType, result } = fields(data);
  if (status !== "success" || !Array.isArray(result)) return unknown("Prometheus gave no result");
  const samples: unknown[] =
    resultType === "scalar" ? [result] : resultType === "vector" ? result.map((one) => fields(one)["value"]) : [];
  if (samples.length === 0) return unknown("the query has no values");
  for (const sample of samples) {
    const [seconds, text] = Array.isArray(sample) ? (sample as unknown[]) : [];
    const value = typeof text === "string" && text !== "" ? Number(text) : Number.NaN;
    if (!Number.isFinite(value)) return unknown("a value is no number");
    if (typeof seconds !== "number" || Math.abs(now - seconds * 1000) > checkSkewMs)
      return unknown("a value is not of now");
    const { min, max } = bounds;
    if (max !== undefined && value > max) return { verdict: "Fail", message: `${value} is above ${max}` };
    if (min !== undefined && value < min) return { verdict: "Fail", message: `${value} is below ${min}` };
  }
  return { verdict: "Pass", message: `${samples.length} values lie within the bounds` };
}

const verdicts: Readonly<Record<string, CheckStatus["verdict"]>> = {
  pass: "Pass",
  fail: "Fail",
  notEnoughData: "NotEnoughData",
};

/** What a webhook's answer says. Whatever is not plainly a verdict is not enough data. */
export function readWebhookAnswer(answer: unknown): Said {
  const { verdict, message } = fields(answer);
  const read = typeof verdict === "string" && Object.hasOwn(verdicts, verdict) ? verdicts[verdict] : undefined;
  if (read === undefined) return unknown("the webhook answered no verdict");
  return {
    verdict: read,
    message: printable(typeof message === "string" && message !== "" ? message : `says ${read}`),
  };
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function printable(text: string): string {
  return text.replaceAll(/[^ -~]/g, "?").slice(0, checkMessageMax);
}
