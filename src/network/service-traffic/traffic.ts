import type { TrafficSplit } from "#api/delivery/traffic-split.ts";
import type { Service } from "#api/generated/core-v1.ts";
import type { Cidr } from "#base/cidr.ts";
import type { Informer } from "#reconcile/informer.ts";
import type { Clock, Timers } from "#world/clock.ts";
import type { ElementChange } from "#world/kernel-rules.ts";
import { serviceLeaveMs, trafficReadyMs } from "../limits.ts";
import type { Observed } from "../observed.ts";
import type { PolicyView } from "../policy/loop.ts";
import { serviceKey, serviceOfSlice } from "../service-proxy/compile.ts";
import { targetsOf, type Place, type Target } from "../service-proxy/endpoints.ts";
import { clientElements, proxiedElements } from "./elements.ts";
import { endpointsBehind, isClosed, servicesBehind } from "./behind.ts";
import { candidateOf, splitOfService, throughProxy, type ThroughProxy } from "./opt-in.ts";
import type { RoutedService } from "./routes.ts";

export interface ServiceTrafficOptions {
  readonly observed: Observed;
  readonly splits: Informer<TrafficSplit>;
  readonly policy: { view(): PolicyView | "open" | undefined; handle(changed: () => void): void };
  readonly clock: Clock;
  readonly timers: Timers;
  readonly nodeName: string;
  readonly clusterPods: Cidr;
  readonly dnsAddress: string;
}

export interface TrafficListener {
  /** `routed` answers something else now. */
  routes(): void;
  /** Elements of a Service, or with undefined those of clients. */
  rules(serviceKey: string | undefined): void;
}

interface Judged {
  readonly verdict: ThroughProxy;
  readonly service: Service;
  readonly split: TrafficSplit | undefined;
}

/**
 * Which Services of this node's pods go through its proxy. The proxy learns of a Service first (`routed`), says what it serves
 * (`hold`), and only then rules send connections there (`elements`); the other way round on the way back.
 */
export class ServiceTraffic {
  readonly #options: ServiceTrafficOptions;
  readonly #judged = new Map<string, Judged>();
  /** Services that have left, and until when the proxy keeps their routes for connections that are there. */
  readonly #leaving = new Map<string, { readonly judged: Judged; readonly untilMs: number }>();
  #held: ReadonlySet<string> = new Set();
  #isKnown = false;
  #listeners: TrafficListener[] = [];
  #subscriptions: readonly { close(): void }[] = [];
  readonly #settled = Promise.withResolvers<void>();

  constructor(options: ServiceTrafficOptions) {
    this.#options = options;
  }

  listen(listener: TrafficListener): void {
    this.#listeners.push(listener);
  }

