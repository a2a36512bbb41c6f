import type { RouteTable, Server } from "./route-table.ts";
import { anyHost } from "./route-table.ts";
import { backendName, certificateFile, type Slots } from "./slots.ts";

export const mapFiles = ["hosts.map", "exact.map", "prefix.map"] as const;
export type MapFile = (typeof mapFiles)[number];
export const certificateList = "certificates.txt";
export const defaultCertificate = "default.pem";

/** What HAProxy should hold, in its own terms: numbered places, map lines, files. */
export interface DataPlane {
  readonly maps: Readonly<Record<MapFile, ReadonlyMap<string, string>>>;
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

/** The lines of a map file. */
export function mapText(lines: ReadonlyMap<string, string>): string {
  return [...lines].map(([key, value]) => `${key} ${value}\n`).join("");
}
