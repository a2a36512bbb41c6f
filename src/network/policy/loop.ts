import type { Cidr } from "#base/cidr.ts";
import type { NetworkPolicy } from "#api/generated/networking-v1.ts";
import { networkpolicies, pods } from "#api/generated/resources.ts";
import type { Pod } from "#api/generated/core-v1.ts";
import { isTerminalPhase } from "#api/pod-readiness.ts";
import type { Informer, InformerDeclaration } from "#reconcile/informer.ts";
import type { Informers } from "#reconcile/informers.ts";
import type { Timers } from "#world/clock.ts";
import type { KernelRules, RuleTable } from "#world/kernel-rules.ts";
import { isForwardable } from "../addresses.ts";
import { Coalesced } from "../coalesced.ts";
import { admittedPodsMax } from "../limits.ts";
import type { Observed } from "../observed.ts";
import { compilePolicies, type Allowance, type PolicyPod } from "./compile.ts";
import { shieldOf } from "./reach.ts";
import { policyTable } from "./table.ts";

export interface PolicyOptions {
  readonly observed: Observed;
  readonly informers: Informers;
  readonly kernelRules: KernelRules;
  readonly timers: Timers;
  readonly table: string;
  readonly nodeName: string;
  readonly onProblem: (problem: string, error: unknown) => void;
}

export interface PolicyLoop {
  start(): void;
  stop(): Promise<void>;
  /** Resolves when the policies that were known at the start hold. */
  readonly ready: Promise<void>;
  /**
   * Tells the address of a pod of this node before its containers start; resolves when its policies hold. While there are
   * policies, addresses that were never told (here or in the pod's status) are cut off.
   */
  admit(pod: Pod, address: string): Promise<void>;
  /** Who may talk, as the kernel holds it: `open` when there is no policy, undefined when that is not known yet. */
  view(): PolicyView | "open" | undefined;
  /** Calls `changed` after each change of the view. */
  handle(changed: () => void): void;
}

/** What NetworkPolicies say, for who sends connections on in the name of others. */
export interface PolicyView {
  /** Whether not everybody may talk to a pod, of whatever node; undefined when no such pod is known. */
  isShielded(address: string): boolean | undefined;
  /** This node's pods by address, with what they may reach; undefined: everything. */
  readonly own: ReadonlyMap<string, readonly Allowance[] | undefined>;
}

export interface PodPolicyView extends Omit<PolicyPod, "address"> {
  readonly address: string | undefined;
  readonly counts: boolean;
}

export const policiesDeclaration: InformerDeclaration<NetworkPolicy, NetworkPolicy> = {
  resource: networkpolicies,
  project: (policy) => policy,
};
export const podsDeclaration: InformerDeclaration<Pod, PodPolicyView> = {
  resource: pods,
  project: podPolicyView,
  indexes: { address: ({ address, counts }) => (address === undefined || !counts ? [] : [address]) },
};

