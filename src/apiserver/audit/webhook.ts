import type { Timer, Timers } from "#world/clock.ts";
import type { RemoteEndpoint } from "../configuration/kubeconfig.ts";
import type { Remote } from "../remote/remote.ts";
import {
  webhookAttemptsMax,
  webhookBacklogBytesMax,
  webhookBacklogMax,
  webhookBatchMax,
  webhookBatchWaitMs,
  webhookPauseFirstMs,
  webhookPauseMaxMs,
  webhookTimeoutMs,
} from "./limits.ts";

/**
 * Gives entries to a server outside, as lists of events (Kubernetes: "Webhook backend"), one list at a time and in order. It never
 * holds up a request: what does not fit, or cannot be given away, is lost and counted.
 */
export class AuditWebhook {
  /** Who gets the entries from now on, those that wait among them; undefined: nobody. */
  endpoint: RemoteEndpoint | undefined;
  readonly #remote: Remote;
  readonly #timers: Pick<Timers, "after" | "sleep">;
  readonly #log: (message: string, error: unknown) => void;
  #waiting: string[] = [];
  #bytes = 0;
  #timer: Timer | undefined;
  #sending: Promise<void> | undefined;
  #isClosing = false;
  /** Entries that never arrived. */
  lost = 0;

  constructor(
    endpoint: RemoteEndpoint | undefined,
    parts: {
      readonly remote: Remote;
      readonly timers: Pick<Timers, "after" | "sleep">;
      readonly log: (message: string, error: unknown) => void;
    },
  ) {
    this.endpoint = endpoint;
    this.#remote = parts.remote;
    this.#timers = parts.timers;
    this.#log = parts.log;
  }

  note(line: string): void {
    if (this.endpoint === undefined) return;
    if (webhookBacklogMax <= this.#waiting.length || webhookBacklogBytesMax < this.#bytes) {
      this.lost += 1;
      return;
    }
    this.#waiting.push(line);
    this.#bytes += line.length;
    if (webhookBatchMax <= this.#waiting.length) this.#start();
    else this.#timer ??= this.#timers.after(webhookBatchWaitMs, () => this.#start());
  }

  #start(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, webhookBatchMax);
      this.#bytes -= batch.reduce((sum, line) => sum + line.length, 0);
      if (await this.#send(batch)) continue;
      this.lost += batch.length;
      this.#log(`audit entries for ${this.endpoint?.url ?? "a webhook that was taken away"} were lost`, batch.length);
    }
  }

  async #send(batch: readonly string[]): Promise<boolean> {
    const items = batch.map((line): unknown => JSON.parse(line));
    const list = { kind: "EventList", apiVersion: "audit.k8s.io/v1", metadata: {}, items };
    let pauseMs = webhookPauseFirstMs;
    for (let attempt = 1; attempt <= webhookAttemptsMax; attempt += 1) {
      const { endpoint } = this;
      if (endpoint === undefined) return false;
      const reply = await this.#remote.post(endpoint, list, webhookTimeoutMs);
      if (reply.ok) return true;
      if (!reply.isPassing || this.#isClosing) return false;
      if (attempt === 1) this.#log(`the audit webhook ${endpoint.url} takes no entries`, reply.problem);
      await this.#timers.sleep(pauseMs);
      pauseMs = Math.min(pauseMs * 2, webhookPauseMaxMs);
    }
    return false;
  }

  /** Tries once more to give away what waits. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#sending;
    this.#start();
    await this.#sending;
  }
}
