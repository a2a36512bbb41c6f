import type { IngressActivity } from "#api/observability/activity.ts";
import type { IngressTraffic } from "#api/observability/traffic.ts";
import type { Client } from "#client/client.ts";
import type { Informer } from "#reconcile/informer.ts";
import type { Informers } from "#reconcile/informers.ts";
import type { Clock, Timer, Timers } from "#world/clock.ts";
import type { Disk } from "#world/disk.ts";
import type { Processes } from "#world/processes.ts";
import type { Random } from "#world/random.ts";
import type { Sockets } from "#world/sockets.ts";
import { Coalesced } from "../coalesced.ts";
import type { Observed } from "../observed.ts";
import { servedDestinations, withServices } from "../service-traffic/routes.ts";
import type { ServiceTraffic } from "../service-traffic/traffic.ts";
import { serviceOfSlice } from "../service-proxy/compile.ts";
import type { Place } from "../service-proxy/endpoints.ts";
import { compile } from "./compile.ts";
import type { IngressListen } from "./configuration.ts";
import { readActivity, serviceOf } from "./activity.ts";
import { classesDeclaration, holdsDeclaration, ingressesDeclaration, splitsDeclaration } from "./declarations.ts";
import { readTraffic } from "./counters.ts";
import { IngressDataPlane } from "./data-plane.ts";
import { Demands, type HeldCount } from "./demands.ts";
import { Haproxy } from "./haproxy.ts";
import { heldPlace } from "./hold-rules.ts";
import { backendName } from "./slots.ts";
import { reloadLookMs } from "./limits.ts";
import { Mirrors, mirrorsOf } from "./mirror.ts";
import { Patience } from "./patience.ts";
import type { Problem, Split } from "./route-table.ts";
import { Runtime } from "./runtime.ts";
import { WatchedSecrets } from "./secrets.ts";
import { SplitCounts, type HeldSplit } from "./split-counts.ts";

export interface IngressOptions {
  readonly observed: Observed;
  readonly informers: Informers;
  /** Reads the Secrets that accepted Ingresses name. */
  readonly client: Client;
  readonly processes: Processes;
  readonly disk: Disk;
  readonly sockets: Sockets;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly nodeName: string;
  readonly folder: string;
  readonly listen: IngressListen;
  /** What pods ask of Services and the proxy is to serve. */
  readonly traffic?: ServiceTraffic;
  /** Makes addresses of `listen` that are the node's by our doing only; called until it has succeeded. */
  readonly ensureAddresses?: () => Promise<void>;
  readonly defaultCertificate: () => Promise<string>;
  readonly onProblem: (problem: string, error: unknown) => void;
}

export interface IngressLoop {
  start(): void;
  /** HAProxy goes on. */
  stop(): Promise<void>;
  /** Ends HAProxy. After `stop`. */
  shutDown(): Promise<void>;
  /** Resolves when HAProxy serves what was known at the start. */
  readonly ready: Promise<void>;
  /** What of the Ingresses is not served, as of the last round. */
  problems(): readonly Problem[];
  /** Requests since HAProxy's start. Rejects with `RuntimeError` when it does not answer. */
  traffic(): Promise<IngressTraffic>;
  /** Requests that were held, by place. */
  held(): readonly HeldCount[];
  /** For how long no request came for each Service. Rejects when HAProxy does not tell. */
  activity(): Promise<IngressActivity>;
}

