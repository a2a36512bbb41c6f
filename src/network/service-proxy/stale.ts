import type { ConnectionFilter, ElementChange } from "#world/kernel-rules.ts";
import { endpointSet, protocols, scopes } from "./table.ts";

/** What must be forgotten after a Service's elements went from `before` to `after`. */
export interface Stale {
  /** UDP has no end of a connection: without this, clients would send to a dead endpoint for as long as they send. */
  readonly connections: readonly ConnectionFilter[];
  /** Targets (`address . port`) that remembered clients must not be sent to any more, by `service address or "" . protocol . port`. */
  readonly targets: readonly { readonly service: string; readonly target: string }[];
}

const endpointSets = new Set(scopes.flatMap((scope) => protocols.map((protocol) => endpointSet(scope, protocol))));

/** Compares two states of one Service. */
export function staleAfter(before: readonly ElementChange[], after: readonly ElementChange[]): Stale {
  const old = targetsByService(before);
  const current = targetsByService(after);
  const sticky = new Set(before.filter(({ set }) => set.startsWith("sticky_")).map(({ key }) => key));
  const connections: ConnectionFilter[] = [];
  const targets: { service: string; target: string }[] = [];
  for (const [service, list] of old) {
    const remaining = current.get(service);
    for (const target of list) {
      if (remaining?.has(target)) continue;
      const { address, protocol, port } = partsOf(service);
      if (protocol === "udp") {
        const [translatedAddress = ""] = target.split(" . ");
        connections.push({
          protocol,
          ...(address === "" ? {} : { originalAddress: address }),
          originalPort: port,
          translatedAddress,
        });
      }
      if (sticky.has(service)) targets.push({ service, target });
    }
  }
  for (const service of current.keys()) {
    const { address, protocol, port } = partsOf(service);
    // Packets that came before the first endpoint are tracked as connections to nowhere.
    if (protocol === "udp" && !old.has(service)) {
      connections.push({ protocol, ...(address === "" ? {} : { originalAddress: address }), originalPort: port });
    }
  }
  return { connections, targets };
}

function targetsByService(elements: readonly ElementChange[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { set, key, value } of elements) {
    if (!endpointSets.has(set)) continue;
    const service = key.slice(key.indexOf(" . ") + 3);
    const targets = found.get(service) ?? new Set<string>();
    found.set(service, targets.add(value));
  }
  return found;
}

function partsOf(service: string): { address: string; protocol: string; port: number } {
  const parts = service.split(" . ");
  const [address = "", protocol = "", port = "0"] = parts.length === 3 ? parts : ["", ...parts];
  return { address, protocol, port: Number(port) };
}
