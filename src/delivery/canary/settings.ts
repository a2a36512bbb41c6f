import type { CanaryCheck, CanarySpec, CanaryStep } from "#api/delivery/canary.ts";
import { bucketsTotal } from "#api/delivery/traffic-split.ts";
import { checkEveryMs, checkEveryMsMin } from "../limits.ts";

export interface Step {
  /** Buckets of users, of 10,000. */
  readonly threshold: number;
  readonly shareText: string;
  /** Requests are copied, of 10,000, and no user is sent. */
  readonly mirror?: { readonly threshold: number; readonly text: string; readonly methods?: readonly string[] };
  readonly forMs: number;
  readonly minUsers: number;
  readonly minRequests: number;
  readonly approval: boolean;
  readonly replicas: number | undefined;
}

/** One more source of numbers, read. */
export interface Check extends Pick<CanaryCheck, "promQL" | "webhook"> {
  readonly name: string;
  readonly everyMs: number;
}

/** A Canary's spec, read. */
export interface Settings {
  /** The last one has everybody. */
  readonly steps: readonly Step[];
  /** 0 to 1. */
  readonly limit: number;
  /** Of copied requests; 0 to 1. */
  readonly requestsLimit: number;
  readonly confidence: number;
  readonly checks: readonly Check[];
  readonly then: "wait" | "extend" | "fail";
  readonly afterMs: number;
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const hourMs = 3_600_000;
const limitDefault = "10%";
const confidenceDefault = "95%";

/** What a Canary's spec says; a text when it cannot be followed. */
export function settingsOf(spec: CanarySpec): Settings | string {
  const steps: Step[] = [];
  for (const [index, wanted] of spec.steps.entries()) {
    const step = stepOf(wanted, `spec.steps[${index}]`, steps.at(-1)?.threshold ?? 0);
    if (typeof step === "string") return step;
    steps.push(step);
  }
  const nothing = { forMs: 0, minUsers: 0, minRequests: 0, approval: false };
  const everybody = { threshold: bucketsTotal, shareText: "100%", ...nothing };
  if ((steps.at(-1)?.threshold ?? 0) < bucketsTotal) steps.push({ ...everybody, replicas: undefined });
  const limit = partOf(spec.rollback?.usersInErrors ?? limitDefault);
  const confidence = partOf(spec.rollback?.confidence ?? confidenceDefault);
  if (limit === undefined || limit >= 1) return "spec.rollback.usersInErrors must be 0% to 99.99%";
  if (confidence === undefined || confidence < 0.5 || confidence >= 1)
    return "spec.rollback.confidence must be 50% to 99.99%";
  const requestsLimit = partOf(spec.rollback?.requestsInErrors ?? spec.rollback?.usersInErrors ?? limitDefault);
  if (requestsLimit === undefined || requestsLimit >= 1) return "spec.rollback.requestsInErrors must be 0% to 99.99%";
  const afterMs = millisecondsOf(spec.notEnoughData?.after ?? "1h") ?? hourMs;
  const checks = checksOf(spec.checks ?? []);
  if (typeof checks === "string") return checks;
  return { steps, limit, requestsLimit, confidence, checks, then: spec.notEnoughData?.then ?? "wait", afterMs };
}

function stepOf(wanted: CanaryStep, at: string, thresholdBefore: number): Step | string {
  const { share, mirror, methods, for: duration, minUsers = 0, minRequests = 0, approval = false, replicas } = wanted;
  const forMs = duration === undefined ? 0 : millisecondsOf(duration);
  if (forMs === undefined) return `${at}.for must be a duration like 5m`;
  if ((share === undefined) === (mirror === undefined)) return `${at} must have one of share and mirror`;
  const shareText = share ?? "0%";
  const part = partOf(shareText);
  if (part === undefined) return `${at}.share must be 0% to 100%, as fine as 0.01%`;
  const threshold = Math.round(part * bucketsTotal);
  const step = { threshold, shareText, forMs, minUsers, minRequests, approval, replicas };
  if (mirror === undefined) {
    if (methods !== undefined || minRequests > 0) return `${at}: methods and minRequests are of steps that mirror`;
    return threshold < thresholdBefore ? `${at}.share is below the one before: users would fall back` : step;
  }
  const copied = partOf(mirror);
  if (copied === undefined || copied === 0) return `${at}.mirror must be above 0%, at most 100%`;
  if (thresholdBefore > 0) return `${at}.mirror comes after users have the new version already`;
  if (minUsers > 0) return `${at}.minUsers: a step that mirrors has no users; minRequests is the minimum of copies`;
  const what = { threshold: Math.round(copied * bucketsTotal), text: mirror };
  return { ...step, mirror: methods === undefined ? what : { ...what, methods } };
}

function checksOf(wanted: readonly CanaryCheck[]): Check[] | string {
  const checks: Check[] = [];
  for (const [index, { name, every, promQL, webhook }] of wanted.entries()) {
    const at = `spec.checks[${index}]`;
    const everyMs = every === undefined ? checkEveryMs : millisecondsOf(every);
    if (everyMs === undefined || everyMs < checkEveryMsMin) return `${at}.every must be a duration of at least 1s`;
    if (checks.some((other) => other.name === name)) return `${at}.name is that of another check`;
    if ((promQL === undefined) === (webhook === undefined)) return `${at} must have one of promQL and webhook`;
    if (promQL !== undefined && promQL.min === undefined && promQL.max === undefined)
      return `${at}.promQL must have a min or a max`;
    if (webhook !== undefined && (webhook.url === undefined) === (webhook.service === undefined))
      return `${at}.webhook must have one of url and service`;
    checks.push({
      name,
      everyMs,
      ...(promQL === undefined ? {} : { promQL }),
      ...(webhook === undefined ? {} : { webhook }),
    });
  }
  return checks;
}

/** `2%` as 0.02; undefined when it is no share. */
export function partOf(text: string): number | undefined {
  const match = /^([0-9]{1,3}(?:\.[0-9]{1,2})?)%$/.exec(text);
  const value = match === null ? Number.NaN : Number(match[1]) / 100;
  return value >= 0 && value <= 1 ? value : undefined;
}

/** `1m30s` in milliseconds; undefined when it is no duration. */
export function millisecondsOf(text: string): number | undefined {
  if (!/^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)/g)) {
    total += Number(number) * unitMs[unit ?? "s"]!;
  }
  return Number.isSafeInteger(Math.round(total)) ? Math.round(total) : undefined;
}

/** Pods that the new version has at a step. */
export function podsAt(step: Step, replicas: number): number {
  if (step.threshold === bucketsTotal) return replicas;
  return step.replicas ?? Math.max(1, Math.ceil((step.threshold * replicas) / bucketsTotal));
}
