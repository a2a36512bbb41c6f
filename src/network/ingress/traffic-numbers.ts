import { versionsMax } from "./limits.ts";
import type { Route, RouteTable } from "./route-table.ts";

/** Numbers in HAProxy's counters. None is ever used again: what was counted of one must never become another's. */
export interface TrafficNumbers {
  readonly next: number;
  /** `INGRESS BACKEND` to its number: a backend as one Ingress' routes lead to it. */
  readonly routes: ReadonlyMap<string, number>;
  readonly versions: ReadonlyMap<string, number>;
}

export const noNumbers: TrafficNumbers = { next: 1, routes: new Map(), versions: new Map() };

export function routeKey({ ingress, backend }: Pick<Route, "ingress" | "backend">): string {
  return `${ingress ?? ""} ${backend}`;
}

/** Numbers for everything in the table; the same object when all of it has one. Routes that are gone lose theirs. */
export function numberTraffic(before: TrafficNumbers, table: RouteTable): TrafficNumbers {
  let { next } = before;
  const take = (): number => next++;
  const wanted = new Set([...table.exact, ...table.prefix].map(routeKey));
  const routes = new Map([...wanted].map((key) => [key, before.routes.get(key) ?? take()]));
  const versions = new Map(before.versions);
  for (const { servers } of table.backends.values())
    for (const { version } of servers)
      if (version !== undefined) {
        const known = versions.get(version) ?? take();
        // The latest in use come last, and go last.
        versions.delete(version);
        versions.set(version, known);
      }
  for (const version of versions.keys()) {
    if (versions.size <= versionsMax) break;
    versions.delete(version);
  }
  const isSame = next === before.next && routes.size === before.routes.size && versions.size === before.versions.size;
  return isSame ? before : { next, routes, versions };
}

/** For the file that outlives us, as HAProxy's counters do. */
export function writeNumbers({ next, routes, versions }: TrafficNumbers): string {
  return JSON.stringify({ next, routes: [...routes], versions: [...versions] });
}

/** Undefined when the text is none of ours. */
export function readNumbers(text: string): TrafficNumbers | undefined {
  try {
    const { next, routes, versions } = JSON.parse(text) as {
      next: number;
      routes: [string, number][];
      versions: [string, number][];
    };
    return Number.isSafeInteger(next) ? { next, routes: new Map(routes), versions: new Map(versions) } : undefined;
  } catch {
    // Cut off by a crash of old, or somebody's: as if there were none.
    return undefined;
  }
}
