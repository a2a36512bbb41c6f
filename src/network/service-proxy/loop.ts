import type { Metrics } from "#telemetry/metrics.ts";
import type { Clock, Timers } from "#world/clock.ts";
import type { KernelRules } from "#world/kernel-rules.ts";
import { Coalesced } from "../coalesced.ts";
import type { Observed, PodView } from "../observed.ts";
import { serviceRangesOf, type ClusterRanges } from "../service-ranges.ts";
import type { ServiceTraffic } from "../service-traffic/traffic.ts";
import { RuleApplier, type OwnerElements } from "./apply.ts";
import { compileHostPorts, compileNodes, compileService, serviceOfSlice } from "./compile.ts";
import type { HostPort, NodeFacts, ProxyFacts } from "./facts.ts";
import { ProxyMeasures } from "./measures.ts";
import { RuleState } from "./rule-state.ts";
import { emptyTable } from "./table.ts";

export interface ServiceProxyOptions {
  readonly observed: Observed;
  readonly kernelRules: KernelRules;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Absent: nobody measures. */
  readonly metrics?: Metrics;
  /** Facts that never change; those of the own Node are added as it says them. */
  readonly facts: Omit<NodeFacts, "nodePods" | "zone" | "proxy" | "serviceRanges">;
  readonly ranges: ClusterRanges;
  /** What goes through the node's proxy instead. */
  readonly traffic?: ServiceTraffic;
  readonly proxy?: () => ProxyFacts;
  readonly onProblem: (problem: string, error: unknown) => void;
}

export interface ServiceProxy {
  start(): void;
  stop(): Promise<void>;
  /** Resolves when the kernel has rules for everything that was known at the start. */
  readonly ready: Promise<void>;
}

/** Owners beside Services: no Service has a key without a slash. */
const nodesOwner = "nodes";
const hostPortsOwner = "host-ports";
const proxyClientsOwner = "proxy-clients";

/** Keeps the kernel's rules equal to what Services and EndpointSlices say. */
export function createServiceProxy(options: ServiceProxyOptions): ServiceProxy {
  const { observed, timers, clock, metrics } = options;
  const measures = metrics === undefined ? undefined : new ProxyMeasures(metrics, clock);
  const ready = Promise.withResolvers<void>();
  const dirty = new Set<string>();
  let facts = currentFacts(options);
  let applier = newApplier(options, facts);
  let subscriptions: readonly { close(): void }[] = [];

  const everything = (): void => {
    for (const { key } of observed.services.entries()) dirty.add(key);
    dirty.add(nodesOwner).add(hostPortsOwner).add(proxyClientsOwner);
  };
  /** What one malformed object breaks is its own: its rules stay as they were, the others go on. */
  const attempt = (owner: string): OwnerElements[] => {
    try {
      return [elementsOf(options, facts, owner)];
    } catch (error) {
      options.onProblem(`service-proxy: cannot compile ${owner}`, error);
      return [];
    }
  };
  const work = async (): Promise<void> => {
    const now = currentFacts(options);
    if (!sameFacts(now, facts)) {
      facts = now;
      applier = newApplier(options, facts);
      everything();
    }
    const owners = [...dirty];
    dirty.clear();
    const synced = measures?.began();
    try {
      await applier.apply(owners.flatMap((owner) => attempt(owner)));
    } catch (error) {
      for (const owner of owners) dirty.add(owner);
      synced?.(false);
      throw error;
    }
    synced?.(true);
    ready.resolve();
  };
  const loop = new Coalesced({
    timers,
    work,
    onProblem: (error) => options.onProblem("service-proxy: cannot apply rules", error),
  });
  const mark = (owner: string): void => {
    dirty.add(owner);
    loop.kick();
  };
  const start = async (): Promise<void> => {
    // Rules of half the objects would cut off Services that work by the rules of before.
    await Promise.all(
      [observed.services, observed.slices, observed.nodes, observed.serviceRanges, observed.ownPods].map((informer) =>
        informer.synced(),
      ),
    );
    await options.traffic?.settled;
    everything();
    loop.kick();
    options.traffic?.listen({ routes: () => undefined, rules: (service = proxyClientsOwner) => mark(service) });
    subscriptions = [
      observed.services.handle((key) => {
        measures?.serviceChanged();
        mark(key);
      }),
      observed.slices.handle((_, old, current) => {
        measures?.endpointsChanged(current);
        if (old !== undefined) mark(serviceOfSlice(old));
        if (current !== undefined) mark(serviceOfSlice(current));
      }),
      observed.nodes.handle(() => mark(nodesOwner)),
      observed.serviceRanges.handle(() => loop.kick()),
      observed.ownPods.handle((_, old, current) => {
        if (!sameHostPorts(old, current)) mark(hostPortsOwner);
      }),
    ];
  };
  return {
    ready: ready.promise,
    start: () => void start(),
    stop: () => {
      for (const subscription of subscriptions) subscription.close();
      return loop.stop();
    },
  };
}

function newApplier({ kernelRules }: ServiceProxyOptions, facts: NodeFacts): RuleApplier {
  return new RuleApplier(kernelRules, facts.table, new RuleState(emptyTable(facts)));
}

function currentFacts({ facts, observed, proxy, ranges }: ServiceProxyOptions): NodeFacts {
  const own = observed.nodes.get(facts.nodeName);
  return {
    ...facts,
    serviceRanges: serviceRangesOf(observed, ranges),
    ...(proxy === undefined ? {} : { proxy: proxy() }),
    ...(own?.podRange === undefined ? {} : { nodePods: own.podRange }),
    ...(own?.zone === undefined ? {} : { zone: own.zone }),
  };
}

function sameFacts(a: NodeFacts, b: NodeFacts): boolean {
  const isSameOwn = a.nodePods === b.nodePods && a.zone === b.zone && a.proxy?.userId === b.proxy?.userId;
  return isSameOwn && a.serviceRanges.join() === b.serviceRanges.join();
}

function elementsOf({ observed, traffic }: ServiceProxyOptions, facts: NodeFacts, owner: string): OwnerElements {
  if (owner === proxyClientsOwner) return { owner, rank: "", elements: traffic?.clients() ?? [] };
  if (owner === nodesOwner) {
    return { owner, rank: "", elements: compileNodes(observed.nodes.list().flatMap(({ addresses }) => addresses)) };
  }
  if (owner === hostPortsOwner)
    return { owner, rank: "", elements: compileHostPorts(observed.ownPods.list().flatMap(hostPortsOf)) };
  const service = observed.services.get(owner);
  if (service === undefined) return { owner, rank: "", elements: [] };
  const rank = `${service.metadata.creationTimestamp ?? ""} ${owner}`;
  const elements = compileService(service, observed.slices.by("service", owner), facts);
  return { owner, rank, elements: [...elements, ...(traffic?.elements(owner) ?? [])] };
}

function hostPortsOf({ key, address, hostNetwork, ended, hostPorts }: PodView): HostPort[] {
  if (address === undefined || hostNetwork || ended) return [];
  return hostPorts.flatMap(({ protocol, ...rest }) =>
    protocol === "TCP" || protocol === "UDP" || protocol === "SCTP" ? [{ pod: key, address, protocol, ...rest }] : [],
  );
}

function sameHostPorts(old: PodView | undefined, current: PodView | undefined): boolean {
  const [before, after] = [old, current].map((pod) => (pod === undefined ? [] : hostPortsOf(pod)));
  return JSON.stringify(before) === JSON.stringify(after);
}
