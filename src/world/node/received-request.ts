import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Headers, HttpRequest } from "../http.ts";

export const noBytes = new Uint8Array(0);

/** A request whose abort signal is made only when somebody asks for it: most requests end before anyone could abort them. */
export class ReceivedRequest implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly #answer: Duplex | ServerResponse;
  #controller: AbortController | undefined;

  /** `answer` is what the answer is written to: when it closes unfinished, the client has gone. */
  constructor(
    method: string | undefined,
    target: string | undefined,
    headers: Headers,
    body: Uint8Array,
    answer: Duplex | ServerResponse,
  ) {
    this.method = method ?? "GET";
    this.target = target ?? "/";
    this.headers = headers;
    this.body = body;
    this.#answer = answer;
  }

  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal;
    const controller = new AbortController();
    this.#controller = controller;
    const answer = this.#answer;
    if (answer.destroyed) controller.abort();
    else {
      answer.once("close", () => {
        if (!answer.writableFinished) controller.abort();
      });
    }
    return controller.signal;
  }
}
