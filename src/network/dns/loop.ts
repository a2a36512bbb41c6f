import type { Cidr } from "#base/cidr.ts";
import type { Disk } from "#world/disk.ts";
import type { NetworkLinks } from "#world/network.ts";
import type { Random } from "#world/random.ts";
import type { Sockets } from "#world/sockets.ts";
import type { Metrics } from "#telemetry/metrics.ts";
import type { Clock, Timers } from "#world/clock.ts";
import { Coalesced } from "../coalesced.ts";
import type { Observed } from "../observed.ts";
import { createForwarder, upstreamsOf } from "./forward.ts";
import { DnsMeasures } from "./measures.ts";
import { startDnsServer, type DnsServer } from "./server.ts";
import { dnsEndpoints, dnsService, type Zone } from "./zone.ts";
import { createZone } from "./zone-from-objects.ts";

export interface DnsOptions {
  readonly observed: Observed;
  readonly links: NetworkLinks;
  readonly sockets: Sockets;
  readonly clock: Pick<Clock, "monotonic">;
  readonly timers: Timers;
  readonly random: Random;
  readonly disk: Disk;
  /** The cluster's DNS address, put on the loopback interface of this node: each node answers its own pods. */
  readonly address: string;
  readonly domain: string;
  /** The networks whose addresses the cluster gives out now. */
  readonly ranges: () => readonly Cidr[];
  /** `/etc/resolv.conf` of the host, for names that are not ours. */
  readonly resolvConf: string;
  /** Absent: nobody measures. */
  readonly metrics?: Metrics;
  readonly onProblem: (problem: string, error: unknown) => void;
}

export interface ClusterDns {
  start(): void;
  stop(): Promise<void>;
  /** Resolves when questions are answered. */
  readonly ready: Promise<void>;
}

/** Serves DNS from what the informers know; before everything is known it does not listen, so that no name is denied wrongly. */
export function createClusterDns(options: DnsOptions): ClusterDns {
  const { observed, timers } = options;
  const ready = Promise.withResolvers<void>();
  const { metrics, clock, domain } = options;
  const measures = metrics === undefined ? undefined : new DnsMeasures(metrics, clock, domain);
  let upstreams: readonly string[] = [];
  let server: DnsServer | undefined;
  let synced = false;
  let watched: { close(): void } | undefined;

  const work = async (): Promise<void> => {
    // A machine without the file has nobody else to ask: the cluster's own names are answered all the same.
    upstreams = upstreamsOf(await options.disk.readText(options.resolvConf).catch(() => ""), [options.address]);
    if (server !== undefined || !synced) return;
    await options.links.ensureAddress("lo", `${options.address}/32`);
    const forwarder = createForwarder({ ...options, upstreams: () => upstreams });
    server = await startDnsServer({ ...options, zone: zoneOf(options), forwarder, measures, port: 53 });
    ready.resolve();
  };
  const loop = new Coalesced({ timers, work, onProblem: (error) => options.onProblem("dns: cannot serve", error) });
  return {
    ready: ready.promise,
    start: () => {
      watched = options.disk.watch(options.resolvConf, () => loop.kick());
      const needed = [observed.services, observed.slices, observed.namespaces];
      void Promise.all(needed.map((informer) => informer.synced())).then(() => {
        synced = true;
        loop.kick();
      });
    },
    stop: async () => {
      watched?.close();
      await loop.stop();
      await server?.close();
    },
  };
}

function zoneOf({ observed, domain, ranges }: DnsOptions): Zone {
  const { services, slices, namespaces } = observed;
  return createZone(domain, ranges, {
    service: (key) => {
      const service = services.get(key);
      return service === undefined ? undefined : dnsService(service);
    },
    servicesAt: (address) => services.by("address", address).map(dnsService),
    endpointsOf: (key) => slices.by("service", key).map(dnsEndpoints),
    endpointsAt: (address) => slices.by("address", address).map(dnsEndpoints),
    hasNamespace: (name) => namespaces.get(name) !== undefined,
  });
}
