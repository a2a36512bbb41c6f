import type { TrafficSplit } from "#api/delivery/traffic-split.ts";
import type { Service, ServicePort } from "#api/generated/core-v1.ts";
import type { EndpointSlice } from "#api/generated/discovery-v1.ts";
import { fromPodsMark } from "#api/observability/traffic.ts";
import { serversOfTargets } from "../ingress/endpoint-servers.ts";
import type { Backend, Compiled, Server, ServiceRoute, Split } from "../ingress/route-table.ts";
import { splitOf } from "../ingress/split.ts";
import { serviceKey } from "../service-proxy/compile.ts";
import { affinitySeconds, targetsOf, type Place } from "../service-proxy/endpoints.ts";

/** A Service whose requests from pods the node's proxy serves. */
export interface RoutedService {
  readonly service: Service;
  readonly ports: readonly ServicePort[];
  readonly split: TrafficSplit | undefined;
  /** New connections go past the proxy; those that are left are still served, one answer each. */
  readonly isLeaving: boolean;
}

export interface RouteLookups {
  service(key: string): Service | undefined;
  slices(serviceKey: string): readonly EndpointSlice[];
  readonly place: Place;
}

/** The route table with routes for what pods ask of Services: by address and port, whatever host and path a request names. */
export function withServices(compiled: Compiled, routed: readonly RoutedService[], lookups: RouteLookups): Compiled {
  if (routed.length === 0) return compiled;
  const { table } = compiled;
  const services: ServiceRoute[] = [];
  const backends = new Map<string, Backend>(table.backends);
  const splits = new Map<string, Split>(table.splits.map((split) => [split.id, split]));
  const names = new Set(compiled.services);
  for (const { service, ports, split, isLeaving } of routed) {
    const { namespace } = service.metadata;
    const checked = split === undefined ? undefined : splitOf(split);
    names.add(serviceKey(service));
    for (const port of ports) {
      const from = idOf(serviceKey(service), port);
      backends.set(from, { id: from, servers: serversOf(service, port, lookups), isForPods: true });
      const destination = `${service.spec.clusterIP}:${port.port}`;
      const isSticky = affinitySeconds(service.spec) !== undefined;
      services.push({ destination, backend: from, isSticky, isLeaving });
      if (split === undefined || checked === undefined || typeof checked === "string") continue;
      const key = `${namespace}/${split.spec.to.service}`;
      names.add(key);
      const target = lookups.service(key);
      const servers = target === undefined ? [] : serversOf(target, port, lookups, service);
      const to = idOf(key, port);
      backends.set(to, { id: to, servers, isForPods: true });
      const known = splits.get(checked.id)?.backends ?? [];
      splits.set(checked.id, { ...checked, backends: [...known, servers.length === 0 ? { from } : { from, to }] });
    }
  }
  return {
    ...compiled,
    table: { ...table, backends, splits: [...splits.values()], services },
    services: [...names].toSorted(),
  };
}

/** Of the routes of a table those that lead to a server: `10.96.0.5:80`. */
export function servedDestinations({ services, backends }: Compiled["table"]): Set<string> {
  const served = (services ?? []).filter(({ backend }) => 0 < (backends.get(backend)?.servers.length ?? 0));
  return new Set(served.map(({ destination }) => destination));
}

function idOf(key: string, { port }: ServicePort): string {
  return `${key}:${port}${fromPodsMark}`;
}

/** `by`: whose policy for traffic inside the cluster holds. */
function serversOf(service: Service, wanted: ServicePort, lookups: RouteLookups, by = service): Server[] {
  const port = service.spec.ports?.find((one) => one.port === wanted.port && (one.name ?? "") === (wanted.name ?? ""));
  if (port === undefined) return [];
  const slices = lookups.slices(serviceKey(service));
  const targets = targetsOf(port, slices, lookups.place);
  return serversOfTargets(by.spec.internalTrafficPolicy === "Local" ? targets.local : targets.cluster, slices);
}
