import { randomUUID } from "node:crypto";
import { setTimeout as sleepFor } from "node:timers/promises";
import {
  ContainerRuntimeError,
  type ContainerRuntime,
  type ContainerStats,
  type ContainerSummary,
  type ExecResult,
  type Labels,
  type RuntimeContainerStatus,
  type RuntimeEventHandler,
  type RuntimeImage,
  type RuntimeStatus,
  type RuntimeVersion,
  type SandboxStatus,
  type SandboxSummary,
} from "../container-runtime.ts";
import type { Processes } from "../processes.ts";
import { GrpcChannel } from "./grpc.ts";
import * as cri from "./proto/cri.ts";
import { decodeMessage, encodeMessage, type Message } from "./proto/wire.ts";

const runtimeService = "/runtime.v1.RuntimeService/";
const imageService = "/runtime.v1.ImageService/";
const eventService = "/containerd.services.events.v1.Events/";
/** Where containerd keeps what CRI made. */
const namespaceHeaders = { "containerd-namespace": "k8s.io" };
/** Milliseconds within which an ordinary call must be answered; kubelet's own default is two minutes. */
const callMsMax = 120_000;
/** The same for the question whether it is there at all, which needs nothing of it. */
const aliveMsMax = 10_000;
const pullMsMax = 30 * 60_000;
const importMsMax = 10 * 60_000;
/** How long CRI may take to show what an event told and images that were loaded; the first wait between two looks and the longest. */
const endShownMsMax = 60_000;
const imagesShownMsMax = 10_000;
const settleStepMsFirst = 10;
const settleStepMsMax = 1_000;
const reconnectMs = 500;
/** First and longest wait for an event of our own, which proves that a subscription stands. */
const proofMsFirst = 100;
const proofMsMax = 5_000;

/** containerd over its socket: CRI v1, and its own event service because 1.6 has no GetContainerEvents. */
export function connectContainerRuntime(options: {
  readonly socketPath: string;
  readonly processes: Processes;
}): ContainerRuntime & { close(): void } {
  const channel = new GrpcChannel(options.socketPath);
  const call = async <T>(
    method: string,
    requestTable: Message,
    request: object,
    responseTable: Message,
    timeoutMs = callMsMax,
    signal?: AbortSignal,
  ): Promise<T> => {
    const bytes = await channel.unary(method, encodeMessage(requestTable, request), { timeoutMs, signal });
    return decodeMessage<T>(responseTable, bytes);
  };
  return {
    ...sandboxCalls(call),
    ...containerCalls(call),
    ...streamCalls(call),
    ...imageCalls(call, options),
    lostEnds: () => lostEnds(channel, call),
    subscribe: (handler) => subscribe(channel, call, handler),
    close: () => channel.close(),
  };
}

type Call = <T>(
  method: string,
  requestTable: Message,
  request: object,
  responseTable: Message,
  timeoutMs?: number,
  signal?: AbortSignal,
) => Promise<T>;

function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new ContainerRuntimeError("NotFound", `the runtime answered without ${what}`);
  return value;
}

async function missingIsFine(done: Promise<unknown>): Promise<void> {
  try {
    await done;
  } catch (error) {
    if (!(error instanceof ContainerRuntimeError && error.code === "NotFound")) throw error;
  }
}

function filterOf(labels: Labels | undefined): object {
  return labels === undefined ? {} : { filter: { labelSelector: labels } };
}

