import { failure, type VirtualAnswer } from "#api/virtual-group.ts";
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

/** One series of a query over a range: its values, oldest first. */
export interface Line {
  readonly labels: Readonly<Record<string, string>>;
  readonly values: readonly number[];
}

/** The history did not answer, or answered that it cannot. The message is for people. */
export class HistoryError extends Error {
  override readonly name = "HistoryError";
}

/** What a provider answers; when the history cannot tell, 503 with the reason. */
export async function answerFromHistory(answer: () => Promise<VirtualAnswer>): Promise<VirtualAnswer> {
  try {
    return await answer();
  } catch (error) {
    if (error instanceof HistoryError) return failure(503, "ServiceUnavailable", error.message);
    throw error;
  }
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
  /** Values of each series every `stepMs` up to `endMs` (since 1970). Rejects with `HistoryError`. What is no number is 0. */
  queryRange(expression: string, range: { endMs: number; lengthMs: number; stepMs: number }): Promise<readonly Line[]>;
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
  const read = async (target: string): Promise<readonly Series[]> => {
    const response = await send("GET", target, new Uint8Array(0), "");
    return readSeries(response.status, response.text);
  };
  return {
    send,
    queryRange: async (expression, { endMs, lengthMs, stepMs }) => {
      const end = Math.floor(endMs / 1000);
      const times = { start: String(end - lengthMs / 1000), end: String(end), step: String(stepMs / 1000) };
      const series = await read(
        `/api/v1/query_range?${new URLSearchParams({ query: expression, ...times }).toString()}`,
      );
      return series.map(({ metric = {}, values = [] }) => {
        return { labels: metric, values: values.map(([, value]) => Number(value) || 0) };
      });
    },
    query: async (expression) => {
      const series = await read(`/api/v1/query?${new URLSearchParams({ query: expression }).toString()}`);
      return series.flatMap(({ metric = {}, value }) => {
        const number = Number(value?.[1]);
        return value === undefined || !Number.isFinite(number)
          ? []
          : [{ labels: metric, value: number, atMs: value[0] * 1000 }];
      });
    },
  };
}

interface Series {
  readonly metric?: Record<string, string>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

interface Answer {
  readonly status?: string;
  readonly error?: string;
  readonly data?: { readonly result?: readonly Series[] };
}

function readSeries(status: number, text: string): readonly Series[] {
  let answer: Answer;
  try {
    answer = JSON.parse(text) as Answer;
  } catch {
    throw new HistoryError(`the history answered ${status}`);
  }
  if (answer.status !== "success") throw new HistoryError(answer.error ?? `the history answered ${status}`);
  return answer.data?.result ?? [];
}
