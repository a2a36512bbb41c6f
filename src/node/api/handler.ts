import type { Pod } from "#api/generated/core-v1.ts";
import type { IngressActivity } from "#api/observability/activity.ts";
import type { NodeUsers } from "#api/observability/traffic.ts";
import { ContainerRuntimeError, type RuntimeContainerStatus } from "#world/container-runtime.ts";
import type { ByteStream, HttpHandler, HttpRequest, HttpResponse, Peer } from "#world/http.ts";
import type { Connection } from "#world/sockets.ts";
import { exposeFamilies, expositionType, type Family } from "#telemetry/metrics.ts";
import type { NodeContext } from "../context.ts";
import { runSecondsMax, scrapeAgeMs } from "../limits.ts";
import { logStream } from "../logs/stream.ts";
import { readDetails } from "../metrics/details.ts";
import { agentFamilies, cadvisorPage, volumeFamilies } from "../metrics/pages.ts";
import type { UsageSampler } from "../metrics/sampler.ts";
import { podCgroup } from "../pods/qos.ts";
import type { RuntimeObserver } from "../runtime/observer.ts";
import type { PodVolumes } from "../volumes/pod-volumes.ts";
import type { Access } from "./access.ts";
import { routeOf, subresourcesOf, verbOf, type PodPath, type Route } from "./routes.ts";
import { resourceMetrics, statsSummary, type StatsInputs } from "./stats.ts";
import { answer, type Streaming } from "./streams.ts";

export interface ApiParts {
  readonly context: NodeContext;
  readonly observer: RuntimeObserver;
  readonly volumes: Pick<PodVolumes, "claims" | "counts">;
  readonly access: Access;
  readonly streaming: Streaming;
  readonly usage: UsageSampler;
  /** What stands on /metrics beside the agent's own series. */
  readonly families: () => Promise<readonly Family[]>;
  /** When this node's ingress was last asked for each Service. */
  readonly ingressActivity: () => Promise<IngressActivity>;
  /** Who came to this node's proxy. */
  readonly trafficUsers: () => Promise<NodeUsers>;
  readonly pods: () => readonly Pod[];
  /** Calls when something about this pod changed in the runtime. */
  readonly onPodChange: (podUid: string, changed: () => void) => { close(): void };
}

/** Something asked for is not there or not possible; becomes one answer. */
class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const encoder = new TextEncoder();

/** The agent's API, with kubelet's paths. */
export function agentApi(parts: ApiParts): HttpHandler {
  return {
    handle: async (request, peer) => {
      try {
        const route = await admitted(parts, request, peer);
        return await respond(parts, route, request);
      } catch (error) {
        return failure(parts, error);
      }
    },
    upgrade: (request, peer, connection) => void upgrade(parts, request, peer, connection),
  };
}

async function admitted(parts: ApiParts, request: HttpRequest, peer: Peer): Promise<Route> {
  const route = routeOf(request.method, request.target, parts.context.clock.now());
  const known = route.to !== "none" && route.to !== "bad";
  // Whoever may do nothing here does not learn either what is here.
  const verdict = await parts.access.judge(
    request,
    peer,
    known ? verbOf(route) : "get",
    known ? subresourcesOf(route) : ["proxy"],
  );
  if (!verdict.allowed) throw new ApiError(verdict.status, verdict.message);
  if (route.to === "none") throw new ApiError(404, "404 page not found");
  if (route.to === "bad") throw new ApiError(400, route.message);
  return route;
}

function failure(parts: ApiParts, error: unknown): HttpResponse {
  if (error instanceof ApiError) return text(error.status, `${error.message}\n`);
  if (error instanceof ContainerRuntimeError) return text(error.code === "NotFound" ? 404 : 500, `${error.message}\n`);
  parts.context.onProblem("a request to the agent's API failed", error);
  return text(500, "internal error\n");
}

