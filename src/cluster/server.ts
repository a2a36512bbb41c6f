import { kinds } from "#api/kinds.ts";
import type { ApiObject } from "#api/kind.ts";
import type { AuditOptions } from "#apiserver/audit/audit.ts";
import { createAdmission } from "#apiserver/admission/all.ts";
import type { HealthCheck } from "#apiserver/call.ts";
import { callWebhook } from "#apiserver/admission/webhooks/call.ts";
import { WebhookMeasures } from "#apiserver/admission/webhooks/measures.ts";
import { keySet, openidConfiguration } from "#apiserver/authenticate/signing-key.ts";
import { createTokenIssuer, type TokenIssuer } from "#apiserver/authenticate/token-issuer.ts";
import { bootstrap } from "#apiserver/bootstrap/reconcile.ts";
import type { NodeConnector } from "#apiserver/node-connector.ts";
import type { PlainDocument } from "#apiserver/call.ts";
import { createApiServer, type ApiServer, type ApiServerOptions } from "#apiserver/server.ts";
import type { ObjectReader } from "#apiserver/object-reader.ts";
import type { User } from "#apiserver/user.ts";
import { transportCounter } from "#client/counted-transport.ts";
import { createClient } from "#client/http-client.ts";
import { createCertificateController } from "#controllers/certificates/controller.ts";
import { createClusterRoleAggregationController } from "#controllers/clusterrole-aggregation/controller.ts";
import { createCanaryController } from "#delivery/canary/controller.ts";
import { createIngressStatusController } from "#network/ingress/controller.ts";
import { createNodeRangeController } from "#network/pod-network/controller.ts";
import { createServiceTrafficController } from "#network/service-traffic/controller.ts";
import { dnsServiceAddress } from "#apiserver/bootstrap/system-objects.ts";
import type { Resource } from "#api/resource.ts";
import { createControllers } from "#controllers/all.ts";
import { createEventRecorder } from "#reconcile/events.ts";
import { createInformers, type Informers } from "#reconcile/informers.ts";
import { createPace } from "#reconcile/pace.ts";
import { createScheduler } from "#scheduler/loop.ts";
import { createPlacements } from "#scheduler/placements.ts";
import type { Store } from "#store/store.ts";
import type { Log } from "#telemetry/log.ts";
import { createMetrics, expositionType, type Family } from "#telemetry/metrics.ts";
import { buildInfo, processFamilies } from "#telemetry/process-metrics.ts";
import type { Transport } from "#world/http.ts";
import type { JsonWebKeys } from "#world/json-web-keys.ts";
import type { OwnProcess } from "#world/own-process.ts";
import type { World } from "#world/world.ts";
import { Access, type AccessSettings } from "./access.ts";
import { Progress, storeChecks } from "./health.ts";
import { kubeStatePage, podResourcesPage, prepareKubeState } from "./kube-state.ts";
import { createMeasurements } from "./measurements.ts";
import { requestCounts } from "./request-metrics.ts";
import {
  auditFamilies,
  certificateLifetimes,
  queueFamilies,
  schedulerCounts,
  schedulerFamilies,
  storeFamilies,
  workDurations,
} from "./server-metrics.ts";
import { bringDeliveryKinds } from "./delivery-kinds.ts";
import type { SchedulerSettings } from "./scheduler-settings.ts";
import { targetDocuments } from "./targets.ts";
import { versionInfo } from "./version.ts";

/** Who issues service account tokens; also their default audience, as upstream. */
export const issuer = "https://kubernetes.default.svc.cluster.local";
const stopGraceMs = 5000;
/** A node's part of the pods' addresses: a /24, more than the pods it may have. */
const nodeRangeBits = 24;

export type ServerWorld = Pick<World, "clock" | "timers" | "random" | "crypto" | "certificates">;

