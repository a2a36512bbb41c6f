import type { BackendTraffic, IngressTraffic, RouteTraffic, RouteUsers } from "#api/observability/traffic.ts";
import { joinCounts, type Counts } from "./carried.ts";
import { countersReadMax } from "./limits.ts";
import { pidOf, RuntimeError, type Runtime } from "./runtime.ts";
import { backendName, type Slots } from "./slots.ts";
import { bucketEndsUs, readTrafficKey, userRegisters, usersWindowSeconds } from "./traffic-rules.ts";
import { readCountedKey, type TrafficNumbers } from "./traffic-numbers.ts";

export const noTraffic: IngressTraffic = { backends: [], routes: [], users: [], bucketEndsUs };

/** What numbers and places in the counters stand for. */
export interface TrafficNames {
  readonly slots: Slots;
  readonly numbers: TrafficNumbers;
  /** What processes of HAProxy counted that were there before the one with this number. */
  readonly carriedTo: (pid: string) => Counts;
}

/** Reads all counters. Rejects with `RuntimeError` when HAProxy does not answer: to say nothing was counted would be a lie. */
export async function readTraffic(runtime: Runtime, names: TrafficNames): Promise<IngressTraffic> {
  const { pid, uptimeSeconds, counts } = await readCounts(runtime, names.slots);
  const carried = names.carriedTo(pid);
  const { backends, traffic, visitors } = joinCounts(carried, counts);
  return {
    backends: backends.filter(({ backend }) => names.slots.backends.has(backend)),
    routes: routeCounters(traffic, names.numbers),
    // Who came to an earlier process is one of now for as long as to this one.
    users: routeUsers(uptimeSeconds < usersWindowSeconds ? visitors : counts.visitors, names.numbers),
    bucketEndsUs,
  };
}

/** What the process at hand has counted; rejects as `readTraffic` does. */
export async function readCounts(
  runtime: Pick<Runtime, "command">,
  slots: Slots,
): Promise<{ readonly pid: string; readonly uptimeSeconds: number; readonly counts: Counts }> {
  for (let attempt = 1; ; attempt++) {
    const before = await runtime.command("show info");
    const [stat, traffic, visitors] = await Promise.all([
      runtime.command("show stat -1 6 -1"),
      runtime.command("show table traffic"),
      runtime.command("show table visitors"),
    ]);
    const pid = pidOf(before);
    // A part of one process and a part of the next would be neither.
    if (pid !== pidOf(await runtime.command("show info"))) {
      if (attempt < countersReadMax) continue;
      throw new RuntimeError("HAProxy is being reloaded");
    }
    const uptimeSeconds = Number(/^Uptime_sec: (\d+)$/m.exec(before)?.[1] ?? 0);
    const requests = traffic.matchAll(/ key=(\d+) .*?conn_cnt=(\d+)/g);
    return {
      pid,
      uptimeSeconds,
      counts: {
        backends: backendCounters(stat, slots),
        traffic: new Map(requests.map(([, key = "", count]) => [key, Number(count)])),
        visitors: new Set(visitors.matchAll(/ key=(\d+\.\d+\.\d+) /g).map(([, key = ""]) => key)),
      },
    };
  }
}

const classes = ["hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx"] as const;

/** Of the statistics of backends and servers, columns by their names in the first line. */
function backendCounters(answer: string, slots: Slots): BackendTraffic[] {
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

/** Requests by the keys of the table `traffic`. */
function routeCounters(counts: Counts["traffic"], numbers: TrafficNumbers): RouteTraffic[] {
  const names = namesByNumber(numbers);
  const found = new Map<number, RouteTraffic & { readonly answers: number[]; readonly buckets: number[] }>();
  for (const [key, count] of counts) {
    const { number, statusClass, bucket } = readTrafficKey(key);
    const index = statusClass - 1;
    const name = names.get(number);
    if (name === undefined || index < 0 || classes.length <= index) continue;
    const row = grown(found, number, () => {
      const buckets = Array.from({ length: bucketEndsUs.length + 1 }, () => 0);
      return { ...name, answers: Array.from(classes, () => 0), buckets };
    });
    row.answers[index] = (row.answers[index] ?? 0) + count;
    row.buckets[bucket] = (row.buckets[bucket] ?? 0) + count;
  }
  return [...found.values()];
}

/** Users by the keys of the table `visitors`. */
function routeUsers(visitors: Counts["visitors"], numbers: TrafficNumbers): RouteUsers[] {
  const names = namesByNumber(numbers);
  const found = new Map<number, RouteUsers & { readonly registers: number[] }>();
  for (const key of visitors) {
    const [register, rank, number] = key.split(".");
    const name = names.get(Number(number));
    if (name === undefined || userRegisters <= Number(register)) continue;
    const row = grown(found, Number(number), () => {
      return { ...name, registers: Array.from({ length: userRegisters }, () => 0) };
    });
    row.registers[Number(register)] = Math.max(row.registers[Number(register)] ?? 0, Number(rank));
  }
  return [...found.values()];
}
