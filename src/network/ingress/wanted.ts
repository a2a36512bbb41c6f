import { heldPlace } from "./hold-rules.ts";
import type { Route, RouteTable, Server, Split } from "./route-table.ts";
import { backendName, certificateFile, type Slots } from "./slots.ts";
import { backendsBehind, countedKey, noNumbers, routeKey, routesOf, type TrafficNumbers } from "./traffic-numbers.ts";
import { bucketLines, rankLines } from "./traffic-rules.ts";
import { serviceLines } from "./service-rules.ts";
import { isAtRest, isSpecial, placeOf, splitLine, testerPattern, userPattern } from "./split.ts";

/** In the order in which lines go; they come the other way round: what is looked up first must find all that it leads to. */
export const mapFiles = [
  "routes.map",
  // Places whose requests are held.
  "holds.map",
  // What TrafficSplits ask for, by place: the usual ones, and those that ask for something rare as well.
  "splits.map",
  "special.map",
  "users.map",
  "cookies.map",
  "errors.map",
  "slow.map",
  "excluded.map",
  "new.map",
  "tested.map",
  // Requests that are copied, of 10,000, by method and place.
  "mirror.map",
  "testers.map",
  // What is counted: numbers by pod and route, and two tables of ranges.
  "counted.map",
  "buckets.map",
  "ranks.map",
  // What pods ask of Services, by address and port.
  "services.map",
  "sticky.map",
  "leaving.map",
] as const;
export type MapFile = (typeof mapFiles)[number];
export const certificateList = "certificates.txt";
export const defaultCertificate = "default.pem";

export type Maps = Readonly<Record<MapFile, ReadonlyMap<string, string>>>;

/** Maps from what is known of each file. */
export function mapsOf<M extends ReadonlyMap<string, string>>(lines: (file: MapFile) => M): Record<MapFile, M> {
  return Object.fromEntries(mapFiles.map((file) => [file, lines(file)])) as Record<MapFile, M>;
}

export const emptyMaps: Maps = mapsOf(() => new Map());

/** What HAProxy should hold, in its own terms: numbered places, map lines, files. */
export interface DataPlane {
  readonly maps: Maps;
  /** Backend name to its servers. */
  readonly servers: ReadonlyMap<string, readonly Server[]>;
  /** File name to content and hosts. */
  readonly certificates: ReadonlyMap<string, { readonly pem: string; readonly hosts: readonly string[] }>;
}

/** The route table in HAProxy's terms. */
export function wantedDataPlane(table: RouteTable, slots: Slots, numbers: TrafficNumbers = noNumbers): DataPlane {
  const nameOf = (id: string): string => {
    const slot = slots.backends.get(id);
    if (slot === undefined) throw new Error(`Cannot route to "${id}": it has no place`);
    return backendName(slot);
  };
  const leadsTo = leadsToOf(table, nameOf, numbers);
  return {
    maps: {
      ...splitLines(table.splits, nameOf),
      "holds.map": new Map(heldIds(table).map((id) => [heldPlace(nameOf(id)), "1"])),
      "routes.map": routeLines(table, leadsTo),
      ...serviceLines(table, leadsTo),
      "counted.map": countedLines(table, nameOf, numbers),
      "buckets.map": bucketLines,
      "ranks.map": rankLines,
    },
    servers: new Map([...table.backends.values()].map(({ id, servers }) => [nameOf(id), servers])),
    certificates: new Map(
      table.certificates.map(({ id, pem, hosts }) => [
        certificateFile(slots.certificates.get(id) ?? 0),
        { pem, hosts },
      ]),
    ),
  };
}

/**
 * Where requests go, by `SITE/PATH/` and all below it or `SITE/PATH/?` alone (no path holds a `?`): the longest line that a
 * request begins with holds. A site that has no route for everything ends at `none`: it is known, and served by nobody else.
 */
function routeLines(table: RouteTable, leadsTo: (route: Route) => string): Map<string, string> {
  const lines = new Map(table.sites.map((site) => [`${site}/`, "none"]));
  for (const route of table.prefix) lines.set(`${route.site}${route.path}/`, leadsTo(route));
  for (const route of table.exact) lines.set(`${route.site}${route.path}/?`, leadsTo(route));
  return lines;
}

