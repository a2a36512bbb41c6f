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

/** For the log. `isPassing`: another attempt may do better. */
type Failed = { readonly ok: false; readonly problem: string; readonly isPassing: boolean };

export type RemoteReply = { readonly ok: true; readonly body: Record<string, unknown> } | Failed;

export type RemoteText = { readonly ok: true; readonly text: string } | Failed;

export interface TextQuestion {
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** A longer answer is none. */
  readonly bytesMax: number;
}

/** Where an https URL leads. `ca`: PEM of the CA that signed its certificate; undefined: those of the system. */
export function destinationOf(url: URL, ca: string | undefined): Destination {
  return {
    scheme: "https",
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? 443 : Number(url.port),
    ...(ca !== undefined && { ca }),
  };
}

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
    return this.#bounded(() => this.#once(destination, request, timeoutMs, readAnswer));
  }

  /** Reads a text. Never rejects; redirections are not followed. */
  getText(destination: Destination, path: string, question: TextQuestion): Promise<RemoteText> {
    const { headers, timeoutMs, bytesMax } = question;
    const request = { method: "GET", target: path, headers, body: new Uint8Array(0) };
    return this.#bounded(() => this.#once(destination, request, timeoutMs, (answer) => readText(answer, bytesMax)));
  }

  /** Posts a JSON document, again when that may help, within `timeoutMs` for each attempt. Never rejects. */
  post(endpoint: RemoteEndpoint, document: unknown, timeoutMs: number): Promise<RemoteReply> {
    const { destination, path, bearerToken } = endpoint;
    const headers: Record<string, string> = { accept: "application/json", "content-type": "application/json" };
    if (bearerToken !== undefined) headers["authorization"] = `Bearer ${bearerToken}`;
    const request = { method: "POST", target: path, headers, body: encodeJson(document) };
    return this.#bounded(async () => {
      for (let attempt = 1; ; attempt += 1) {
        const reply = await this.#once(destination, request, timeoutMs, readAnswer);
        if (reply.ok || !reply.isPassing || remoteAttemptsMax <= attempt) return reply;
        await this.#parts.timers.sleep(remoteRetryMs * 3 ** (attempt - 1));
      }
    });
  }

  async #bounded<Reply>(ask: () => Promise<Reply>): Promise<Reply | Failed> {
    if (remoteInFlightMax <= this.#inFlight) return failed("too many questions wait for an answer", false);
    this.#inFlight += 1;
    try {
      return await ask();
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #once<Reply>(
    destination: Destination,
    request: HttpRequest,
    timeoutMs: number,
    read: (response: HttpResponse) => Promise<Reply>,
  ): Promise<Reply | Failed> {
    const { dial, timers } = this.#parts;
    if (dial === undefined) return failed("this server has no way to other servers", false);
    const abort = new AbortController();
    const answered = dial(destination, { ...request, signal: abort.signal }).then(read, (error: unknown) =>
      failed(error instanceof Error ? error.message : String(error), true),
    );
    const late = new Promise<Failed>((resolve) => {
      const timer = timers.after(timeoutMs, () => {
        abort.abort();
        resolve(failed(`no answer within ${timeoutMs} ms`, true));
      });
      void answered.finally(() => timer.cancel());
    });
    return await Promise.race([answered, late]);
  }
}

function failed(problem: string, isPassing: boolean): Failed {
  return { ok: false, problem, isPassing };
}

type Read = { readonly ok: true; readonly body: Uint8Array } | Failed;

async function readAll(response: HttpResponse, bytesMax: number): Promise<Read> {
  const body = await readWhole(response, bytesMax);
  const { status } = response;
  // What it says in its refusal is its own business: errors never carry a body on.
  if (status < 200 || 300 <= status) return failed(`it answered ${status}`, status === 429 || 500 <= status);
  return body === undefined ? failed("its answer is broken or too long", false) : { ok: true, body };
}

async function readText(response: HttpResponse, bytesMax: number): Promise<RemoteText> {
  const read = await readAll(response, bytesMax);
  return read.ok ? { ok: true, text: new TextDecoder().decode(read.body) } : read;
}

async function readAnswer(response: HttpResponse): Promise<RemoteReply> {
  const read = await readAll(response, remoteAnswerBytesMax);
  if (!read.ok) return read;
  const parsed = read.body.length === 0 ? undefined : parseJson(read.body);
  if (parsed?.ok === false) return failed("its answer is not JSON", false);
  const value = parsed?.value ?? {};
  return isRecord(value) ? { ok: true, body: value } : failed("its answer is no object", false);
}
