import type { Runtime } from "./runtime.ts";
import { backendName, type Slots } from "./slots.ts";

/** What HAProxy counted for a backend since its start. */
export interface BackendCounters {
  /** `namespace/service:port`. */
  readonly backend: string;
  readonly requests: number;
  /** Answers by the first digit of their status: index 0 is 1xx, 4 is 5xx. */
  readonly answers: readonly number[];
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly connectionFailures: number;
  readonly retries: number;
  /** Seconds until the first byte of an answer, and until its end; averages of the last 1024 requests. */
  readonly responseSeconds: number;
  readonly totalSeconds: number;
}

/** Reads the counters; empty when HAProxy does not answer. Columns by their names in the first line. */
export async function readCounters(runtime: Runtime, slots: Slots): Promise<readonly BackendCounters[]> {
  const answer = await runtime.command("show stat -1 2 -1").catch(() => "");
  const [header = "", ...lines] = answer.split("\n");
  const columns = header.replace(/^# /, "").split(",");
  const ids = new Map([...slots.backends].map(([id, slot]) => [backendName(slot), id]));
  return lines.flatMap((line) => {
    const values = line.split(",");
    const numberOf = (name: string): number => Number(values[columns.indexOf(name)] ?? 0) || 0;
    const backend = ids.get(values[columns.indexOf("pxname")] ?? "");
    if (backend === undefined) return [];
    return [
      {
        backend,
        requests: numberOf("req_tot") || numberOf("stot"),
        answers: ["hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx"].map(numberOf),
        bytesIn: numberOf("bin"),
        bytesOut: numberOf("bout"),
        connectionFailures: numberOf("econ"),
        retries: numberOf("wretr"),
        responseSeconds: numberOf("rtime") / 1000,
        totalSeconds: numberOf("ttime") / 1000,
      },
    ];
  });
}