function sandboxCalls(call: Call) {
  return {
    version: () =>
      call<RuntimeVersion>(
        `${runtimeService}Version`,
        cri.versionRequest,
        { version: "v1" },
        cri.versionResponse,
        aliveMsMax,
      ),
    status: async (): Promise<RuntimeStatus> => {
      const answer = await call<{ status?: RuntimeStatus }>(
        `${runtimeService}Status`,
        cri.empty,
        {},
        cri.statusResponse,
      );
      return present(answer.status, "a status");
    },
    runSandbox: async (config: object): Promise<string> => {
      const answer = await call<{ podSandboxId: string }>(
        `${runtimeService}RunPodSandbox`,
        cri.runSandboxRequest,
        { config },
        cri.sandboxId,
        240_000,
      );
      return answer.podSandboxId;
    },
    stopSandbox: (podSandboxId: string) =>
      missingIsFine(call(`${runtimeService}StopPodSandbox`, cri.sandboxId, { podSandboxId }, cri.empty)),
    removeSandbox: (podSandboxId: string) =>
      missingIsFine(call(`${runtimeService}RemovePodSandbox`, cri.sandboxId, { podSandboxId }, cri.empty)),
    sandboxStatus: async (podSandboxId: string): Promise<SandboxStatus> => {
      const answer = await call<{ status?: SandboxStatus }>(
        `${runtimeService}PodSandboxStatus`,
        cri.sandboxId,
        { podSandboxId },
        cri.sandboxStatusResponse,
      );
      return present(answer.status, "a sandbox status");
    },
    listSandboxes: async (labels?: Labels): Promise<readonly SandboxSummary[]> => {
      const answer = await call<{ items: SandboxSummary[] }>(
        `${runtimeService}ListPodSandbox`,
        cri.listSandboxesRequest,
        filterOf(labels),
        cri.listSandboxesResponse,
      );
      return answer.items;
    },
  };
}

function containerCalls(call: Call) {
  return {
    createContainer: async (podSandboxId: string, config: object, sandboxConfig: object): Promise<string> => {
      const request = { podSandboxId, config, sandboxConfig };
      const answer = await call<{ containerId: string }>(
        `${runtimeService}CreateContainer`,
        cri.createContainerRequest,
        request,
        cri.containerId,
      );
      return answer.containerId;
    },
    startContainer: async (containerId: string): Promise<void> => {
      await call(`${runtimeService}StartContainer`, cri.containerId, { containerId }, cri.empty);
    },
    stopContainer: (containerId: string, timeoutSeconds: number) =>
      missingIsFine(
        call(
          `${runtimeService}StopContainer`,
          cri.stopContainerRequest,
          { containerId, timeout: timeoutSeconds },
          cri.empty,
          timeoutSeconds * 1000 + callMsMax,
        ),
      ),
    removeContainer: (containerId: string) =>
      missingIsFine(call(`${runtimeService}RemoveContainer`, cri.containerId, { containerId }, cri.empty)),
    containerStatus: async (containerId: string): Promise<RuntimeContainerStatus> => {
      const answer = await call<{ status?: RuntimeContainerStatus }>(
        `${runtimeService}ContainerStatus`,
        cri.containerId,
        { containerId },
        cri.containerStatusResponse,
      );
      return present(answer.status, "a container status");
    },
    listContainers: async (labels?: Labels): Promise<readonly ContainerSummary[]> => {
      const answer = await call<{ containers: ContainerSummary[] }>(
        `${runtimeService}ListContainers`,
        cri.listContainersRequest,
        filterOf(labels),
        cri.listContainersResponse,
      );
      return answer.containers;
    },
    updateContainerResources: async (containerId: string, linux: object): Promise<void> => {
      await call(
        `${runtimeService}UpdateContainerResources`,
        cri.updateResourcesRequest,
        { containerId, linux },
        cri.empty,
      );
    },
    reopenContainerLog: async (containerId: string): Promise<void> => {
      await call(`${runtimeService}ReopenContainerLog`, cri.containerId, { containerId }, cri.empty);
    },
    listContainerStats: async (): Promise<readonly ContainerStats[]> => {
      const answer = await call<{ stats: ContainerStats[] }>(
        `${runtimeService}ListContainerStats`,
        cri.empty,
        {},
        cri.listStatsResponse,
      );
      return answer.stats;
    },
  };
}

function streamCalls(call: Call) {
  const url = async (method: string, table: Message, request: object): Promise<string> => {
    const answer = await call<{ url: string }>(`${runtimeService}${method}`, table, request, cri.urlResponse);
    return answer.url;
  };
  return {
    execSync: (containerId: string, cmd: readonly string[], timeoutSeconds: number, signal?: AbortSignal) =>
      call<ExecResult>(
        `${runtimeService}ExecSync`,
        cri.execSyncRequest,
        { containerId, cmd, timeout: timeoutSeconds },
        cri.execSyncResponse,
        // The runtime kills the command at its limit; ours only catches a runtime that hangs.
        timeoutSeconds === 0 ? 0 : timeoutSeconds * 1000 + 5_000,
        signal,
      ),
    execUrl: (containerId: string, cmd: readonly string[], streams: object) =>
      url("Exec", cri.execRequest, { containerId, cmd, ...streams }),
    attachUrl: (containerId: string, streams: object) => url("Attach", cri.attachRequest, { containerId, ...streams }),
    portForwardUrl: (podSandboxId: string, port: readonly number[]) =>
      url("PortForward", cri.portForwardRequest, { podSandboxId, port }),
  };
}