async function respond(parts: ApiParts, route: Route, request: HttpRequest): Promise<HttpResponse> {
  const { context } = parts;
  switch (route.to) {
    case "healthz":
      return text(200, "ok");
    case "pods":
      return json({ kind: "PodList", apiVersion: "v1", metadata: {}, items: parts.pods() });
    case "stats-summary":
      return json(statsSummary(await statsInputs(parts)));
    case "usage":
      return json(await parts.usage.read(route.maxAgeMs, route.uids));
    case "ingress-activity":
      return json(await parts.ingressActivity());
    case "traffic-users":
      return json(await parts.trafficUsers());
    case "agent-metrics":
      return exposition(
        exposeFamilies([
          ...agentFamilies(context.nodeName, parts.pods()),
          ...(await volumeFamilies(parts.volumes, parts.pods(), context.machine)),
          ...(await parts.families()),
        ]),
      );
    case "cadvisor-metrics": {
      const counted = await parts.usage.counters(scrapeAgeMs);
      const now = context.clock.now();
      const details = await readDetails(context.machine, context.settings.cgroupRoot, counted);
      return exposition(cadvisorPage({ ...context.facts, counted, details, now }));
    }
    case "probe-metrics":
      return exposition(context.measures?.probesPage(parts.pods()) ?? "");
    case "resource-metrics":
      return exposition(resourceMetrics(await statsInputs(parts)));
    case "logs":
      return logs(parts, route);
    case "run": {
      const container = await runningContainer(parts, route.at, route.container);
      const result = await context.runtime.execSync(container.id, route.command, runSecondsMax, request.signal);
      return { ...text(200, ""), body: [result.stdout, result.stderr] };
    }
    case "load-image":
      return loadImage(parts, request);
    case "exec":
    case "attach":
    case "port-forward":
      throw new ApiError(400, "Upgrade request required");
    default:
      return route satisfies never;
  }
}

async function logs(parts: ApiParts, route: Extract<Route, { to: "logs" }>): Promise<HttpResponse> {
  const { context, observer } = parts;
  const pod = podAt(parts, route.at);
  const spec = [...pod.spec.containers, ...(pod.spec.initContainers ?? []), ...(pod.spec.ephemeralContainers ?? [])];
  if (!spec.some(({ name }) => name === route.container)) {
    throw new ApiError(404, `container "${route.container}" in pod "${route.at.pod}" is not available`);
  }
  const uid = pod.metadata.uid ?? "";
  const observed = await observer.observe(uid);
  const all = observed.containers.filter(({ metadata }) => metadata.name === route.container);
  const ended = all.filter(({ state }) => state === "Exited");
  const container = route.previous
    ? all[0]?.state === "Running"
      ? ended[0]
      : ended[1]
    : all.find(({ state }) => state !== "Created");
  if (container === undefined) {
    if (route.previous) {
      throw new ApiError(400, `previous terminated container "${route.container}" in pod "${route.at.pod}" not found`);
    }
    const status = [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])].find(
      ({ name }) => name === route.container,
    );
    const reason = status?.state.waiting?.reason ?? "ContainerCreating";
    throw new ApiError(400, `container "${route.container}" in pod "${route.at.pod}" is waiting to start: ${reason}`);
  }
  const running = async (): Promise<boolean> => {
    try {
      return (await context.runtime.containerStatus(container.id)).state === "Running";
    } catch (error) {
      if (error instanceof ContainerRuntimeError && error.code === "NotFound") return false;
      throw error;
    }
  };
  const body: ByteStream = logStream(
    { disk: context.disk, path: container.logPath, running, onChange: (changed) => parts.onPodChange(uid, changed) },
    route.options,
  );
  return { status: 200, headers: { "content-type": "text/plain" }, body };
}

