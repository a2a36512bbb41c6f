import { overlaps } from "#base/cidr.ts";
import type { Timers } from "#world/clock.ts";
import type { Disk } from "#world/disk.ts";
import type { NetworkLinks, Route } from "#world/network.ts";
import { Coalesced } from "../coalesced.ts";
import type { Observed } from "../observed.ts";
import { planPodNetwork, planRoutes, type PodNetworkFacts } from "./wanted.ts";

export interface PodNetworkOptions {
  readonly observed: Observed;
  readonly links: NetworkLinks;
  readonly disk: Disk;
  readonly timers: Timers;
  readonly facts: PodNetworkFacts;
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
  const { observed, links, disk, facts } = options;
  const ready = Promise.withResolvers<void>();
  let written: string | undefined;
  let subscription: { close(): void } | undefined;

  const work = async (): Promise<void> => {
    const plan = planPodNetwork(observed.nodes.list(), facts);
    await links.ensureBridge(facts.bridge);
    await links.setKernelSetting("net.ipv4.ip_forward", "1");
    if (plan.gateway !== undefined) await links.ensureAddress(facts.bridge, plan.gateway);
    const present = (await links.routes()).filter((route) => isOurs(route, facts));
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
      void observed.nodes.synced().then(() => {
        subscription = observed.nodes.handle((_, old, current) => {
          if (JSON.stringify(old) !== JSON.stringify(current)) loop.kick();
        });
        loop.kick();
      }),
    stop: () => {
      subscription?.close();
      return loop.stop();
    },
  };
}

/** Routes carry our mark, but another cluster on this machine marks its own alike: only our ranges are ours. */
export function isOurs({ destination }: Route, facts: Pick<PodNetworkFacts, "clusterPods" | "serviceRange">): boolean {
  return overlaps(destination, facts.clusterPods) || overlaps(destination, facts.serviceRange);
}
