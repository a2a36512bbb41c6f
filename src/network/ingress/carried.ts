import type { BackendTraffic } from "#api/observability/traffic.ts";
import { carriedEntriesMax } from "./limits.ts";
import { readTrafficKey } from "./traffic-rules.ts";

/** Everything that one process of HAProxy counted, or several one after the other, under our numbers. */
export interface Counts {
  readonly backends: readonly BackendTraffic[];
  /** Keys of the table of requests, and how many there were. */
  readonly traffic: ReadonlyMap<string, number>;
  /** Keys of the table of users. */
  readonly visitors: ReadonlySet<string>;
}

export const noCounts: Counts = { backends: [], traffic: new Map(), visitors: new Set() };

/**
 * What is added to the counters of the process at hand, so that a reload takes nothing back. It is written down before the reload,
 * so it says of which process it already has the counters.
 */
export interface Carried {
  /** While this process still serves, `before` is to be added; to all that come later `after`. */
  readonly pid: string;
  readonly before: Counts;
  readonly after: Counts;
}

export const nothingCarried: Carried = { pid: "", before: noCounts, after: noCounts };

export function carriedTo(pid: string, { pid: last, before, after }: Carried): Counts {
  return pid === last ? before : after;
}

/** Both together: requests and bytes are added, users joined. */
export function joinCounts(one: Counts, other: Counts): Counts {
  const traffic = new Map(one.traffic);
  for (const [key, count] of other.traffic) traffic.set(key, (traffic.get(key) ?? 0) + count);
  const backends = new Map(one.backends.map((each) => [each.backend, each]));
  for (const each of other.backends) {
    const known = backends.get(each.backend);
    backends.set(each.backend, known === undefined ? each : joinBackends(known, each));
  }
  return { backends: [...backends.values()], traffic, visitors: one.visitors.union(other.visitors) };
}

function joinBackends(one: BackendTraffic, other: BackendTraffic): BackendTraffic {
  return {
    backend: one.backend,
    bytesIn: one.bytesIn + other.bytesIn,
    bytesOut: one.bytesOut + other.bytesOut,
    connectionFailures: one.connectionFailures + other.connectionFailures,
    retries: one.retries + other.retries,
    ownAnswers: one.ownAnswers.map((count, index) => count + (other.ownAnswers[index] ?? 0)),
  };
}

/** The counts without those of numbers and backends that are nobody's any more: what is carried does not grow for ever. */
export function withoutGone(counts: Counts, numbers: ReadonlySet<number>, backends: ReadonlySet<string>): Counts {
  const traffic = [...counts.traffic].filter(([key]) => numbers.has(readTrafficKey(key).number));
  return {
    backends: counts.backends.filter(({ backend }) => backends.has(backend)),
    traffic: new Map(traffic.slice(-carriedEntriesMax)),
    visitors: counts.visitors,
  };
}

/** For the file that outlives us. */
export function writeCarried({ pid, before, after }: Carried): string {
  const plain = ({ backends, traffic, visitors }: Counts): object => {
    return { backends, traffic: [...traffic], visitors: [...visitors] };
  };
  return JSON.stringify({ pid, before: plain(before), after: plain(after) });
}

/** Nothing when the text is none of ours. */
export function readCarried(text: string): Carried {
  try {
    const { pid, before, after } = JSON.parse(text) as { pid: string; before: Written; after: Written };
    const counts = ({ backends, traffic, visitors }: Written): Counts => {
      return { backends, traffic: new Map(traffic), visitors: new Set(visitors) };
    };
    return { pid, before: counts(before), after: counts(after) };
  } catch {
    // Cut off by a crash of old, or not there: counters begin anew, which whoever reads them can see.
    return nothingCarried;
  }
}

interface Written {
  readonly backends: readonly BackendTraffic[];
  readonly traffic: readonly (readonly [string, number])[];
  readonly visitors: readonly string[];
}
