import type { RouteTable, Server, Split } from "./route-table.ts";
import { anyHost } from "./route-table.ts";
import { backendName, certificateFile, splitName, type Slots } from "./slots.ts";
import { testerPattern, userPattern } from "./split.ts";

/** In the order in which lines go; they come the other way round: what is looked up first must find all that it leads to. */
export const mapFiles = [
  "hosts.map",
  "exact.map",
  "prefix.map",
  // Which place a backend's TrafficSplit has, and where its chosen users go.
  "splits.map",
  "chosen.map",
  // Properties of a TrafficSplit by its place.
  "thresholds.map",
  "runs.map",
  "kinds.map",
  "users.map",
  "salts.map",
  "errors.map",
  "slow.map",
  "cookies.map",
  "excluded.map",
  "new.map",
  "tested.map",
  // Who asks for something rare.
  "special.map",
  "testers.map",
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
export function wantedDataPlane(table: RouteTable, slots: Slots): DataPlane {
  const nameOf = (id: string): string => {
    const slot = slots.backends.get(id);
    if (slot === undefined) throw new Error(`Cannot route to "${id}": it has no place`);
    return backendName(slot);
  };
  return {
    maps: {
      ...splitLines(table.splits, slots, nameOf),
      "hosts.map": new Map(table.sites.filter((site) => site !== anyHost).map((site) => [site, site])),
      "exact.map": new Map(table.exact.map(({ site, path, backend }) => [`${site}${path}`, nameOf(backend)])),
      // The slash at the end makes the comparison one of whole elements: `/foo/` is no beginning of `/foobar/`.
      "prefix.map": new Map(table.prefix.map(({ site, path, backend }) => [`${site}${path}/`, nameOf(backend)])),
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

/** The lines that say who is chosen and where the chosen go. */
function splitLines(splits: readonly Split[], slots: Slots, nameOf: (id: string) => string): Maps {
  const maps = mapsOf(() => new Map<string, string>());
  for (const split of splits) {
    const place = splitName(slots.splits.get(split.id) ?? 0);
    for (const { from, to } of split.backends) {
      maps["splits.map"].set(nameOf(from), place);
      if (to !== undefined) maps["chosen.map"].set(nameOf(from), nameOf(to));
    }
    maps["kinds.map"].set(place, split.user.kind);
    maps["users.map"].set(userPattern(place, split.user), "\\1");
    if (split.user.kind === "cookie") maps["cookies.map"].set(place, split.user.name);
    maps["salts.map"].set(place, split.hashKey);
    maps["thresholds.map"].set(place, String(split.threshold));
    if (split.run !== undefined) maps["runs.map"].set(place, split.run);
    if (split.newSince !== undefined) maps["new.map"].set(place, String(split.newSince));
    if (split.slowerThanMs !== undefined) maps["slow.map"].set(place, String(split.slowerThanMs));
    for (const status of split.errorStatuses) maps["errors.map"].set(`${place}:${status}`, "status");
    for (const path of split.excluded) maps["excluded.map"].set(`${place}${path}/`, "1");
    const { testers, newSince, slowerThanMs, excluded } = split;
    if (testers !== undefined || newSince !== undefined || slowerThanMs !== undefined || excluded.length > 0)
      maps["special.map"].set(place, "1");
    if (split.testers !== undefined) {
      maps["tested.map"].set(place, "1");
      maps["testers.map"].set(testerPattern(place, split.testers), "1");
    }
  }
  return maps;
}

/** The lines of a map file. */
export function mapText(lines: ReadonlyMap<string, string>): string {
  return [...lines].map(([key, value]) => `${key} ${value}\n`).join("");
}