/** Keeps the kernel's rules equal to what NetworkPolicies say. Without any policy there is no table, and no pod is watched. */
export function createPolicyLoop(options: PolicyOptions): PolicyLoop {
  const { observed, informers, kernelRules, timers } = options;
  const policies = informers.of(policiesDeclaration);
  const ready = Promise.withResolvers<void>();
  const admitted = new Map<
    string,
    { readonly pod: PodPolicyView; readonly address: string; waiting: (() => void)[] }
  >();
  let allPods: Informer<PodPolicyView> | undefined;
  let subscriptions: readonly { close(): void }[] = [];
  let applied: string | undefined;
  let view: PolicyView | "open" | undefined;
  const handlers: (() => void)[] = [];

  const show = (now: PolicyView | "open"): void => {
    view = now;
    for (const changed of handlers) changed();
  };
  const settle = (): void => {
    for (const [key, entry] of admitted) {
      for (const resolve of entry.waiting) resolve();
      entry.waiting = [];
      // From now on the object itself tells the address, or the pod is gone.
      const seen = allPods?.get(key);
      if (policies.size === 0 || seen?.address === entry.address || admittedPodsMax < admitted.size)
        admitted.delete(key);
    }
  };
  const work = async (): Promise<void> => {
    if (policies.size === 0) {
      if (applied !== "") await kernelRules.removeTable(options.table);
      if (view !== "open") show("open");
      applied = "";
    } else {
      allPods ??= watchPods(informers, () => loop.kick());
      if (!allPods.hasSynced) return;
      const { table, view: now } = judge(options, policies.list(), allPods, admitted);
      const text = JSON.stringify(table, (_, value: unknown) => (value instanceof Map ? [...value] : value));
      // Whoever sends on in the name of others learns it first.
      show(now);
      if (text !== applied) await kernelRules.replaceTable(table);
      applied = text;
    }
    settle();
    ready.resolve();
  };
  const loop = new Coalesced({
    timers,
    work,
    onProblem: (error) => options.onProblem("policy: cannot apply rules", error),
  });
  return {
    ready: ready.promise,
    view: () => view,
    handle: (changed) => void handlers.push(changed),
    start: () =>
      void Promise.all([policies, observed.namespaces, observed.nodes].map((informer) => informer.synced())).then(
        () => {
          subscriptions = [policies, observed.namespaces, observed.nodes].map((informer) =>
            informer.handle(() => loop.kick()),
          );
          loop.kick();
        },
      ),
    stop: () => {
      for (const subscription of subscriptions) subscription.close();
      return loop.stop();
    },
    admit: (pod, address) => {
      // Nothing to wait for. A policy that comes now cuts the address off until the pod's status tells it.
      if (policies.hasSynced && policies.size === 0 && applied === "") return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      admitted.set(`${pod.metadata.namespace}/${pod.metadata.name}`, {
        pod: podPolicyView(pod),
        address,
        waiting: [resolve],
      });
      loop.kick();
      return promise;
    },
  };
}

function watchPods(informers: Informers, kick: () => void): Informer<PodPolicyView> {
  const informer = informers.of(podsDeclaration);
  informer.handle((_, old, current) => {
    if (JSON.stringify(old) !== JSON.stringify(current)) kick();
  });
  void informer.synced().then(kick);
  return informer;
}

function judge(
  { observed, table, nodeName }: PolicyOptions,
  policies: readonly NetworkPolicy[],
  allPods: Informer<PodPolicyView>,
  admitted: ReadonlyMap<string, { readonly pod: PodPolicyView; readonly address: string }>,
): { readonly table: RuleTable; readonly view: PolicyView } {
  const views = new Map(allPods.entries().map(({ key, view }) => [key, view]));
  for (const [key, { pod, address }] of admitted) views.set(key, { ...pod, ...views.get(key), address });
  const found: PolicyPod[] = [...views.values()].flatMap(({ counts, address, ...rest }) =>
    counts && address !== undefined && isForwardable(address) ? [{ ...rest, address }] : [],
  );
  const namespaces = new Map(observed.namespaces.entries().map(({ name, view }) => [name, view]));
  const plan = compilePolicies({ policies, pods: found, namespaces, nodeName });
  const nodePods: Cidr | undefined = observed.nodes.get(nodeName)?.podRange;
  const known = found.filter((pod) => pod.nodeName === nodeName).map(({ address }) => address);
  return {
    table: policyTable(plan, { table, known: [...new Set(known)], ...(nodePods === undefined ? {} : { nodePods }) }),
    view: {
      isShielded: shieldsOf(policies, found),
      own: new Map(known.map((address) => [address, plan.egress.get(address)])),
    },
  };
}

/** Looked up when somebody asks: in most clusters nobody does. */
function shieldsOf(policies: readonly NetworkPolicy[], pods: readonly PolicyPod[]): PolicyView["isShielded"] {
  let known: ReadonlyMap<string, boolean> | undefined;
  return (address) => {
    if (known === undefined) {
      const isShielded = shieldOf(policies);
      known = new Map(pods.map((pod) => [pod.address, isShielded(pod)]));
    }
    return known.get(address);
  };
}

function podPolicyView({ metadata, spec, status }: Pod): PodPolicyView {
  const ports = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].flatMap(
    (container) => container.ports ?? [],
  );
  return {
    namespace: metadata.namespace ?? "",
    labels: metadata.labels ?? {},
    nodeName: spec.nodeName,
    address: status?.podIP,
    counts: spec.hostNetwork !== true && !isTerminalPhase(status?.phase),
    namedPorts: ports.flatMap(({ name, protocol, containerPort }) =>
      name === undefined ? [] : [{ name, protocol: protocol ?? "TCP", port: containerPort }],
    ),
  };
}
