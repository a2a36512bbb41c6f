import type { BackendTraffic, IngressTraffic, RouteTraffic, RouteUsers } from "#api/observability/traffic.ts";
import type { Runtime } from "./runtime.ts";
import { backendName, type Slots } from "./slots.ts";
import { bucketEndsUs, userRegisters } from "./traffic-rules.ts";
import { readCountedKey, type TrafficNumbers } from "./traffic-numbers.ts";

export const noTraffic: IngressTraffic = { backends: [], routes: [], users: [], bucketEndsUs };

/** What numbers and places in the counters stand for. */
export interface TrafficNames {
  readonly slots: Slots;
  readonly numbers: TrafficNumbers;
}

/** Reads all counters. Rejects with `RuntimeError` when HAProxy does not answer: to say nothing was counted would be a lie. */
export async function readTraffic(runtime: Runtime, { slots, numbers }: TrafficNames): Promise<IngressTraffic> {
  const [stat, traffic, visitors] = await Promise.all([
    runtime.command("show stat -1 6 -1"),
    runtime.command("show table traffic"),
    runtime.command("show table visitors"),
  ]);
  return {
    backends: backendCounters(stat, slots),
    routes: routeCounters(traffic, numbers),
    users: routeUsers(visitors, numbers),
    bucketEndsUs,
  };
}

const classes = ["hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx"] as const;

/** Of the statistics of backends and servers, columns by their names in the first line. */
export function backendCounters(answer: string, slots: Slots): BackendTraffic[] {
  const [header = "", ...lines] = answer.split("\n");
  const columns = new Map(
    header
      .replace(/^# /, "")
      .split(",")
      .map((name, index) => [name, index]),
  );
  const ids = new Map([...slots.backends].map(([id, slot]) => [backendName(slot), id]));
  const byServers = new Map<string, number[]>();
  const found: { readonly name: string; readonly counters: BackendTraffic }[] = [];
  for (const line of lines) {
    const values = line.split(",");
    const numberOf = (name: string): number => Number(values[columns.get(name) ?? -1] ?? 0) || 0;
    const name = values[columns.get("pxname") ?? -1] ?? "";
    const backend = ids.get(name);
    if (backend === undefined) continue;
    const answers = classes.map(numberOf);
    if (values[columns.get("svname") ?? -1] !== "BACKEND") {
      const sum = byServers.get(name);
      byServers.set(
        name,
        answers.map((count, index) => count + (sum?.[index] ?? 0)),
      );
      continue;
    }
    const [bytesIn, bytesOut] = [numberOf("bin"), numberOf("bout")];
    const [connectionFailures, retries] = [numberOf("econ"), numberOf("wretr")];
    found.push({ name, counters: { backend, bytesIn, bytesOut, connectionFailures, retries, ownAnswers: answers } });
  }
  return found.map(({ name, counters }) => {
    const servers = byServers.get(name) ?? [];
    const ownAnswers = counters.ownAnswers.map((count, index) => Math.max(0, count - (servers[index] ?? 0)));
    return { ...counters, ownAnswers };
  });
}

/** What numbers stand for. Routes that are gone have none: they are nobody's any more. */
function namesByNumber({ counted }: TrafficNumbers): ReadonlyMap<number, ReturnType<typeof readCountedKey>> {
  return new Map([...counted].map(([key, number]) => [number, readCountedKey(key)]));
}

function grown<T>(found: Map<number, T>, key: number, make: () => T): T {
  const known = found.get(key) ?? make();
  found.set(key, known);
  return known;
}

/** The answer of `show table traffic`. */
export function routeCounters(table: string, numbers: TrafficNumbers): RouteTraffic[] {
  const names = namesByNumber(numbers);
  const found = new Map<number, RouteTraffic & { readonly answers: number[]; readonly buckets: number[] }>();
  for (const [, key, count] of table.matchAll(/ key=(\d+) .*?conn_cnt=(\d+)/g)) {
    const number = Math.floor(Number(key) / 512);
    const [index, bucket] = [(Math.floor(Number(key) / 64) % 8) - 1, Number(key) % 64];
    const name = names.get(number);
    if (name === undefined || index < 0 || classes.length <= index) continue;
    const row = grown(found, number, () => {
      const buckets = Array.from({ length: bucketEndsUs.length + 1 }, () => 0);
      return { ...name, answers: Array.from(classes, () => 0), buckets };
    });
    row.answers[index] = (row.answers[index] ?? 0) + Number(count);
    row.buckets[bucket] = (row.buckets[bucket] ?? 0) + Number(count);
  }
  return [...found.values()];
}

/** The answer of `show table visitors`. */
export function routeUsers(table: string, numbers: TrafficNumbers): RouteUsers[] {
  const names = namesByNumber(numbers);
  const found = new Map<number, RouteUsers & { readonly registers: number[] }>();
  for (const [, register, rank, number] of table.matchAll(/ key=(\d+)\.(\d+)\.(\d+) /g)) {
    const name = names.get(Number(number));
    if (name === undefined || userRegisters <= Number(register)) continue;
    const row = grown(found, Number(number), () => {
      return { ...name, registers: Array.from({ length: userRegisters }, () => 0) };
    });
    row.registers[Number(register)] = Math.max(row.registers[Number(register)] ?? 0, Number(rank));
  }
  return [...found.values()];
}
