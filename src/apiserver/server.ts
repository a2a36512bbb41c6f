import type { Kind } from "#api/kind.ts";
import { apiVersionOf, type AggregatedApis, type Resource } from "#api/resource.ts";
import type { VirtualGroup } from "#api/virtual-group.ts";
import type { Entry, Store } from "#store/store.ts";
import type { Metrics } from "#telemetry/metrics.ts";
import { wantsWebSocket } from "#streams/websocket.ts";
import type { Clock, Timers } from "#world/clock.ts";
import type { HttpHandler, HttpRequest, HttpResponse, Peer, Transport } from "#world/http.ts";
import type { Connection } from "#world/sockets.ts";
import type { Random } from "#world/random.ts";
import { PolicyStatus } from "./admission/policies/status.ts";
import { Aggregation } from "./aggregation/aggregation.ts";
import { Audit, type AuditOptions } from "./audit/audit.ts";
import type { AdmissionPlugin } from "./admission.ts";
import type { TokenIssuer } from "./authenticate/token-issuer.ts";
import type { Authenticator } from "./authenticator.ts";
import type { Authorizer } from "./authorizer.ts";
import type { Call, HealthCheck, Parts, PlainDocument, VersionInfo } from "./call.ts";
import { handedOver, upgrades } from "./connect/forward.ts";
import { answerInstead } from "./connect/upgrade.ts";
import { watchOverWebSocket } from "./connect/watch-messages.ts";
import { CustomDefinitions } from "./custom/definitions.ts";
import { Deadlines } from "./deadlines.ts";
import { Failure } from "./failure.ts";
import { Fairness } from "./fairness/fairness.ts";
import { inProcessTransport } from "./in-process.ts";
import { requestTimeoutMs } from "./limits.ts";
import type { NodeConnector } from "./node-connector.ts";
import type { GroupResource, ObjectReader } from "./object-reader.ts";
import { ObjectCache } from "./objects/cache.ts";
import { KeptReads } from "./objects/kept-reads.ts";
import { headBelow, PendingKeys } from "./objects/pending.ts";
import type { Describe } from "./openapi/documented.ts";
import { noteAnswered, pipelineStages, runStages } from "./pipeline.ts";
import { endingConnection } from "./connect/ending-connection.ts";
import { healthFamilies } from "./discovery/health.ts";
import { Measures, storageFamilies } from "./measures.ts";
import type { Counted, RequestCounts } from "./request-counts.ts";
import { SelectionIndexes } from "./reads/selection-index.ts";
import { Registry } from "./registry.ts";
import { anonymous } from "./stages/authenticate.ts";
import { routeOf, type RequestInfo } from "./stages/route.ts";
import { internalFailure, statusResponse } from "./status.ts";
import type { User } from "./user.ts";
import { registerVirtual } from "./virtual/answer.ts";
import type { WebhookCaller } from "./webhook-caller.ts";
import { WatchHub } from "./watch/hub.ts";
import { WatchesByUser } from "./watch/watches-by-user.ts";

export interface ApiServerOptions {
  readonly kinds: readonly Kind[];
  readonly store: Store;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** A function gets the server's reader of stored objects. */
  readonly authenticator: Authenticator | ((objects: ObjectReader) => Authenticator);
  readonly authorizer: Authorizer | ((objects: ObjectReader) => Authorizer);
  readonly admission: readonly AdmissionPlugin[] | ((objects: ObjectReader) => readonly AdmissionPlugin[]);
  readonly version: VersionInfo;
  /** Absent: nodes cannot be reached; logs, exec and the like answer 503. */
  readonly nodes?: NodeConnector;
  readonly tokens?: TokenIssuer | ((objects: ObjectReader) => TokenIssuer);
  /** Further documents by exact path: `/metrics`, `/openid/v1/jwks`, `/.well-known/openid-configuration`. */
  readonly documents?: ReadonlyMap<string, PlainDocument>;
  /** Groups that a provider answers and the store does not keep: metrics. */
  readonly virtual?: readonly VirtualGroup[];
  readonly health?: readonly HealthCheck[];
  /** Descriptions of types and fields for the OpenAPI documents. */
  readonly describe?: Describe;
  /** Absent: custom resources whose versions a webhook converts are told so. */
  readonly webhooks?: WebhookCaller | ((objects: ObjectReader) => WebhookCaller);
  readonly gzip?: (bytes: Uint8Array) => Promise<Uint8Array>;
  /** What WebSocket handshakes need; absent: watches cannot come as WebSockets. */
  readonly sha1?: (bytes: Uint8Array) => Uint8Array;
  /** What is written down of who did what; absent: nothing. */
  readonly audit?: AuditOptions;
  /** Absent: nobody counts requests. */
  readonly counts?: RequestCounts;
  /** Where what happens inside is measured; absent: it is not. */
  readonly metrics?: Metrics;
  readonly log?: (message: string, error: unknown) => void;
}

