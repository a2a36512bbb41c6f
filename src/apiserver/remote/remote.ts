import { encodeJson, parseJson } from "#codec/json.ts";
import { isRecord } from "#codec/record.ts";
import type { Timers } from "#world/clock.ts";
import type { HttpRequest, HttpResponse } from "#world/http.ts";
import type { RemoteEndpoint } from "../configuration/kubeconfig.ts";
import { readWhole } from "../connect/read-whole.ts";
import type { Destination, NodeConnector } from "../node-connector.ts";
import { remoteAnswerBytesMax, remoteAttemptsMax, remoteInFlightMax, remoteRetryMs } from "./limits.ts";

/** The way out: what it dials was judged by the server's dial rules. */
export interface RemoteParts {
  readonly dial: NonNullable<NodeConnector["dial"]> | undefined;
  readonly timers: Pick<Timers, "after" | "sleep">;
}

export type RemoteReply =
  | { readonly ok: true; readonly body: Record<string, unknown> }
  /** For the log. `isPassing`: another attempt may do better. */
  | { readonly ok: false; readonly problem: string; readonly isPassing: boolean };

/** A server outside that the API server asks on behalf of a request: bounded in time, in bytes and in number. */
export class Remote {
  readonly #parts: RemoteParts;
  #inFlight = 0;

  constructor(parts: RemoteParts) {
    this.#parts = parts;
  }

  /** Reads a JSON document. Never rejects; redirections are not followed. */
  get(destination: Destination, path: string, timeoutMs: number): Promise<RemoteReply> {
    const request = { method: "GET", target: path, headers: { accept: "application/json" }, body: new Uint8Array(0) };
    return this.#bounded(() => this.#once(destination, request, timeoutMs));
  }

  /** Posts a JSON document, again when that may help, within `timeoutMs` for each attempt. Never rejects. */
  post(endpoint: RemoteEndpoint, document: unknown, timeoutMs: number): Promise<RemoteReply> {
    const { destination, path, bearerToken } = endpoint;
    const headers: Record<string, string> = { accept: "application/json", "content-type": "application/json" };
    if (bearerToken !== undefined) headers["authorization"] = `Bearer ${bearerToken}`;
    const request = { method: "POST", target: path, headers, body: encodeJson(document) };
    return this.#bounded(async () => {
      for (let attempt = 1; ; attempt += 1) {
        const reply = await this.#once(destination, request, timeoutMs);
        if (reply.ok || !reply.isPassing || remoteAttemptsMax <= attempt) return reply;
        await this.#parts.timers.sleep(remoteRetryMs * 3 ** (attempt - 1));
      }
    });
  }

  async #bounded(ask: () => Promise<RemoteReply>): Promise<RemoteReply> {
    if (remoteInFlightMax <= this.#inFlight) return failed("too many questions wait for an answer", false);
    this.#inFlight += 1;
    try {
      return await ask();
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #once(destination: Destination, request: HttpRequest, timeoutMs: number): Promise<RemoteReply> {
    const { dial, timers } = this.#parts;
    if (dial === undefined) return failed("this server has no way to other servers", false);
    const abort = new AbortController();
    const answered = dial(destination, { ...request, signal: abort.signal }).then(readAnswer, (error: unknown) =>
      failed(error instanceof Error ? error.message : String(error), true),
    );
    const late = new Promise<RemoteReply>((resolve) => {
      const timer = timers.after(timeoutMs, () => {
        abort.abort();
        resolve(failed(`no answer within ${timeoutMs} ms`, true));
      });
      void answered.finally(() => timer.cancel());
    });
    return await Promise.race([answered, late]);
  }
}

function failed(problem: string, isPassing: boolean): RemoteReply {
  return { ok: false, problem, isPassing };
}

async function readAnswer(response: HttpResponse): Promise<RemoteReply> {
  const body = await readWhole(response, remoteAnswerBytesMax);
  const { status } = response;
  // What it says in its refusal is its own business: errors never carry a body on.
  if (status < 200 || 300 <= status) return failed(`it answered ${status}`, status === 429 || 500 <= status);
  if (body === undefined) return failed("its answer is broken or too long", false);
  const parsed = body.length === 0 ? undefined : parseJson(body);
  if (parsed?.ok === false) return failed("its answer is not JSON", false);
  const value = parsed?.value ?? {};
  return isRecord(value) ? { ok: true, body: value } : failed("its answer is no object", false);
}