  /** Whether `routed` tells all: before, what the proxy of an earlier life serves must stay. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Resolves when it is known what the proxy serves, or has been waited for long enough: rules of before hold until then. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  start(): void {
    const { observed, splits, policy, timers } = this.#options;
    const needed = [observed.services, observed.slices, splits];
    void Promise.all(needed.map((informer) => informer.synced())).then(() => {
      // What pods' requests wait for must not depend on a proxy that does not come up.
      timers.after(trafficReadyMs, () => {
        this.#settled.resolve();
        this.#know();
      });
      policy.handle(() => this.#lookAtAll());
      this.#subscriptions = [
        splits.handle((_, old, current) => {
          for (const split of [old, current])
            if (split !== undefined) this.#look(`${split.metadata.namespace}/${split.spec.service}`);
        }),
        observed.services.handle((key) => this.#look(key)),
        observed.slices.handle((_, old, current) => {
          for (const slice of [old, current]) if (slice !== undefined) this.#lookAtEndpoints(serviceOfSlice(slice));
        }),
      ];
      if (policy.view() !== undefined) this.#lookAtAll();
    });
  }

  stop(): void {
    for (const subscription of this.#subscriptions) subscription.close();
  }

  /** What the proxy should serve. */
  routed(): RoutedService[] {
    const now = this.#options.clock.monotonic();
    for (const [key, { untilMs }] of this.#leaving) if (untilMs <= now) this.#leaving.delete(key);
    const of = ({ service, split, verdict: { ports } }: Judged, isLeaving: boolean): RoutedService => ({
      service,
      ports,
      split,
      isLeaving,
    });
    return [
      ...[...this.#judged.values()].map((judged) => of(judged, false)),
      ...[...this.#leaving.values()].map(({ judged }) => of(judged, true)),
    ];
  }

  /** Tells what the proxy serves from now on: `10.96.0.5:80`. Nothing, when it has died. */
  hold(destinations: ReadonlySet<string>): void {
    const before = this.#held;
    this.#held = destinations;
    if (destinations.size > 0) this.#settled.resolve();
    const changed = before.symmetricDifference(destinations);
    for (const [key, { service, verdict }] of this.#judged)
      if (verdict.ports.some((port) => changed.has(destinationOf(service, port.port)))) this.#tellRules(key);
  }

  /** The elements of the packet rules that send a Service's connections to the proxy. */
  elements(key: string): ElementChange[] {
    const judged = this.#judged.get(key);
    if (judged === undefined) return [];
    const { service, split, verdict } = judged;
    const ports = verdict.ports.filter((port) => this.#held.has(destinationOf(service, port.port)));
    const behind = [key, ...(split === undefined ? [] : [candidateOf(split)])];
    const targets = ports.map((port) => ({
      port: port.port,
      targets: behind.flatMap((one) => this.#targets(one, port)),
    }));
    return proxiedElements(service, targets, this.#options.policy.view());
  }

  clients(): ElementChange[] {
    return clientElements(this.#options.policy.view());
  }

  #targets(key: string, { port, name }: { readonly port: number; readonly name?: string }): Target[] {
    const { observed, nodeName } = this.#options;
    const place: Place = { nodeName };
    const same = observed.services
      .get(key)
      ?.spec.ports?.find((one) => one.port === port && (one.name ?? "") === (name ?? ""));
    if (same === undefined) return [];
    const { cluster, local } = targetsOf(same, observed.slices.by("service", key), place);
    return [...cluster, ...local];
  }

  #lookAtAll(): void {
    for (const key of this.#judged.keys()) this.#look(key);
    for (const service of this.#options.observed.services.list()) this.#look(serviceKey(service));
    for (const listener of this.#listeners) listener.rules(undefined);
    if (this.#options.policy.view() === undefined) return;
    if (this.#judged.size === 0) this.#settled.resolve();
    this.#know();
  }

  #know(): void {
    if (this.#isKnown) return;
    this.#isKnown = true;
    for (const listener of this.#listeners) listener.routes();
  }

  #lookAtEndpoints(key: string): void {
    for (const one of servicesBehind(key, this.#options.splits)) this.#look(one);
  }

  #look(key: string): void {
    const service = this.#options.observed.services.get(key);
    const split = splitOfService(this.#splitsOf(key));
    const verdict = service === undefined ? undefined : this.#verdictOf(service);
    const before = this.#judged.get(key);
    if (service === undefined || verdict === undefined || verdict.ports.length === 0) {
      if (before === undefined) return;
      this.#judged.delete(key);
      this.#leave(key, before, service);
    } else {
      this.#judged.set(key, { service, split, verdict });
      this.#leaving.delete(key);
    }
    this.#tellRules(key);
    if (before !== undefined && JSON.stringify(before) === JSON.stringify(this.#judged.get(key))) return;
    for (const listener of this.#listeners) listener.routes();
  }

  /** A Service that is gone, or has another address, has no connections that could still be served. */
  #leave(key: string, judged: Judged, service: Service | undefined): void {
    if (service?.spec.clusterIP !== judged.service.spec.clusterIP) return;
    const { clock, timers } = this.#options;
    this.#leaving.set(key, { judged, untilMs: clock.monotonic() + serviceLeaveMs });
    timers.after(serviceLeaveMs + 1, () => {
      for (const listener of this.#listeners) listener.routes();
    });
  }

  #verdictOf(service: Service): ThroughProxy | undefined {
    const { dnsAddress, observed, policy, clusterPods } = this.#options;
    const splits = this.#splitsOf(serviceKey(service));
    const view = policy.view();
    const isShielded = (address: string): boolean | undefined =>
      view === undefined || (view !== "open" && view.isShielded(address));
    const shielded = (): string | undefined =>
      endpointsBehind(service, splits, observed.slices).find((address) => isClosed(address, isShielded, clusterPods));
    return throughProxy(service, { splits, dnsAddress, shielded });
  }

  #splitsOf(key: string): TrafficSplit[] {
    return [...this.#options.splits.by("service", key)];
  }

  #tellRules(key: string): void {
    for (const listener of this.#listeners) listener.rules(key);
  }
}

function destinationOf({ spec }: Service, port: number): string {
  return `${spec.clusterIP}:${port}`;
}
