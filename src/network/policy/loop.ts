import type { Cidr } from "#base/cidr.ts";
import type { NetworkPolicy } from "#api/generated/networking-v1.ts";
import { networkpolicies, pods } from "#api/generated/resources.ts";
import type { Pod } from "#api/generated/core-v1.ts";
import type { Informer, InformerDeclaration } from "#reconcile/informer.ts";
import type { Informers } from "#reconcile/informers.ts";
import type { Timers } from "#world/clock.ts";
import type { KernelRules } from "#world/kernel-rules.ts";
import { isForwardable } from "../addresses.ts";
import { Coalesced } from "../coalesced.ts";
import { admittedPodsMax } from "../limits.ts";
import type { Observed } from "../observed.ts";
import { compilePolicies, type PolicyPod } from "./compile.ts";
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
}

interface PodPolicyView extends Omit<PolicyPod, "address"> {
  readonly address: string | undefined;
  readonly counts: boolean;
}

const policiesDeclaration: InformerDeclaration<NetworkPolicy, NetworkPolicy> = {
  resource: networkpolicies,
  project: (policy) => policy,
};
const podsDeclaration: InformerDeclaration<Pod, PodPolicyView> = { resource: pods, project: podPolicyView };

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
      applied = "";
    } else {
      allPods ??= watchPods(informers, () => loop.kick());
      if (!allPods.hasSynced) return;
      const table = tableOf(options, policies.list(), allPods, admitted);
      const text = JSON.stringify(table, (_, value: unknown) => (value instanceof Map ? [...value] : value));
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

function tableOf(
  { observed, table, nodeName }: PolicyOptions,
  policies: readonly NetworkPolicy[],
  allPods: Informer<PodPolicyView>,
  admitted: ReadonlyMap<string, { readonly pod: PodPolicyView; readonly address: string }>,
): ReturnType<typeof policyTable> {
  const views = new Map(allPods.entries().map(({ key, view }) => [key, view]));
  for (const [key, { pod, address }] of admitted) views.set(key, { ...pod, ...views.get(key), address });
  const found: PolicyPod[] = [...views.values()].flatMap(({ counts, address, ...rest }) =>
    counts && address !== undefined && isForwardable(address) ? [{ ...rest, address }] : [],
  );
  const namespaces = new Map(observed.namespaces.entries().map(({ name, view }) => [name, view]));
  const plan = compilePolicies({ policies, pods: found, namespaces, nodeName });
  const nodePods: Cidr | undefined = observed.nodes.get(nodeName)?.podRange;
  const known = found.filter((pod) => pod.nodeName === nodeName).map(({ address }) => address);
  return policyTable(plan, { table, known: [...new Set(known)], ...(nodePods === undefined ? {} : { nodePods }) });
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
    counts: spec.hostNetwork !== true && status?.phase !== "Succeeded" && status?.phase !== "Failed",
    namedPorts: ports.flatMap(({ name, protocol, containerPort }) =>
      name === undefined ? [] : [{ name, protocol: protocol ?? "TCP", port: containerPort }],
    ),
  };
}