export interface ApiServer {
  readonly handler: HttpHandler;
  readonly objects: ObjectReader;
  /** Every resource that is served by now from the store, built-in and custom; the list is a new one after a change. */
  resources(): readonly Resource<unknown>[];
  /** What other servers answer through this one. */
  readonly aggregated: AggregatedApis;
  /** Whether this resource is served by now, from the store or by another server; a provider's group has resources without end. */
  serves(apiVersion: string, resource: string): "resource" | "group" | undefined;
  /** A transport inside the process for a user that needs no credentials. */
  transportFor(user: User): Transport;
  close(): void;
}

/** Puts the API server together. It owns nothing but its watches; the store stays its caller's. */
export function createApiServer(options: ApiServerOptions): ApiServer {
  const { store, clock, timers, random } = options;
  const registry = new Registry(options.kinds);
  const virtual = new Map((options.virtual ?? []).map((group) => [apiVersionOf(group), group]));
  for (const group of virtual.values()) registerVirtual(registry, group);
  const objects = new ObjectCache(timers);
  const pending = new PendingKeys();
  const hub = new WatchHub({ store, objects, timers, clock, changed: (prefix) => pending.changed(prefix) });
  const reader = objectReader({ store, registry, objects, hub, pending });
  const given = <T>(part: T | ((reader: ObjectReader) => T)): T => (part instanceof Function ? part(reader) : part);
  let aggregation: Aggregation | undefined;
  const parts: Parts = {
    store,
    registry,
    objects,
    reader,
    pending,
    hub,
    deadlines: new Deadlines(requestTimeoutMs, clock, timers),
    indexes: new SelectionIndexes({ store, objects, timers, clock }),
    watchesByUser: new WatchesByUser(),
    clock,
    timers,
    random,
    authenticator: given(options.authenticator),
    authorizer: given(options.authorizer),
    admission: given(options.admission),
    version: options.version,
    nodes: options.nodes,
    tokens: options.tokens === undefined ? undefined : given(options.tokens),
    documents: options.documents ?? new Map(),
    virtual,
    health: options.health ?? [],
    describe: options.describe ?? (() => undefined),
    webhooks: options.webhooks === undefined ? undefined : given(options.webhooks),
    gzip: options.gzip,
    audit: options.audit === undefined ? undefined : new Audit(options.audit, options.metrics),
    measures: options.metrics === undefined ? undefined : new Measures(options.metrics, clock),
    aggregation: () => aggregation,
    log: options.log ?? (() => undefined),
  };
  const fairness = new Fairness(reader, { clock, timers }, parts.measures);
  options.metrics?.collect(() => [
    ...fairness.families(),
    ...storageFamilies(store, registry),
    ...healthFamilies(parts.health),
  ]);
  const answer = answerer(parts, fairness);
  const fromOutside = options.counts === undefined ? answer : counted(answer, options.counts, clock);
  const definitions = new CustomDefinitions(parts);
  aggregation = new Aggregation(parts, options.metrics);
  const policies = new PolicyStatus(parts);

  return {
    handler: {
      handle: (request, peer) => fromOutside(request, peer, undefined),
      refused: (request, peer, response) => {
        const info = routeOf(request.method, request.target);
        if (!(info instanceof Failure)) noteAnswered(newCall(parts, info, request, peer, undefined), response);
      },
      upgrade: (request, peer, given) => {
        const { counts } = options;
        const startedMs = clock.monotonic();
        counts?.began(request);
        let routed: Counted;
        let ended: (() => void) | undefined;
        let isOver = false;
        const over = (): void => {
          isOver = true;
          ended?.();
        };
        const connection = counts === undefined ? given : endingConnection(given, over);
        Promise.resolve(answer(request, peer, undefined, connection, (info) => (routed = info))).then(
          (response) => {
            if (counts !== undefined) {
              const isStreamed = "open" in response.body;
              // Streams are counted as connections, whatever they go over.
              counts.ended(request, routed, isStreamed ? handedOver : response, startedMs, 0);
              if (!isOver && (isStreamed || response === handedOver)) ended = counts.connected(routed);
            }
            if (response === handedOver) return;
            const { body } = response;
            const isStream = response.status === 200 && "open" in body;
            if (isStream && options.sha1 !== undefined && wantsWebSocket(request))
              watchOverWebSocket(request, connection, { ...response, body }, options.sha1);
            else answerInstead(connection, response);
          },
          (error: unknown) => {
            parts.log("an upgrade failed unexpectedly", error);
            connection.destroy();
          },
        );
      },
    },
    objects: reader,
    resources: () => registry.resources(),
    aggregated: aggregation,
    serves: (apiVersion, resource) => {
      if (registry.find(apiVersion, resource) !== undefined) return "resource";
      return virtual.has(apiVersion) ? "group" : undefined;
    },
    transportFor: (user) => inProcessTransport(parts, (request) => answer(request, nowhere, user)),
    close: () => {
      definitions.close();
      aggregation?.close();
      fairness.close();
      policies.close();
      parts.indexes.close();
      parts.deadlines.close();
      hub.close();
      objects.close();
    },
  };
}

