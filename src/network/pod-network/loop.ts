import { overlaps } from "#base/cidr.ts";
import type { Timers } from "#world/clock.ts";
import type { Disk } from "#world/disk.ts";
import type { NetworkLinks, Route } from "#world/network.ts";
import { Coalesced } from "../coalesced.ts";
import type { Observed } from "../observed.ts";
import { serviceRangesOf, type ClusterRanges } from "../service-ranges.ts";
import { planPodNetwork, planRoutes, type PodNetworkFacts } from "./wanted.ts";

export interface PodNetworkOptions {
  readonly observed: Observed;
  readonly links: NetworkLinks;
  readonly disk: Disk;
  readonly timers: Timers;
  readonly facts: PodNetworkFacts;
  readonly ranges: ClusterRanges;
  /** Where the runtime looks for the CNI configuration. */
  readonly configurationFile: string;
  readonly onProblem: (problem: string, error: unknown) => void;
}

export interface PodNetwork {
  start(): void;
  stop(): Promise<void>;
  /** Resolves when pods can be given addresses. */
  readonly ready: Promise<void>;
}

/** Keeps bridge, routes and CNI configuration equal to what the Nodes say. */
export function createPodNetwork(options: PodNetworkOptions): PodNetwork {
  const { observed, links, disk, facts, ranges } = options;
  const ready = Promise.withResolvers<void>();
  let written: string | undefined;
  let subscriptions: readonly { close(): void }[] = [];

  const work = async (): Promise<void> => {
    const plan = planPodNetwork(observed.nodes.list(), serviceRangesOf(observed, ranges), facts);
    await links.ensureBridge(facts.bridge);
    await links.setKernelSetting("net.ipv4.ip_forward", "1");
    if (plan.gateway !== undefined) await links.ensureAddress(facts.bridge, plan.gateway);
    const present = (await links.routes()).filter((route) => isOurs(route, ranges, facts.bridge));
    const change = planRoutes(present, plan.routes);
    if (plan.configuration !== undefined && plan.configuration !== written) {
      await disk.writeAtomically(options.configurationFile, plan.configuration, 0o644);
      written = plan.configuration;
      ready.resolve();
    }
    if (0 < change.remove.length + change.replace.length) await links.changeRoutes(change);
  };
  const loop = new Coalesced({
    timers: options.timers,
    work,
    onProblem: (error) => options.onProblem("pod-network: cannot set up", error),
  });
  return {
    ready: ready.promise,
    start: () =>
      void Promise.all([observed.nodes.synced(), observed.serviceRanges.synced()]).then(() => {
        const look = (_key: string, old: unknown, current: unknown): void => {
          if (JSON.stringify(old) !== JSON.stringify(current)) loop.kick();
        };
        subscriptions = [observed.nodes.handle(look), observed.serviceRanges.handle(look)];
        loop.kick();
      }),
    stop: () => {
      for (const subscription of subscriptions) subscription.close();
      return loop.stop();
    },
  };
}

/** Routes carry our mark, but another cluster on this machine marks its own alike: only our ranges and our bridge are ours. */
export function isOurs(
  { destination, device }: Route,
  { clusterPods, serviceRange }: ClusterRanges,
  bridge: string,
): boolean {
  return device === bridge || overlaps(destination, clusterPods) || overlaps(destination, serviceRange);
}
