import type { Actual, ActualServer } from "./actual.ts";
import type { Server } from "./route-table.ts";
import { serverName } from "./slots.ts";
import { limitOf } from "./split.ts";
import type { DataPlane, MapFile } from "./wanted.ts";
import { mapFiles } from "./wanted.ts";

/** One step that changes a running HAProxy. */
export type Step =
  | { readonly kind: "add-lines"; readonly file: MapFile; readonly lines: readonly (readonly [string, string])[] }
  | { readonly kind: "set-line"; readonly file: MapFile; readonly key: string; readonly value: string }
  | { readonly kind: "remove-line"; readonly file: MapFile; readonly key: string }
  | { readonly kind: "add-server"; readonly backend: string; readonly server: string; readonly to: Server }
  | { readonly kind: "move-server"; readonly backend: string; readonly server: string; readonly to: Server }
  | { readonly kind: "weigh-server"; readonly backend: string; readonly server: string; readonly weight: number }
  | { readonly kind: "open-server" | "close-server"; readonly backend: string; readonly server: string };

/**
 * The least steps from what is to what should be. Servers come first, then new routes to them, then routes and servers go: at no
 * step does a route lead to a backend that has lost its servers while it should have some.
 */
export function diff(actual: Actual, wanted: DataPlane): Step[] {
  const opening: Step[] = [];
  const closing: Step[] = [];
  for (const [backend, servers] of actual.servers) {
    diffServers(backend, servers, wanted.servers.get(backend) ?? [], opening, closing);
  }
  const adding: Step[] = [];
  const removing: Step[] = [];
  // A host is known only after its routes are: before, it would be answered 404 where a wildcard still serves it.
  for (const file of mapFiles.toReversed()) diffMap(file, actual.maps[file], wanted.maps[file], adding, removing);
  // Whoever must not be served by the chosen's servers any longer goes first of all.
  const isUrgent = (step: Step): boolean =>
    step.kind === "set-line" &&
    (step.file === "splits.map" || step.file === "special.map") &&
    limitOf(step.value) < limitOf(actual.maps[step.file].get(step.key));
  // A pod's requests are counted as its version's from the first one.
  const isName = (step: Step): boolean => "file" in step && step.file === "counted.map";
  const names = adding.filter(isName);
  const rest = adding.filter((step) => !isUrgent(step) && !isName(step));
  return [...adding.filter(isUrgent), ...names, ...opening, ...rest, ...removing.toReversed(), ...closing];
}

function diffMap(
  file: MapFile,
  actual: ReadonlyMap<string, string>,
  wanted: ReadonlyMap<string, string>,
  adding: Step[],
  removing: Step[],
): void {
  const lines: (readonly [string, string])[] = [];
  for (const [key, value] of wanted) {
    const present = actual.get(key);
    if (present === undefined) lines.push([key, value]);
    else if (present !== value) adding.push({ kind: "set-line", file, key, value });
  }
  if (0 < lines.length) adding.push({ kind: "add-lines", file, lines });
  for (const key of actual.keys()) if (!wanted.has(key)) removing.push({ kind: "remove-line", file, key });
}

function diffServers(
  backend: string,
  actual: ReadonlyMap<string, ActualServer>,
  wanted: readonly Server[],
  opening: Step[],
  closing: Step[],
): void {
  const missing = new Map(wanted.map((server) => [`${server.address}:${server.port}`, server]));
  const free: string[] = [];
  const leaving: string[] = [];
  for (const [server, { address, port, weight, ready }] of actual) {
    const same = missing.get(`${address}:${port}`);
    if (same === undefined) {
      (ready ? leaving : free).push(server);
      continue;
    }
    missing.delete(`${address}:${port}`);
    if (weight !== same.weight) opening.push({ kind: "weigh-server", backend, server, weight: same.weight });
    if (!ready) opening.push({ kind: "open-server", backend, server });
  }
  let number = actual.size;
  for (const to of missing.values()) {
    const server = free.shift();
    if (server !== undefined) {
      opening.push({ kind: "move-server", backend, server, to });
      opening.push({ kind: "weigh-server", backend, server, weight: to.weight });
      opening.push({ kind: "open-server", backend, server });
    } else {
      do number += 1;
      while (actual.has(serverName(number)));
      opening.push({ kind: "add-server", backend, server: serverName(number), to });
      opening.push({ kind: "open-server", backend, server: serverName(number) });
    }
  }
  for (const server of leaving) closing.push({ kind: "close-server", backend, server });
}