/** The place that a route leads to, and behind a point the number under which its requests are counted. */
function leadsToOf(
  table: RouteTable,
  nameOf: (id: string) => string,
  numbers: TrafficNumbers,
): (route: Pick<Route, "ingress" | "backend">) => string {
  const places = new Map(placesOf(table, nameOf));
  for (const id of heldIds(table)) places.set(id, heldPlace(nameOf(id)));
  return (route) => `${places.get(route.backend) ?? nameOf(route.backend)}.${numbers.routes.get(routeKey(route)) ?? 0}`;
}

/**
 * Under which number requests are counted: by `ADDRESS/ROUTE` of the pod that answered, and by `PLACE/ROUTE` who asked, the version
 * being that of all pods of the place. The number of a route is the one in `routes.map` or `services.map`.
 */
function countedLines(table: RouteTable, nameOf: (id: string) => string, numbers: TrafficNumbers): Map<string, string> {
  const lines = new Map<string, string>();
  const places = placesOf(table, nameOf);
  for (const [key, route] of routesOf(table)) {
    const add = (who: string, version: string | undefined): void => {
      const number = numbers.counted.get(countedKey(route, version));
      if (number !== undefined) lines.set(`${who}/${numbers.routes.get(key) ?? 0}`, String(number));
    };
    for (const id of backendsBehind(table, route)) {
      const servers = table.backends.get(id)?.servers ?? [];
      const [one, ...others] = new Set(servers.map(({ version }) => version));
      add(places.get(id) ?? nameOf(id), others.length === 0 ? one : undefined);
      for (const { address, version } of servers) add(address, version);
    }
  }
  return lines;
}

/** Of backends whose users are split, where the routes lead instead. */
function placesOf(table: RouteTable, nameOf: (id: string) => string): ReadonlyMap<string, string> {
  const places = new Map<string, string>();
  for (const split of table.splits) {
    if (isAtRest(split)) continue;
    for (const { from } of split.backends) places.set(from, placeOf(split, nameOf(from)));
  }
  return places;
}

/** Backends whose requests are held: nobody is chosen for anything then. */
function heldIds({ backends }: RouteTable): string[] {
  return [...backends.values()].filter(({ held }) => held === true).map(({ id }) => id);
}

/** The lines that say who is chosen and where the chosen go. */
function splitLines(splits: readonly Split[], nameOf: (id: string) => string): Maps {
  const maps = mapsOf(() => new Map<string, string>());
  for (const split of splits) {
    if (isAtRest(split)) continue;
    for (const { from, to } of split.backends) {
      const place = placeOf(split, nameOf(from));
      const target = to === undefined ? undefined : nameOf(to);
      maps[isSpecial(split) ? "special.map" : "splits.map"].set(place, splitLine(split, place, nameOf(from), target));
      if (split.user.kind !== "address") maps["users.map"].set(userPattern(place, split), `${split.hashKey}|\\1`);
      if (split.user.kind === "cookie") maps["cookies.map"].set(place, split.user.name);
      if (split.newSince !== undefined) maps["new.map"].set(place, String(split.newSince));
      if (split.slowerThanMs !== undefined) maps["slow.map"].set(place, String(split.slowerThanMs));
      for (const status of split.errorStatuses) maps["errors.map"].set(`${place}:${status}`, "status");
      if (target !== undefined)
        for (const method of split.mirror?.methods ?? [])
          maps["mirror.map"].set(`${method}:${place}`, String(split.mirror?.threshold ?? 0));
      for (const path of split.excluded) maps["excluded.map"].set(`${place}${path}/`, "1");
      if (split.testers !== undefined) {
        maps["tested.map"].set(place, "1");
        maps["testers.map"].set(testerPattern(place, split.testers), "1");
      }
    }
  }
  return maps;
}

/** The lines of a map file. */
export function mapText(lines: ReadonlyMap<string, string>): string {
  return [...lines].map(([key, value]) => `${key} ${value}\n`).join("");
}
