import { countedMax } from "./limits.ts";
import type { Route, RouteTable } from "./route-table.ts";

/** Numbers in HAProxy's counters. None is ever used again: what was counted of one must never become another's. */
export interface TrafficNumbers {
  readonly next: number;
  /** `INGRESS BACKEND` to the number of the backend as that Ingress' routes lead to it. */
  readonly routes: ReadonlyMap<string, number>;
  /** `INGRESS BACKEND VERSION` to the number under which requests are counted. */
  readonly counted: ReadonlyMap<string, number>;
}

export const noNumbers: TrafficNumbers = { next: 1, routes: new Map(), counted: new Map() };

export function routeKey({ ingress, backend }: CountedRoute): string {
  return `${ingress ?? ""} ${backend}`;
}

export function countedKey(route: CountedRoute, version: string | undefined): string {
  return `${routeKey(route)} ${version ?? ""}`;
}

/** What `countedKey` was made of. */
export function readCountedKey(key: string): { ingress: string; backend: string; version: string } {
  const [ingress = "", backend = "", version = ""] = key.split(" ");
  return { ingress, backend, version };
}

/** Numbers for everything in the table; the same object when all of it has one. Routes that are gone lose theirs. */
export function numberTraffic(before: TrafficNumbers, table: RouteTable): TrafficNumbers {
  let { next } = before;
  const take = (): number => next++;
  const routes = new Map<string, number>();
  const counted = new Map(before.counted);
  for (const [key, route] of routesOf(table)) {
    routes.set(key, before.routes.get(key) ?? take());
    for (const version of ["", ...versionsBehind(table, route)]) {
      const name = countedKey(route, version);
      const known = counted.get(name) ?? take();
      // The latest in use come last, and go last.
      counted.delete(name);
      counted.set(name, known);
    }
  }
  for (const key of counted.keys()) {
    const { ingress, backend } = readCountedKey(key);
    if (!routes.has(routeKey({ ingress, backend })) || countedMax < counted.size) counted.delete(key);
  }
  const isSame = next === before.next && routes.size === before.routes.size && counted.size === before.counted.size;
  return isSame ? before : { next, routes, counted };
}

/** What requests are counted by. */
type CountedRoute = Pick<Route, "ingress" | "backend">;

/** Each route once, however many hosts and paths it has; what pods ask of a Service is a route of no Ingress. */
export function routesOf({ exact, prefix, services = [] }: RouteTable): ReadonlyMap<string, CountedRoute> {
  const all: readonly CountedRoute[] = [...exact, ...prefix, ...services.map(({ backend }) => ({ backend }))];
  return new Map(all.map((route) => [routeKey(route), route]));
}

/** Ids of the backends whose pods may answer what comes by a route: its own, and that of the chosen. */
export function backendsBehind(table: RouteTable, { backend }: CountedRoute): string[] {
  const chosen = table.splits.flatMap(({ backends }) =>
    backends.flatMap(({ from, to }) => (from === backend && to !== undefined ? [to] : [])),
  );
  return [backend, ...chosen];
}

function versionsBehind(table: RouteTable, route: CountedRoute): Set<string> {
  const servers = backendsBehind(table, route).flatMap((id) => table.backends.get(id)?.servers ?? []);
  return new Set(servers.flatMap(({ version }) => (version === undefined ? [] : [version])));
}

/** For the file that outlives us, as HAProxy's counters do. */
export function writeNumbers({ next, routes, counted }: TrafficNumbers): string {
  return JSON.stringify({ next, routes: [...routes], counted: [...counted] });
}

/** Undefined when the text is none of ours. */
export function readNumbers(text: string): TrafficNumbers | undefined {
  try {
    const { next, routes, counted } = JSON.parse(text) as {
      next: number;
      routes: [string, number][];
      counted: [string, number][];
    };
    return Number.isSafeInteger(next) ? { next, routes: new Map(routes), counted: new Map(counted) } : undefined;
  } catch {
    // Cut off by a crash of old, or somebody's: as if there were none.
    return undefined;
  }
}