const nowhere: Peer = { address: "", port: 0 };

type Answer = (
  request: HttpRequest,
  peer: Peer,
  user: User | undefined,
  upgrade?: Connection,
  /** Told what the request was read as, before it has its answer. */
  routed?: (info: RequestInfo | Failure, call: Call | undefined) => void,
) => HttpResponse | Promise<HttpResponse>;

function counted(answer: Answer, counts: RequestCounts, clock: Clock): Answer {
  return (request, peer, user) => {
    const startedMs = clock.monotonic();
    let info: Counted;
    let call: Call | undefined;
    counts.began(request);
    const response = answer(request, peer, user, undefined, (routed, made) => {
      info = routed;
      call = made;
    });
    const count = (settled: HttpResponse): HttpResponse =>
      counts.ended(request, info, settled, startedMs, call?.outsideMs ?? 0);
    return response instanceof Promise ? response.then(count) : count(response);
  };
}

function answerer(parts: Parts, fairness: Fairness): Answer {
  const stages = pipelineStages(fairness);
  return (request, peer, user, upgrade, routed) => {
    let info;
    try {
      info = routeOf(request.method, request.target);
    } catch (error) {
      parts.log("a request's target broke the router", error);
      return statusResponse(internalFailure);
    }
    if (info instanceof Failure) {
      routed?.(info, undefined);
      return statusResponse(info);
    }
    const call = newCall(parts, info, request, peer, user);
    routed?.(info, call);
    if (upgrade !== undefined) upgrades.set(call, upgrade);
    return runStages(stages, call);
  };
}

function newCall(parts: Parts, info: RequestInfo, request: HttpRequest, peer: Peer, user: User | undefined): Call {
  return {
    parts,
    request,
    peer,
    info,
    user: user ?? anonymous,
    inProcess: user !== undefined,
    served: undefined,
    warnings: [],
    auditAnnotations: {},
    finished: undefined,
  };
}

type ReaderParts = Pick<Parts, "store" | "registry" | "objects" | "hub" | "pending">;

function objectReader({ store, registry, objects, hub, pending }: ReaderParts): ObjectReader {
  const kept = new KeptReads({ store, objects, pending });
  // Nearly all ask with the same few objects.
  const prefixes = new WeakMap<GroupResource, string>();
  const prefixFor = (asked: GroupResource): string | undefined => {
    const known = prefixes.get(asked);
    if (known !== undefined) return known;
    const found = registry.storageOf(asked.group, asked.resource)?.prefix;
    if (found !== undefined) prefixes.set(asked, found);
    return found;
  };
  const entryOf = (resource: GroupResource, namespace = "", name: string): Entry | undefined => {
    const prefix = prefixFor(resource);
    return prefix === undefined ? undefined : kept.entry(prefix, namespace, name);
  };
  return {
    get(resource, namespace, name) {
      const entry = entryOf(resource, namespace, name);
      return entry === undefined ? undefined : objects.decoded(entry);
    },
    labels(resource, namespace, name) {
      const entry = entryOf(resource, namespace, name);
      return entry === undefined ? undefined : objects.labels(entry);
    },
    list(resource, namespace = "") {
      const prefix = prefixFor(resource);
      return prefix === undefined ? [] : kept.list(prefix, namespace);
    },
    *each(resource, namespace) {
      const prefix = prefixFor(resource);
      if (prefix === undefined) return;
      for (const entry of headBelow(store, pending, `${prefix}${namespace}/`)) yield objects.decoded(entry);
    },
    onChange(resource, changed) {
      const prefix = prefixFor(resource);
      return prefix === undefined ? { close: () => undefined } : hub.onChange(prefix, changed);
    },
  };
}
