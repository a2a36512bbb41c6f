import type { Service } from "#api/generated/core-v1.ts";
import type { ElementChange } from "#world/kernel-rules.ts";
import { isForwardable } from "../addresses.ts";
import { mayReach } from "../policy/reach.ts";
import type { PolicyView } from "../policy/loop.ts";
import type { Target } from "../service-proxy/endpoints.ts";
import { toProxyVerdict } from "../service-proxy/table.ts";

/** Whose connections a node's rules send to its proxy at all: all of its pods, or those by address. */
export function clientElements(view: PolicyView | "open" | undefined): ElementChange[] {
  if (view === undefined) return [];
  if (view === "open") return [{ set: "proxy_open", key: "tcp", value: "" }];
  // A pod that no policy keeps from talking; one that policies do not know yet goes past the proxy, where they judge it.
  const free = [...view.own].filter(([address, reach]) => reach === undefined && isForwardable(address));
  return free.map(([key]) => ({ set: "proxy_clients", key, value: "" }));
}

/**
 * The elements that send connections to a Service's ports to the proxy. A pod whose own policies say whom it may talk to is sent
 * there only when they allow every pod that the proxy could choose; else it goes past the proxy and packet rules judge it.
 */
export function proxiedElements(
  { spec }: Service,
  ports: readonly { readonly port: number; readonly targets: readonly Target[] }[],
  view: PolicyView | "open" | undefined,
): ElementChange[] {
  if (view === undefined) return [];
  return ports.flatMap(({ port, targets }): ElementChange[] => {
    const key = `${spec.clusterIP} . tcp . ${port}`;
    const bound = view === "open" ? [] : [...view.own].filter(([address]) => isForwardable(address));
    const allowed = bound.filter(
      ([, reach]) => reach !== undefined && targets.every((target) => mayReach(reach, target.address, target.port)),
    );
    return [
      { set: "proxied", key, value: toProxyVerdict },
      ...allowed.map(([address]) => ({ set: "proxy_allowed", key: `${address} . ${key}`, value: "" })),
    ];
  });
}
