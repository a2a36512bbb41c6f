import { throughProxyAnnotation, throughProxyCondition } from "#api/delivery/through-proxy.ts";
import type { Condition } from "#api/generated/meta-v1.ts";
import type { Service } from "#api/generated/core-v1.ts";
import { services as serviceResource } from "#api/generated/resources.ts";
import type { Cidr } from "#base/cidr.ts";
import type { Action } from "#reconcile/action.ts";
import type { Controller } from "#reconcile/controller.ts";
import type { Informer } from "#reconcile/informer.ts";
import { createLoop, type LoopDependencies } from "#reconcile/loop.ts";
import { timeText } from "#reconcile/object-view.ts";
import { splitsDeclaration } from "../ingress/declarations.ts";
import { servicesDeclaration, slicesDeclaration } from "../observed.ts";
import { policiesDeclaration, podsDeclaration, type PodPolicyView } from "../policy/loop.ts";
import { shieldOf } from "../policy/reach.ts";
import { serviceKey, serviceOfSlice } from "../service-proxy/compile.ts";
import { endpointsBehind, isClosed, servicesBehind } from "./behind.ts";
import { throughProxy, type ThroughProxy } from "./opt-in.ts";

export interface ServiceTrafficFacts {
  readonly clusterPods: Cidr;
  readonly dnsAddress: string;
}

/**
 * Says of Services whether pods reach them through their node's proxy, and why not, in their condition `ThroughProxy`. Every node
 * judges for itself by the same function. Pods are looked at only when there are policies and somebody has asked.
 */
export function createServiceTrafficController(dependencies: LoopDependencies, facts: ServiceTrafficFacts): Controller {
  const { informers } = dependencies;
  const [services, slices] = [informers.of(servicesDeclaration), informers.of(slicesDeclaration)];
  const [splits, policies] = [informers.of(splitsDeclaration), informers.of(policiesDeclaration)];
  let pods: Informer<PodPolicyView> | undefined;
  let enqueueAll = (): void => undefined;
  const podsNow = (): Informer<PodPolicyView> => {
    if (pods === undefined) {
      pods = informers.of(podsDeclaration);
      pods.handle((_, old, current) => {
        if (JSON.stringify(old) !== JSON.stringify(current)) enqueueAll();
      });
      void pods.synced().then(enqueueAll);
    }
    return pods;
  };
  const isConcerned = (key: string): boolean => {
    const service = services.get(key);
    const isAsked = service?.metadata.annotations?.[throughProxyAnnotation] !== undefined;
    return isAsked || 0 < splits.by("service", key).length || conditionOf(service) !== undefined;
  };
  return createLoop(dependencies, {
    room: "network",
    name: "service-traffic",
    needs: [services, slices, splits, policies] as never,
    pass: (key, { now }) => {
      const service = services.get(key);
      if (service === undefined || !isConcerned(key)) return undefined;
      const own = splits.by("service", key);
      const known = policies.size === 0 ? undefined : podsNow();
      if (known?.hasSynced === false) return undefined;
      const shields = shieldOf(policies.list());
      const isShielded = (address: string): boolean | undefined => {
        if (known === undefined) return false;
        const [pod] = known.by("address", address);
        return pod === undefined ? undefined : shields(pod);
      };
      const shielded = (): string | undefined =>
        endpointsBehind(service, own, slices).find((one) => isClosed(one, isShielded, facts.clusterPods));
      const verdict = throughProxy(service, { splits: own, dnsAddress: facts.dnsAddress, shielded });
      return { actions: planCondition(service, verdict, now) };
    },
    watch: (enqueue) => {
      enqueueAll = () => {
        for (const service of services.list()) if (isConcerned(serviceKey(service))) enqueue(serviceKey(service));
      };
      const enqueueConcerned = (key: string): void => {
        if (isConcerned(key)) enqueue(key);
      };
      return [
        services.handle(enqueueConcerned),
        slices.handle((_, old, current) => {
          for (const slice of [old, current])
            if (slice !== undefined) servicesBehind(serviceOfSlice(slice), splits).forEach(enqueueConcerned);
        }),
        splits.handle((_, old, current) => {
          for (const split of [old, current])
            if (split !== undefined) enqueue(`${split.metadata.namespace}/${split.spec.service}`);
        }),
        policies.handle(() => enqueueAll()),
      ];
    },
  });
}

function conditionOf(service: Service | undefined): Condition | undefined {
  return service?.status?.conditions?.find(({ type }) => type === throughProxyCondition);
}

/** The write that makes a Service's condition say so; none when it does. Nobody asked: it has none. */
export function planCondition(service: Service, verdict: ThroughProxy | undefined, now: number): Action[] {
  const before = conditionOf(service);
  const { namespace, name = "", uid } = service.metadata;
  const write = (condition: object, reason: string): Action[] => [
    {
      verb: "patch",
      resource: serviceResource,
      namespace,
      name,
      type: "strategic",
      subresource: "status",
      patch: { metadata: { uid }, status: { conditions: [condition] } },
      reason,
    },
  ];
  if (verdict === undefined) {
    if (before === undefined) return [];
    return write(
      { type: throughProxyCondition, $patch: "delete" },
      `Nobody asks for Service ${name} through the proxy`,
    );
  }
  const { reason, message, ports } = verdict;
  const status = 0 < ports.length ? "True" : "False";
  if (before?.status === status && before.reason === reason && before.message === message) return [];
  const lastTransitionTime = before?.status === status ? before.lastTransitionTime : timeText(now);
  return write({ type: throughProxyCondition, status, reason, message, lastTransitionTime }, message);
}