async function loadImage(parts: ApiParts, request: HttpRequest): Promise<HttpResponse> {
  const { disk, settings, runtime, random } = parts.context;
  const path = `${settings.dataDir}/load-${random.uuid()}.tar`;
  try {
    await disk.write(path, request.body, 0o600);
    return json({ images: await runtime.importImages(path) });
  } catch (error) {
    if (error instanceof ContainerRuntimeError) throw new ApiError(400, error.message.replaceAll(path, "the archive"));
    throw error;
  } finally {
    await disk.remove(path);
  }
}

async function statsInputs(parts: ApiParts): Promise<StatsInputs> {
  const { context } = parts;
  const { machine, settings, clock } = context;
  const pods = parts.pods();
  const podUsage: StatsInputs["podUsage"] = new Map(
    (
      await Promise.all(
        pods.map(
          async (pod) =>
            [pod.metadata.uid ?? "", await machine.cgroupUsage(podCgroup(settings.cgroupRoot, pod))] as const,
        ),
      )
    ).flatMap(([uid, usage]) => (usage === undefined ? [] : [[uid, usage] as const])),
  );
  const [node, nodeMemoryAvailableBytes, disk, containers] = await Promise.all([
    machine.cgroupUsage(""),
    machine.memoryAvailableBytes(),
    machine.fileSystem(settings.dataDir),
    context.runtime.listContainerStats(),
  ]);
  const startedAt = clock.now() - clock.monotonic();
  return {
    nodeName: context.nodeName,
    now: clock.now(),
    startedAt,
    node,
    nodeMemoryAvailableBytes,
    disk,
    containers,
    pods,
    podUsage,
  };
}

async function upgrade(parts: ApiParts, request: HttpRequest, peer: Peer, connection: Connection): Promise<void> {
  const { runtime } = parts.context;
  try {
    const route = await admitted(parts, request, peer);
    if (route.to === "exec" || route.to === "attach") {
      const container = await runningContainer(parts, route.at, route.container);
      const url =
        route.to === "exec"
          ? await runtime.execUrl(container.id, route.command, route.streams)
          : await runtime.attachUrl(container.id, route.streams);
      await parts.streaming.join(url, { kind: "command", streams: route.streams }, request, connection);
    } else if (route.to === "port-forward") {
      const pod = podAt(parts, route.at);
      const observed = await parts.observer.observe(pod.metadata.uid ?? "");
      const sandbox = observed.sandboxes.find(({ state }) => state === "Ready");
      if (sandbox === undefined) throw new ApiError(404, `pod "${route.at.pod}" has no running sandbox`);
      const url = await runtime.portForwardUrl(sandbox.id, route.ports);
      await parts.streaming.join(url, { kind: "ports", ports: route.ports }, request, connection);
    } else throw new ApiError(400, "this path does not change protocols");
  } catch (error) {
    const response = failure(parts, error);
    answer(connection, response.status, error instanceof Error ? error.message : "internal error");
  }
}

function podAt(parts: ApiParts, at: PodPath): Pod {
  const pod = parts.pods().find(({ metadata }) => metadata.namespace === at.namespace && metadata.name === at.pod);
  if (pod === undefined || (at.uid !== undefined && pod.metadata.uid !== at.uid)) {
    throw new ApiError(404, `pod "${at.pod}" does not exist`);
  }
  return pod;
}

async function runningContainer(parts: ApiParts, at: PodPath, name: string): Promise<RuntimeContainerStatus> {
  const pod = podAt(parts, at);
  const observed = await parts.observer.observe(pod.metadata.uid ?? "");
  const container = observed.containers.find(({ metadata, state }) => metadata.name === name && state === "Running");
  if (container === undefined) throw new ApiError(404, `container not found ("${name}")`);
  return container;
}

function text(status: number, message: string): HttpResponse {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body: encoder.encode(message) };
}

function exposition(page: string): HttpResponse {
  return { ...text(200, page), headers: { "content-type": expositionType } };
}

function json(value: unknown): HttpResponse {
  return { status: 200, headers: { "content-type": "application/json" }, body: encoder.encode(JSON.stringify(value)) };
}