export interface ServerOptions {
  readonly world: ServerWorld;
  readonly store: Store;
  readonly serviceRange: string;
  /** CIDR of all pods; each node gets a part of it. */
  readonly podRange: string;
  readonly nodePorts: { readonly first: number; readonly last: number };
  /** Where pods and nodes reach the API. */
  readonly apiAddress: string;
  readonly apiPort: number;
  readonly clientCa: { readonly certificate: string; readonly key: string };
  /** CA of the certificate that `nodes` shows to aggregated servers. */
  readonly frontProxyCa?: string;
  readonly serviceAccountKey: { readonly privateKey: string; readonly publicKey: string };
  /** What carries requests of the server's own loops to its API, by the loop's name; absent: the call itself. */
  readonly between?: (part: string, direct: Transport) => Transport;
  /** Absent: logs, exec and the like answer 503. */
  readonly nodes?: (objects: () => ObjectReader) => NodeConnector;
  /** Who may come in besides those that every cluster knows, and who else judges them. */
  readonly access?: AccessSettings;
  /** How keys of issuers are read; absent: none can be trusted. */
  readonly webKeys?: JsonWebKeys;
  /** Who did what is written down; absent: it is not. */
  readonly audit?: AuditOptions;
  /** What tells of itself in the metrics besides the server's own parts. */
  readonly measured?: readonly { families(): readonly Family[] | Promise<readonly Family[]> }[];
  /** Compresses large answers for clients that ask for it; absent: they are sent as they are. */
  readonly gzip?: (bytes: Uint8Array) => Promise<Uint8Array>;
  /** What WebSocket handshakes need; absent: watches cannot come as WebSockets. */
  readonly sha1?: (bytes: Uint8Array) => Uint8Array;
  /** Descriptions of types and fields for `kubectl explain`. */
  readonly describe?: (typeName: string, field?: string) => string | undefined;
  /** Profiles and extenders of the scheduler; absent: the default profile alone. */
  readonly scheduler?: SchedulerSettings;
  /** How to reach the history of metrics (Prometheus); absent: none is kept. */
  readonly history?: Transport;
  /** Bytes on disk that the store takes; absent: it has none. */
  readonly storeBytes?: () => Promise<number>;
  /** For `process_*`; absent where the process is not the server's own. */
  readonly ownProcess?: OwnProcess;
  /** Checks of what the server needs, besides its own. */
  readonly health?: readonly HealthCheck[];
  readonly log: Log;
}

/** The server's parts in one process: API, controllers, scheduler. */
export interface Server {
  readonly api: ApiServer;
  /** What the loops have seen: for whoever compares it with what is stored. */
  readonly informers: Informers;
  /** From now on these say who may come in. Throws when they cannot be followed; then the former ones stay. */
  replaceAccess(settings: AccessSettings): void;
  /** Makes what every cluster has, then starts the loops. The API answers before and meanwhile. */
  start(): Promise<void>;
  /** Stops the loops and ends the watches; the store stays its caller's. */
  stop(): Promise<void>;
}

/** The user that a part of the server acts as. It needs no credentials: it never leaves the process. */
export function partUser(name: string): User {
  return { name: `system:steersman:${name}`, uid: "", groups: ["system:masters", "system:authenticated"], extra: {} };
}

