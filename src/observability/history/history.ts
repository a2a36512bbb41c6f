import { readText } from "#client/body.ts";
import type { Clock, Timers } from "#world/clock.ts";
import type { Transport } from "#world/http.ts";
import { historyAnswerMs } from "../limits.ts";

/** One series of an instant query. */
export interface Point {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

/** The history did not answer, or answered that it cannot. The message is for people. */
export class HistoryError extends Error {
  override readonly name = "HistoryError";
}

/** An answer as it came, read whole. */
export interface HistoryAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/** Prometheus, asked over its own HTTP API. */
export interface History {
  /** An instant query. Rejects with `HistoryError`. Values that are no numbers are left out. */
  query(expression: string): Promise<readonly Point[]>;
  /** A request as it is; rejects with `HistoryError`. */
  send(method: string, target: string, body: Uint8Array, contentType: string): Promise<HistoryAnswer>;
}

export interface HistoryOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly timers: Timers;
}

export function createHistory({ transport, timers }: HistoryOptions): History {
  const send: History["send"] = async (method, target, body, contentType) => {
    const controller = new AbortController();
    const deadline = timers.after(historyAnswerMs, () =>
      controller.abort(new HistoryError("the history gave no answer in time")),
    );
    const headers = contentType === "" ? {} : { "content-type": contentType };
    try {
      const response = await transport.send({ method, target, headers, body, signal: controller.signal });
      const type = response.headers["content-type"] ?? "text/plain";
      return { status: response.status, contentType: type, text: await readText(response.body) };
    } catch (error) {
      throw error instanceof HistoryError ? error : new HistoryError("the history of metrics does not answer");
    } finally {
      deadline.cancel();
    }
  };
  return {
    send,
    query: async (expression) => {
      const target = `/api/v1/query?${new URLSearchParams({ query: expression }).toString()}`;
      const response = await send("GET", target, new Uint8Array(0), "");
      return readPoints(response.status, response.text);
    },
  };
}

interface Answer {
  readonly status?: string;
  readonly error?: string;
  readonly data?: {
    readonly result?: readonly {
      readonly metric?: Record<string, string>;
      readonly value?: readonly [number, string];
    }[];
  };
}

function readPoints(status: number, text: string): readonly Point[] {
  let answer: Answer;
  try {
    answer = JSON.parse(text) as Answer;
  } catch {
    throw new HistoryError(`the history answered ${status}`);
  }
  if (answer.status !== "success") throw new HistoryError(answer.error ?? `the history answered ${status}`);
  return (answer.data?.result ?? []).flatMap(({ metric = {}, value }) => {
    const number = Number(value?.[1]);
    return value === undefined || !Number.isFinite(number)
      ? []
      : [{ labels: metric, value: number, atMs: value[0] * 1000 }];
  });
}
