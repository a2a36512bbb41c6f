import type { Counter, Histogram, Metrics } from "#telemetry/metrics.ts";
import type { Clock } from "#world/clock.ts";
import type { Operation } from "../../admission.ts";

/** Upstream's ends of buckets, in seconds: a webhook is waited for 30 at most. */
const webhookBuckets: readonly number[] = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 25];
/** Codes of webhooks beyond this are told as this one: a broken webhook must not make a series for each number. */
const codeMax = 600;
/** The code of a webhook that could not be asked, or whose answer says nothing, as upstream tells it. */
const unavailable = 503;

/** Who was asked: names come from configurations of administrators. */
interface Told {
  readonly webhook: { readonly name: string };
  readonly isMutating: boolean;
  readonly operation: Operation;
}

export type RejectionError = "calling_webhook_error" | "apiserver_internal_error" | "no_error";

/** What admission webhooks were asked and answered, under upstream's names. */
export class WebhookMeasures {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #durations: Histogram;
  readonly #requests: Counter;
  readonly #rejections: Counter;
  readonly #failedOpen: Counter;

  constructor(metrics: Metrics, clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
    const prefix = "apiserver_admission_webhook_";
    const about = ["name", "type", "operation"];
    this.#durations = metrics.histogram(
      `${prefix}admission_duration_seconds`,
      "Admission webhook latency histogram in seconds, identified by name, operation and type (validating or admit).",
      [...about, "rejected"],
      webhookBuckets,
    );
    this.#requests = metrics.counter(
      `${prefix}request_total`,
      "Admission webhook request total, identified by name, type, operation, HTTP status code and whether it was rejected.",
      [...about, "code", "rejected"],
    );
    this.#rejections = metrics.counter(
      `${prefix}rejection_count`,
      "Admission webhook rejection count, identified by name, type, operation, error type and rejection code.",
      [...about, "error_type", "rejection_code"],
    );
    this.#failedOpen = metrics.counter(
      `${prefix}fail_open_count`,
      "Admission webhook fail open count, identified by name and type (validating or admit).",
      ["name", "type"],
    );
  }

  now(): number {
    return this.#clock.monotonic();
  }

  /** A webhook answered with `code`, or gave no answer that counts (undefined). */
  asked(told: Told, code: number | undefined, isRejected: boolean, sinceMs: number): void {
    const labels = labelsOf(told);
    const rejected = String(isRejected);
    this.#durations.observe([...labels, rejected], (this.now() - sinceMs) / 1000);
    this.#requests.add([...labels, codeText(code ?? unavailable), rejected]);
  }

  /** `code`: of the webhook's answer; undefined when there is none that counts. */
  rejected(told: Told, error: RejectionError, code: number | undefined): void {
    this.#rejections.add([
      ...labelsOf(told),
      error,
      codeText(code ?? (error === "apiserver_internal_error" ? 0 : unavailable)),
    ]);
  }

  /** A webhook failed, and the request went on without it. */
  failedOpen({ webhook, isMutating }: Told): void {
    this.#failedOpen.add([webhook.name, typeText(isMutating)]);
  }
}

function labelsOf({ webhook, isMutating, operation }: Told): string[] {
  return [webhook.name, typeText(isMutating), operation];
}

function typeText(isMutating: boolean): string {
  return isMutating ? "admit" : "validating";
}

function codeText(code: number): string {
  return String(Math.min(code, codeMax));
}