function imageCalls(call: Call, options: { readonly socketPath: string; readonly processes: Processes }) {
  return {
    listImages: async (): Promise<readonly RuntimeImage[]> => {
      const answer = await call<{ images: RuntimeImage[] }>(
        `${imageService}ListImages`,
        cri.empty,
        {},
        cri.listImagesResponse,
      );
      return answer.images;
    },
    imageStatus: async (image: string): Promise<RuntimeImage | undefined> => {
      const request = { image: { image } };
      const answer = await call<{ image?: RuntimeImage }>(
        `${imageService}ImageStatus`,
        cri.imageRequest,
        request,
        cri.imageStatusResponse,
      );
      return answer.image;
    },
    pullImage: async (image: string, auth: object | undefined, signal?: AbortSignal): Promise<string> => {
      const request = { image: { image }, auth };
      const answer = await call<{ imageRef: string }>(
        `${imageService}PullImage`,
        cri.pullImageRequest,
        request,
        cri.pullImageResponse,
        pullMsMax,
        signal,
      );
      return answer.imageRef;
    },
    removeImage: async (image: string): Promise<void> => {
      await call(`${imageService}RemoveImage`, cri.imageRequest, { image: { image } }, cri.empty);
    },
    importImages: async (archivePath: string): Promise<readonly string[]> => {
      const args = ["--address", options.socketPath, "--namespace", "k8s.io", "images", "import", archivePath];
      const result = await options.processes.run("ctr", args, { timeoutMs: importMsMax });
      if (result.code !== 0)
        throw new ContainerRuntimeError("InvalidArgument", `cannot load ${archivePath}: ${result.stderr.trim()}`);
      const names = [...result.stdout.matchAll(/^unpacking (\S+) \(/gm)].map((match) => match[1] ?? "");
      // CRI learns of the images through containerd's events, a moment later.
      await Promise.all(
        names.map((name) => settle(imagesShownMsMax, async () => (await imageOf(call, name)) !== undefined)),
      );
      return names;
    },
    imageFileSystem: async () => {
      interface Usage {
        readonly fsId?: { readonly mountpoint: string };
        readonly usedBytes?: { readonly value: number };
      }
      const answer = await call<{ imageFilesystems: Usage[] }>(
        `${imageService}ImageFsInfo`,
        cri.empty,
        {},
        cri.imageFsInfoResponse,
      );
      const first = answer.imageFilesystems[0];
      return first?.fsId === undefined
        ? undefined
        : { mountPoint: first.fsId.mountpoint, usedBytes: first.usedBytes?.value ?? 0 };
    },
  };
}

async function imageOf(call: Call, image: string): Promise<RuntimeImage | undefined> {
  const answer = await call<{ image?: RuntimeImage }>(
    `${imageService}ImageStatus`,
    cri.imageRequest,
    { image: { image } },
    cri.imageStatusResponse,
  );
  return answer.image;
}

async function settle(limitMs: number, done: () => Promise<boolean>): Promise<void> {
  let stepMs = settleStepMsFirst;
  for (let waitedMs = 0; waitedMs < limitMs; waitedMs += stepMs) {
    if (await done()) return;
    await sleepFor(stepMs);
    stepMs = Math.min(stepMs * 2, settleStepMsMax);
  }
}

interface Envelope {
  readonly topic: string;
  readonly event?: { readonly typeUrl: string; readonly value: Uint8Array };
}

function subscribe(channel: GrpcChannel, call: Call, handler: RuntimeEventHandler): { close(): void } {
  let closed = false;
  let stream: { cancel(): void } | undefined;
  let timer: NodeJS.Timeout | undefined;
  const proof = `/steersman/subscribed/${randomUUID()}`;
  const topics = ["/tasks/start", "/tasks/oom", "/tasks/delete", proof];
  const request = encodeMessage(cri.subscribeRequest, {
    filters: topics.map((topic) => `namespace==k8s.io,topic=="${topic}"`),
  });
  const headers = namespaceHeaders;
  const open = (): void => {
    let stands = false;
    stream = channel.stream(
      `${eventService}Subscribe`,
      request,
      { timeoutMs: 0, headers },
      {
        message: (bytes) => {
          const envelope = decodeMessage<Envelope>(cri.eventEnvelope, bytes);
          if (envelope.topic === proof) {
            if (!stands) handler.gap();
            stands = true;
            return;
          }
          const id = changedId(envelope);
          if (id !== undefined) void report(call, handler, id.container, id.ended, () => closed);
        },
        end: () => {
          stands = true;
          if (closed) return;
          clearTimeout(timer);
          timer = setTimeout(open, reconnectMs);
        },
      },
    );
    // containerd does not say when a subscription stands, and tells nothing of what was before. Our own event does: what came
    // before it is looked for, what comes after it is told.
    const prove = (waitMs: number): void => {
      const event = { typeUrl: "steersman.Subscribed", value: new Uint8Array(0) };
      const message = encodeMessage(cri.publishRequest, { topic: proof, event });
      // Without containerd the subscription breaks off too, and is made again.
      channel.unary(`${eventService}Publish`, message, { timeoutMs: proofMsMax, headers }).catch(() => undefined);
      timer = setTimeout(() => {
        if (!closed && !stands) prove(Math.min(waitMs * 2, proofMsMax));
      }, waitMs);
    };
    prove(proofMsFirst);
  };
  handler.gap();
  open();
  return {
    close: () => {
      closed = true;
      clearTimeout(timer);
      stream?.cancel();
    },
  };
}

/** CRI's word against that of containerd's own tasks, which asks the processes' shims. */
async function lostEnds(channel: GrpcChannel, call: Call): Promise<readonly string[]> {
  const [containers, sandboxes] = await Promise.all([
    containerCalls(call).listContainers(),
    sandboxCalls(call).listSandboxes(),
  ]);
  const options = { timeoutMs: callMsMax, headers: namespaceHeaders };
  const bytes = await channel.unary("/containerd.services.tasks.v1.Tasks/List", new Uint8Array(0), options);
  const { tasks } = decodeMessage<{ tasks: readonly { containerId: string; id: string; status: string }[] }>(
    cri.listTasksResponse,
    bytes,
  );
  const stopped = new Set(
    tasks.flatMap(({ containerId, id, status }) => (status === "Stopped" ? [containerId || id] : [])),
  );
  return [
    ...containers.filter(({ id, state }) => state === "Running" && stopped.has(id)),
    ...sandboxes.filter(({ id, state }) => state === "Ready" && stopped.has(id)),
  ].map(({ id }) => id);
}

function changedId(envelope: Envelope): { readonly container: string; readonly ended: boolean } | undefined {
  const value = envelope.event?.value;
  if (value === undefined) return undefined;
  if (envelope.topic !== "/tasks/delete") {
    return { container: decodeMessage<{ containerId: string }>(cri.taskEvent, value).containerId, ended: false };
  }
  const event = decodeMessage<{ containerId: string; id: string }>(cri.taskDelete, value);
  // The end of a process that was only executed inside (a probe) changes nothing about the container.
  return event.id === "" || event.id === event.containerId ? { container: event.containerId, ended: true } : undefined;
}

/** CRI writes its status just after containerd's event: wait until it shows the end, then tell. */
async function report(
  call: Call,
  handler: RuntimeEventHandler,
  id: string,
  ended: boolean,
  closed: () => boolean,
): Promise<void> {
  if (ended) {
    try {
      await settle(endShownMsMax, async () => closed() || !(await stillRuns(call, id)));
    } catch {
      // Not to be asked about any more (removed, a sandbox, the runtime went away): whoever listens looks itself.
    }
  }
  if (!closed()) handler.changed(id);
}

async function stillRuns(call: Call, id: string): Promise<boolean> {
  try {
    const answer = await call<{ status?: { state: string } }>(
      `${runtimeService}ContainerStatus`,
      cri.containerId,
      { containerId: id },
      cri.containerStatusResponse,
    );
    return answer.status?.state === "Running";
  } catch (error) {
    if (!(error instanceof ContainerRuntimeError) || error.code !== "NotFound") throw error;
  }
  const answer = await call<{ status?: { state: string } }>(
    `${runtimeService}PodSandboxStatus`,
    cri.sandboxId,
    { podSandboxId: id },
    cri.sandboxStatusResponse,
  );
  return answer.status?.state === "Ready";
}
