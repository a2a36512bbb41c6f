import type { Family } from "#telemetry/metrics.ts";

/** What is followed while the server runs. */
export type FollowedPart = "authentication" | "authorization" | "encryption" | "audit_policy" | "audit_webhook";

interface Counts {
  success: number;
  failure: number;
  /** Milliseconds since 1970; 0: never. */
  lastSuccess: number;
  lastFailure: number;
}

const followedParts: readonly FollowedPart[] = [
  "authentication",
  "authorization",
  "encryption",
  "audit_policy",
  "audit_webhook",
];

/** Counts how often changed settings were followed, and how often they could not be. */
export class Reloads {
  readonly #counts = new Map<FollowedPart, Counts>(
    followedParts.map((part) => [part, { success: 0, failure: 0, lastSuccess: 0, lastFailure: 0 }]),
  );

  note(part: FollowedPart, isFollowed: boolean, nowMs: number): void {
    const counts = this.#counts.get(part);
    if (counts === undefined) return;
    if (isFollowed) {
      counts.success += 1;
      counts.lastSuccess = nowMs;
    } else {
      counts.failure += 1;
      counts.lastFailure = nowMs;
    }
  }

  /** Under upstream's names where it has one; it follows no audit settings. */
  families(): Family[] {
    return [...this.#counts].flatMap(([part, { success, failure, lastSuccess, lastFailure }]): Family[] => {
      const name = part.startsWith("audit_") ? `steersman_${part}` : `apiserver_${part}_config_controller`;
      const samples = (ofSuccess: number, ofFailure: number): Family["samples"] => [
        { labels: { status: "success" }, value: ofSuccess },
        { labels: { status: "failure" }, value: ofFailure },
      ];
      return [
        {
          name: `${name}_automatic_reloads_total`,
          type: "counter",
          help: `Total number of automatic reloads of ${part.replace("_", " ")} configuration split by status.`,
          samples: samples(success, failure),
        },
        {
          name: `${name}_automatic_reload_last_timestamp_seconds`,
          type: "gauge",
          help: `Timestamp of the last automatic reload of ${part.replace("_", " ")} configuration split by status.`,
          samples: samples(lastSuccess / 1000, lastFailure / 1000),
        },
      ];
    });
  }
}