export function createServer(options: ServerOptions): Server {
  const { world, store, log } = options;
  const { clock, timers, random } = world;
  const onProblem = (problem: string, error: unknown): void => log.error(problem, error);
  const nodes = options.nodes?.(() => api.objects);
  const asked = { clock, timers, informers: () => informers, history: options.history, onProblem };
  const measurements = nodes === undefined ? [] : createMeasurements({ ...asked, nodes });
  const virtual = [...measurements, createPlacements(() => scheduler.explanations)];
  const metrics = createMetrics();
  let access: Access | undefined;
  const progress = new Progress();
  const counts = requestCounts(metrics, clock, (apiVersion, resource) => api.serves(apiVersion, resource));
  const api: ApiServer = createApi(
    options,
    {
      ...(nodes && { nodes }),
      virtual,
      counts,
      metrics,
      health: [...storeChecks(store, clock), ...(options.health ?? []), ...progress.checks],
    },
    (made) => (access = made),
    [
      ...targetDocuments(() => informers),
      ["/metrics", { contentType: expositionType, content: () => metrics.expose() }],
      ["/metrics/resources", { contentType: expositionType, content: () => podResourcesPage(api.objects, timers) }],
      ["/metrics/kube-state", { contentType: expositionType, content: () => kubeStatePage(informers, timers, clock) }],
    ],
  );
  const countTransport = transportCounter(metrics, clock);
  const transportOf = (part: string): Transport => {
    const direct = countTransport(api.transportFor(partUser(part)), "in-process");
    return options.between?.(part, direct) ?? direct;
  };
  const client = createClient(transportOf("controllers"), { userAgent: "steersman-controllers", timers });
  const informers = createInformers({ client, clock, timers, random, onProblem });
  prepareKubeState(informers);
  const pace = createPace(clock, timers);
  const shared = { client, clock, timers, random, informers, pace, metrics, onProblem, ...workDurations(metrics) };
  const resources = (): readonly Resource<unknown>[] => api.resources();
  const { controllers } = createControllers({
    ...shared,
    resources,
    aggregated: api.aggregated,
    rootCa: options.clientCa.certificate,
  });
  const serverLoops = [
    createCertificateController({ ...shared, resources }, { certificates: world.certificates, ca: options.clientCa }),
    createClusterRoleAggregationController({ ...shared, resources }),
    createNodeRangeController(shared, options.podRange, nodeRangeBits),
    createIngressStatusController(shared),
    createServiceTrafficController(shared, {
      clusterPods: options.podRange,
      dnsAddress: dnsServiceAddress(options.serviceRange),
    }),
    createCanaryController({
      ...shared,
      askWebhook: (config, document, seconds) =>
        callWebhook({ objects: api.objects, dial: nodes?.dial, timers, random }, config, document, seconds),
    }),
  ];
  const loops = [...controllers, ...serverLoops];
  metrics.collect(() => queueFamilies(loops));
  const schedulerClient = createClient(transportOf("scheduler"), { userAgent: "steersman-scheduler", timers });
  const schedulerEvents = createEventRecorder({
    client: schedulerClient,
    clock,
    timers,
    random,
    source: "default-scheduler",
    onProblem,
  });
  const scheduler = createScheduler({
    ...options.scheduler,
    client: schedulerClient,
    informers,
    clock,
    timers,
    pace,
    events: schedulerEvents,
    observer: schedulerCounts(metrics),
    onProblem,
  });
  metrics.collect(() => schedulerFamilies(scheduler));
  const { ownProcess } = options;
  metrics.collect(async () => [
    buildInfo(versionInfo.gitVersion),
    ...storeFamilies(await options.storeBytes?.()),
    ...auditFamilies(options.audit),
    ...(await Promise.all((options.measured ?? []).map(async (each) => await each.families()))).flat(),
    ...(ownProcess === undefined ? [] : processFamilies(ownProcess)),
  ]);
  return {
    api,
    informers,
    replaceAccess: (settings) => given(access).replace(settings),
    start: async () => {
      await makeSystemObjects(options, api);
      progress.hasSystemObjects = true;
      informers.start();
      void informers.synced().then(() => (progress.hasSynced = true));
      for (const loop of loops) loop.start();
      scheduler.start();
      log.info("controllers run", { revision: store.visible });
    },
    stop: async () => {
      progress.isStopping = true;
      schedulerEvents.stop();
      const ended = Promise.all([scheduler.stop(), ...loops.map((loop) => loop.stop())]);
      await new Promise<void>((resolve) => {
        const timer = timers.after(stopGraceMs, resolve);
        void ended.finally(() => {
          timer.cancel();
          resolve();
        });
      });
      informers.stop();
      api.close();
    },
  };
}

