import type { CanaryCheck } from "#api/delivery/canary.ts";
import type { WebhookClientConfig } from "#api/generated/admissionregistration-v1.ts";
import type { Client } from "#client/client.ts";
import { parseJson } from "#codec/json.ts";
import type { Clock, Timer, Timers } from "#world/clock.ts";
import { checkAnswerSeconds, checksAskedMax } from "../limits.ts";
import { readQueryAnswer, readWebhookAnswer, type CheckResult } from "./checks.ts";
import { runOf } from "./effects.ts";
import type { CanaryView } from "./observed.ts";
import { settingsOf, type Check } from "./settings.ts";

/** Posts a document to a webhook under the server's rules for what may be dialled. Never rejects. */
export type AskWebhook = (
  config: WebhookClientConfig,
  document: Record<string, unknown>,
  timeoutSeconds: number,
) => Promise<{ readonly ok: true; readonly body: Uint8Array } | { readonly ok: false; readonly problem: string }>;

export interface CheckSourceOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Absent: webhooks are never asked, which is not enough data. */
  readonly askWebhook?: AskWebhook | undefined;
  readonly canaryOf: (key: string) => CanaryView | undefined;
  /** A source has said something about the Canary of this key. */
  readonly onSaid: (key: string) => void;
}

const historyQuery = "/apis/observability.steersman.dev/v1/histories/prometheus/proxy/api/v1/query";

/**
 * Asks what else Canaries are judged by, while one of their steps runs. Like the nodes' counters this is a source of numbers and no
 * state: after a crash nothing has been said, which is not enough data.
 */
export class CheckSource {
  readonly #options: CheckSourceOptions;
  /** By key of the Canary and name of the check. */
  readonly #results = new Map<string, Map<string, CheckResult>>();
  readonly #turns = new Map<string, Timer>();
  #asked = 0;
  #isStopped = false;

  constructor(options: CheckSourceOptions) {
    this.#options = options;
  }

  resultsOf(key: string): readonly CheckResult[] {
    return [...(this.#results.get(key)?.values() ?? [])];
  }

  /** The Canary has changed: its checks are asked from now on, or no longer. */
  look(key: string): void {
    const checks = this.#wanted(key);
    if (checks.length === 0) this.#results.delete(key);
    for (const { name } of checks) if (!this.#turns.has(turnOf(key, name))) this.#schedule(key, name, 0);
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#turns.values()) timer.cancel();
    this.#turns.clear();
  }

  /** The checks that are to be asked now: those of a step that runs. */
  #wanted(key: string): readonly Check[] {
    const view = this.#options.canaryOf(key);
    const phase = view?.canary.status?.phase;
    if (view === undefined || view.deletionMs !== undefined || (phase !== "Step" && phase !== "Paused")) return [];
    const settings = settingsOf(view.canary.spec);
    return typeof settings === "string" ? [] : settings.checks;
  }

  #schedule(key: string, name: string, delayMs: number): void {
    if (this.#isStopped) return;
    const turn = turnOf(key, name);
    this.#turns.set(
      turn,
      this.#options.timers.after(delayMs, () => {
        void this.#turn(key, name);
      }),
    );
  }

  async #turn(key: string, name: string): Promise<void> {
    const check = this.#wanted(key).find((one) => one.name === name);
    const view = this.#options.canaryOf(key);
    if (check === undefined || view === undefined || this.#isStopped) {
      this.#turns.delete(turnOf(key, name));
      return;
    }
    const run = runOf({ view }, view.canary.status ?? {}) ?? "";
    if (this.#asked < checksAskedMax) {
      this.#asked += 1;
      const said = await this.#ask(view, check).catch(() => ({
        verdict: "NotEnoughData" as const,
        message: "the source gave no answer",
      }));
      this.#asked -= 1;
      const results = this.#results.get(key) ?? new Map<string, CheckResult>();
      this.#results.set(key, results.set(name, { ...said, name, run, atMs: this.#options.clock.now() }));
      if (!this.#isStopped) this.#options.onSaid(key);
    }
    this.#schedule(key, name, check.everyMs);
  }

  async #ask(view: CanaryView, { name, promQL, webhook }: Check): Promise<Pick<CheckResult, "verdict" | "message">> {
    if (promQL !== undefined) return this.#askHistory(view, promQL);
    if (webhook === undefined) return { verdict: "NotEnoughData", message: "there is nobody to ask" };
    const { askWebhook } = this.#options;
    if (askWebhook === undefined) return { verdict: "NotEnoughData", message: "this server asks no webhooks" };
    const { url, service, caBundle } = webhook;
    const config: WebhookClientConfig = {
      ...(url === undefined ? {} : { url }),
      // Of the Canary's own namespace only: what lies in another is not its author's to ask.
      ...(service === undefined ? {} : { service: { ...service, namespace: view.namespace } }),
      ...(caBundle === undefined ? {} : { caBundle }),
    };
    const reply = await askWebhook(config, reviewOf(view, name), checkAnswerSeconds);
    if (!reply.ok) return { verdict: "NotEnoughData", message: reply.problem.slice(0, 200) };
    const parsed = parseJson(reply.body);
    return readWebhookAnswer(parsed.ok ? parsed.value : undefined);
  }

  /** The cluster's history tells about all namespaces: a service account of the Canary's must be allowed to read it. */
  async #askHistory(
    { namespace }: CanaryView,
    { query, serviceAccount = "default", min, max }: NonNullable<CanaryCheck["promQL"]>,
  ): Promise<Pick<CheckResult, "verdict" | "message">> {
    const { client, clock, timers } = this.#options;
    const abort = new AbortController();
    const deadline = timers.after(checkAnswerSeconds * 1000, () => abort.abort());
    try {
      const { signal } = abort;
      const user = `system:serviceaccount:${namespace}:${serviceAccount}`;
      const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"];
      const asked = {
        group: "observability.steersman.dev",
        version: "v1",
        resource: "histories",
        subresource: "proxy",
      };
      const review = {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SubjectAccessReview",
        spec: { user, groups, resourceAttributes: { ...asked, name: "prometheus", verb: "get" } },
      };
      const path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
      const answer = (await client.request("POST", path, review, { signal })) as { status?: { allowed?: boolean } };
      if (answer.status?.allowed !== true)
        return {
          verdict: "NotEnoughData",
          message: `the service account ${serviceAccount} may not get histories/proxy`,
        };
      const bounds = { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
      const found = await client.request("GET", `${historyQuery}?query=${encodeURIComponent(query)}`, undefined, {
        signal,
      });
      return readQueryAnswer(found, bounds, clock.now());
    } finally {
      deadline.cancel();
    }
  }
}

function turnOf(key: string, name: string): string {
  return `${key} ${name}`;
}

function reviewOf({ namespace, name, canary }: CanaryView, check: string): Record<string, unknown> {
  const { stable, candidate, step, share, users, control } = canary.status ?? {};
  return {
    apiVersion: "delivery.steersman.dev/v1",
    kind: "CanaryReview",
    canary: { namespace, name },
    check,
    deployment: canary.spec.deployment,
    stable,
    candidate,
    step,
    share,
    users,
    control,
  };
}