/** Keeps HAProxy serving what Ingresses, Services and EndpointSlices say. */
export function createIngressLoop(options: IngressOptions): IngressLoop {
  const { observed, informers, timers, folder, traffic } = options;
  const ingressInformer = informers.of(ingressesDeclaration);
  const classInformer = informers.of(classesDeclaration);
  const splitInformer = informers.of(splitsDeclaration);
  const runtime = new Runtime({ ...options, path: `${folder}/haproxy.sock` });
  const haproxy = new Haproxy({ ...options, runtime });
  const holdInformer = informers.of(holdsDeclaration);
  const ready = Promise.withResolvers<void>();
  let synced = false;
  let hasAddresses = false;
  let subscriptions: readonly { close(): void }[] = [];
  let problems: readonly Problem[] = [];
  /** Services that routes lead to: changes of others are nothing to us. */
  let routed: ReadonlySet<string> = new Set();

  const work = async (): Promise<void> => {
    if (!synced) return;
    if (traffic?.isKnown === false) return;
    if (!hasAddresses) await options.ensureAddresses?.();
    hasAddresses = true;
    const ingressesOnly = compile({
      ingresses: ingressInformer.list(),
      classes: classInformer.list(),
      service: (key) => observed.services.get(key),
      slices: (key) => observed.slices.by("service", key),
      secret: (key) => secrets.get(key),
      splits: splitInformer.list(),
      holds: holdInformer.list(),
    });
    const compiled = withServices(ingressesOnly, traffic?.routed() ?? [], {
      service: (key) => observed.services.get(key),
      slices: (key) => observed.slices.by("service", key),
      place: placeOf(options),
    });
    routed = new Set(compiled.services);
    secrets.watch(compiled.secrets);
    // A certificate that is only not known yet must not vanish from a HAProxy that serves it.
    if (!secrets.known) return;
    const waits = { isWaiting: demands.isWaiting(), nowMs: options.clock.monotonic() };
    const { table, isPart } = patience.tableFor(compiled.table, plane.slots, waits);
    if (isPart) again ??= timers.after(reloadLookMs, kickAgain);
    const faults = await plane.apply(table);
    mirrors.hold(mirrorsOf(table, plane.slots), plane.reloads);
    demands.listen(plane.reloads);
    traffic?.hold(servedDestinations(table));
    counts.hold(heldOf(table.splits));
    problems = [
      ...compiled.problems,
      ...[...faults].map(([id, message]) => ({ ingress: id, reason: "InvalidCertificate", message })),
    ];
    ready.resolve();
  };
  const loop = new Coalesced({ timers, work, onProblem: (error) => options.onProblem("ingress: cannot serve", error) });
  const kick = (): void => loop.kick();
  const patience = new Patience();
  let again: Timer | undefined;
  const kickAgain = (): void => {
    again = undefined;
    kick();
  };
  const onGone = (): void => {
    // Until it serves again packets go past it.
    traffic?.hold(new Set());
    kick();
  };
  const secrets = new WatchedSecrets(options, kick);
  const plane = new IngressDataPlane({ ...options, haproxy, runtime, onGone });
  const mirrors = new Mirrors({ ...options, runtime });
  const counts = new SplitCounts({ ...options, runtime, mirrored: (run) => mirrors.countsOf(run) });
  const demands = new Demands({
    ...options,
    runtime,
    holds: () => holdInformer.list(),
    serviceOf: (place) => {
      const id = [...plane.slots.backends].find(([, slot]) => heldPlace(backendName(slot)) === place)?.[0];
      return id === undefined ? undefined : serviceOf(id);
    },
  });
  const heldOf = (splits: readonly Split[]): HeldSplit[] =>
    splits.flatMap(({ id, threshold, run }) => {
      const split = splitInformer.get(id);
      if (split === undefined || run === undefined) return [];
      const { namespace = "", name = "", uid = "" } = split.metadata;
      return [{ namespace, name, uid, threshold, run }];
    });
  const kickIfRouted = (service: string): void => {
    if (routed.has(service)) kick();
  };
  return {
    ready: ready.promise,
    problems: () => problems,
    traffic: () => readTraffic(runtime, plane),
    held: () => demands.counts(),
    activity: () =>
      readActivity({ runtime, haproxy, slots: plane.slots, heldQuietMs: (service) => demands.quietMs(service) }),
    start: () => {
      traffic?.listen({ routes: kick, rules: () => undefined });
      const needed: readonly Informer<unknown>[] = [
        ingressInformer,
        classInformer,
        splitInformer,
        holdInformer,
        observed.services,
        observed.slices,
      ];
      void Promise.all(needed.map((informer) => informer.synced())).then(() => {
        synced = true;
        kick();
        subscriptions = [
          ingressInformer.handle(kick),
          classInformer.handle(kick),
          splitInformer.handle(kick),
          holdInformer.handle(() => {
            demands.look();
            kick();
          }),
          observed.services.handle(kickIfRouted),
          observed.slices.handle((_, old, current) => {
            for (const slice of [old, current]) if (slice !== undefined) kickIfRouted(serviceOfSlice(slice));
          }),
        ];
      });
    },
    stop: async () => {
      for (const subscription of subscriptions) subscription.close();
      await loop.stop();
      again?.cancel();
      mirrors.stop();
      demands.stop();
      await counts.stop();
      secrets.stop();
      plane.close();
    },
    shutDown: () => haproxy.stop(),
  };
}

function placeOf({ observed, nodeName }: IngressOptions): Place {
  const zone = observed.nodes.get(nodeName)?.zone;
  return { nodeName, ...(zone === undefined ? {} : { zone }) };
}