function createApi(
  options: ServerOptions,
  made: Pick<ApiServerOptions, "nodes" | "virtual" | "counts" | "metrics" | "health">,
  onAccess: (access: Access) => void,
  documents: readonly [string, PlainDocument][],
): ApiServer {
  const { world, store, log, serviceAccountKey } = options;
  const { nodes } = made;
  const { clock, timers, random, crypto, certificates } = world;
  const audiences = [issuer, "https://kubernetes.default.svc", "kubernetes"];
  // These need the server's reader of stored objects, which the server makes: it asks for them in this order.
  let access: Access | undefined;
  let tokens: TokenIssuer | undefined;
  const api: ApiServer = createApiServer({
    kinds,
    store,
    clock,
    timers,
    random,
    authenticator: (objects) => {
      const onLifetime = made.metrics === undefined ? undefined : certificateLifetimes(made.metrics);
      const known = {
        ...{ clock, crypto, certificates, issuer, audiences, onLifetime },
        serviceAccountKeys: [serviceAccountKey],
      };
      const outward = {
        dial: nodes?.dial,
        timers,
        webKeys: options.webKeys,
        log: (message: string, detail: string) => log.warn(message, { detail }),
      };
      access = new Access(objects, known, outward, options.access ?? {});
      onAccess(access);
      return access.authenticator;
    },
    authorizer: () => given(access).authorizer,
    admission: (objects) =>
      createAdmission({
        objects,
        rbac: given(access).rbac,
        authorizer: given(access).authorizer,
        random,
        clock,
        timers,
        certificates,
        serviceRange: options.serviceRange,
        nodePorts: options.nodePorts,
        webhooks: {
          dial: nodes?.dial,
          uuid: () => random.uuid(),
          matchConditions: undefined,
          measures: made.metrics === undefined ? undefined : new WebhookMeasures(made.metrics, clock),
          log: (message, detail) => log.warn(message, { detail: String(detail) }),
        },
      }),
    webhooks: (objects) => ({
      call: (config, review, timeoutSeconds) =>
        callWebhook({ objects, dial: nodes?.dial, timers, random }, config, review, timeoutSeconds),
    }),
    version: versionInfo,
    tokens: { issue: (order) => given(tokens).issue(order) },
    documents: new Map([
      ...documents,
      document("/openid/v1/jwks", "application/jwk-set+json", keySet(crypto, [serviceAccountKey])),
      document(
        "/.well-known/openid-configuration",
        "application/json",
        openidConfiguration(issuer, `${issuer}/openid/v1/jwks`),
      ),
    ]),
    ...(options.gzip === undefined ? {} : { gzip: options.gzip }),
    ...(options.sha1 === undefined ? {} : { sha1: options.sha1 }),
    ...(options.audit === undefined ? {} : { audit: options.audit }),
    ...(options.describe === undefined ? {} : { describe: options.describe }),
    ...made,
    log: (message, error) => log.error(message, error),
  });
  tokens = createTokenIssuer({
    clock,
    crypto,
    random,
    objects: api.objects,
    key: serviceAccountKey,
    issuer,
    audiences,
  });
  return api;
}

function given<T>(part: T | undefined): T {
  if (part === undefined) throw new Error("A part of the server was asked for before it was made");
  return part;
}

function document(
  path: string,
  contentType: string,
  content: unknown,
): [string, { contentType: string; content: () => string }] {
  const text = JSON.stringify(content);
  return [path, { contentType, content: () => text }];
}

async function makeSystemObjects(options: ServerOptions, api: ApiServer): Promise<void> {
  const client = createClient(api.transportFor(partUser("bootstrap")), { userAgent: "steersman-bootstrap" });
  const because = (rule: string) => ({ cause: { actor: "bootstrap", rule } });
  await bootstrap(
    {
      get: async (resource, at) => (await client.find(resource, at)) as ApiObject | undefined,
      create: (resource, object) => {
        return client.create(
          resource,
          { namespace: object.metadata.namespace },
          object,
          because("every cluster has this object"),
        );
      },
      update: (resource, object) => {
        const { namespace, name = "" } = object.metadata;
        return client.update(
          resource,
          { namespace, name },
          object,
          because("the object lacked what every cluster has"),
        );
      },
      delete: (resource, at) => client.delete(resource, at, because("what cannot be changed is made anew")),
    },
    {
      serviceRange: options.serviceRange,
      apiAddress: options.apiAddress,
      apiPort: options.apiPort,
      dnsEndpoints: [],
      clientCa: options.clientCa.certificate,
      ...(options.frontProxyCa !== undefined && { frontProxyCa: options.frontProxyCa }),
    },
  );
  await bringDeliveryKinds(client);
}
