import { addressAt, type Cidr } from "#base/cidr.ts";
import type { Pod } from "#api/generated/core-v1.ts";
import type { IngressActivity } from "#api/observability/activity.ts";
import type { IngressTraffic } from "#api/observability/traffic.ts";
import type { Client } from "#client/client.ts";
import { createInformers } from "#reconcile/informers.ts";
import type { Metrics } from "#telemetry/metrics.ts";
import type { Clock, Timers } from "#world/clock.ts";
import type { Disk } from "#world/disk.ts";
import type { KernelRules } from "#world/kernel-rules.ts";
import type { NetworkLinks } from "#world/network.ts";
import type { Processes } from "#world/processes.ts";
import type { Random } from "#world/random.ts";
import type { Sockets } from "#world/sockets.ts";
import { createClusterDns } from "./dns/loop.ts";
import type { IngressListen } from "./ingress/configuration.ts";
import type { HeldCount } from "./ingress/demands.ts";
import { noTraffic } from "./ingress/counters.ts";
import { createIngressLoop } from "./ingress/loop.ts";
import type { Problem } from "./ingress/route-table.ts";
import { observe } from "./observed.ts";
import { createPodNetwork, isOurs } from "./pod-network/loop.ts";
import { createPolicyLoop } from "./policy/loop.ts";
import { serviceRangesOf } from "./service-ranges.ts";
import { createServiceProxy } from "./service-proxy/loop.ts";
import { ServiceTraffic } from "./service-traffic/traffic.ts";
import { haproxyUser } from "./ingress/haproxy.ts";
import type { ProxyFacts } from "./service-proxy/facts.ts";
import { splitsDeclaration } from "./ingress/declarations.ts";

export interface NetworkOptions {
  /** Letters and digits; names of interfaces and tables are made of it. */
  readonly clusterId: string;
  readonly nodeName: string;
  readonly client: Client;
  readonly kernelRules: KernelRules;
  readonly links: NetworkLinks;
  readonly processes: Processes;
  readonly disk: Disk;
  readonly sockets: Sockets;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Folder of ours below the data dir; made when missing. */
  readonly dataDir: string;
  /** Folder where the runtime looks for CNI configurations. */
  readonly cniConfigurationDir: string;
  readonly clusterPods: Cidr;
  readonly serviceRange: Cidr;
  /** `cluster.local`. */
  readonly clusterDomain: string;
  /** `/etc/resolv.conf` of the host. */
  readonly resolvConf: string;
  /** Absent: this node serves no Ingress. */
  readonly ingress?: {
    readonly listen: IngressListen;
    /** PEM of a chain and key for hosts without a certificate of their own; asked for once. */
    readonly defaultCertificate: () => Promise<string>;
    /** Reads Ingresses' Secrets; default: `client`. */
    readonly client?: Client;
  };
  /** Where Services and DNS are measured; absent: nowhere. */
  readonly metrics?: Metrics;
  readonly onProblem: (problem: string, error: unknown) => void;
}

/** A node's network: pod network, Services, DNS, policies and ingress. */
export interface Network {
  start(): Promise<void>;
  /** Stops the loops; what they set up stays and goes on working. */
  stop(): Promise<void>;
  /** Removes everything that any life of this node's network left on the machine. After `stop`. */
  cleanup(): Promise<void>;
  /** Resolves when pods get addresses, Services are served and names are answered. */
  readonly ready: Promise<void>;
  /** The DNS server's address for pods. */
  readonly dnsAddress: string;
  /** Call it between a pod's sandbox and its containers: resolves when its network policies hold for its address. */
  admitPod(pod: Pod, address: string): Promise<void>;
  /** What of the Ingresses this node does not serve, and why. */
  ingressProblems(): readonly Problem[];
  /** Requests through this node's ingress. Rejects with `RuntimeError` when its proxy does not answer. */
  ingressTraffic(): Promise<IngressTraffic>;
  /** Requests that this node's ingress held. */
  ingressHeld(): readonly HeldCount[];
  /** For how long no request came to this node's ingress, by Service. Rejects when it is not known. */
  ingressActivity(): Promise<IngressActivity>;
}

/** Everything on a node that belongs to the network of one cluster. */
export function createNetwork(options: NetworkOptions): Network {
  const names = namesOf(options);
  const { onProblem, timers, disk, links } = options;
  const informers = createInformers({ ...options, onProblem });
  const observed = observe(informers, options.nodeName);
  const ranges = { clusterPods: options.clusterPods, serviceRange: options.serviceRange };
  const podNetwork = createPodNetwork({
    observed,
    links,
    disk,
    timers,
    onProblem,
    configurationFile: names.configurationFile,
    ranges,
    facts: {
      clusterPods: options.clusterPods,
      clusterId: options.clusterId,
      nodeName: options.nodeName,
      bridge: names.bridge,
      addressFolder: names.addressFolder,
    },
  });
  const policy = createPolicyLoop({ ...options, observed, informers, table: names.policyTable });
  const splits = informers.of(splitsDeclaration);
  const listen = options.ingress?.listen;
  const traffic =
    listen === undefined
      ? undefined
      : new ServiceTraffic({ ...options, observed, splits, policy, dnsAddress: names.dnsAddress });
  // The node alone has this address, and nobody else the ingress' port.
  const proxyAddress = { address: names.dnsAddress, port: listen?.httpPort ?? 0 };
  let proxyUserId: number | undefined;
  const proxy = (): ProxyFacts => ({ ...proxyAddress, ...(proxyUserId === undefined ? {} : { userId: proxyUserId }) });
  const serviceProxy = createServiceProxy({
    observed,
    clock: options.clock,
    timers,
    ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
    onProblem,
    ...(traffic === undefined ? {} : { traffic, proxy }),
    kernelRules: options.kernelRules,
    ranges,
    facts: {
      table: names.table,
      nodeName: options.nodeName,
      clusterPods: options.clusterPods,
      dnsAddress: names.dnsAddress,
    },
  });
  const dns = createClusterDns({
    ...options,
    observed,
    address: names.dnsAddress,
    domain: options.clusterDomain,
    ranges: () => [...serviceRangesOf(observed, ranges), options.clusterPods],
  });
  const ingress =
    options.ingress === undefined
      ? undefined
      : createIngressLoop({
          ...options,
          ...options.ingress,
          listen: { ...options.ingress.listen, services: proxyAddress },
          ensureAddresses: () => links.ensureAddress("lo", `${names.dnsAddress}/32`),
          ...(traffic === undefined ? {} : { traffic }),
          client: options.ingress.client ?? options.client,
          informers,
          observed,
          folder: names.ingressFolder,
        });
  const parts = [podNetwork, serviceProxy, dns, policy, ...(ingress === undefined ? [] : [ingress])];
  return {
    dnsAddress: names.dnsAddress,
    admitPod: (pod, address) => policy.admit(pod, address),
    ingressProblems: () => ingress?.problems() ?? [],
    ingressTraffic: async () => (await ingress?.traffic()) ?? noTraffic,
    ingressHeld: () => ingress?.held() ?? [],
    ingressActivity: async () => (await ingress?.activity()) ?? { quietSeconds: {} },
    ready: Promise.all(parts.map((part) => part.ready)).then(() => undefined),
    start: async () => {
      await disk.makeDirectory(options.dataDir, 0o700);
      proxyUserId = (await haproxyUser(disk))?.id;
      for (const part of parts) part.start();
      traffic?.start();
      informers.start();
    },
    stop: async () => {
      informers.stop();
      traffic?.stop();
      await Promise.all(parts.map((part) => part.stop()));
    },
    cleanup: async () => {
      await ingress?.shutDown();
      await cleanUp(options, names);
    },
  };
}

interface Names {
  readonly table: string;
  readonly policyTable: string;
  readonly bridge: string;
  readonly dnsAddress: string;
  readonly configurationFile: string;
  readonly addressFolder: string;
  readonly ingressFolder: string;
}

/** Interface names hold 15 characters. */
function namesOf({ clusterId, serviceRange, cniConfigurationDir, dataDir }: NetworkOptions): Names {
  if (!/^[a-z0-9]{4,32}$/.test(clusterId))
    throw new Error(`Cannot name the network of cluster "${clusterId}": 4 to 32 of a-z and 0-9 wanted`);
  return {
    table: `steer_${clusterId}`,
    policyTable: `steer_${clusterId}_policy`,
    bridge: `steer-${clusterId.slice(0, 9)}`,
    dnsAddress: addressAt(serviceRange, 10),
    configurationFile: `${cniConfigurationDir}/10-steer-${clusterId}.conflist`,
    addressFolder: `${dataDir}/pod-addresses`,
    ingressFolder: `${dataDir}/haproxy`,
  };
}

async function cleanUp(options: NetworkOptions, names: Names): Promise<void> {
  const { links, disk, kernelRules } = options;
  await kernelRules.removeTable(names.table);
  await kernelRules.removeTable(names.policyTable);
  const routes = (await links.routes()).filter((route) => isOurs(route, options, names.bridge));
  await links.changeRoutes({ remove: routes, replace: [] });
  for (const port of await links.bridgePorts(names.bridge)) await links.removeLink(port);
  await links.removeLink(names.bridge);
  await links.removeAddress("lo", `${names.dnsAddress}/32`);
  await disk.remove(names.configurationFile);
  await disk.remove(options.dataDir);
}
