import type {
  ClaimDriver,
  ClaimDriverVersion,
  ClaimName,
  DeviceEdits,
  DevicePlugin,
  DevicePluginOptions,
  DevicePluginRequest,
  NodePlugins,
  PluginDevice,
  PluginInfo,
  PluginRegistration,
  PodResources,
  PreparedDevice,
} from "../node-plugins.ts";
import { callerOf } from "./grpc-caller.ts";
import { GrpcChannel } from "./grpc.ts";
import { serveGrpc, type UnaryMethod } from "./grpc-server.ts";
import * as wire from "./proto/plugins.ts";
import { decodeMessage, encodeMessage } from "./proto/wire.ts";

/** Milliseconds that a plugin may take: for an answer; to set devices up, as upstream; to make ready those of a container. */
const answerMs = 10_000;
const prepareMs = 45_000;
const preStartMs = 30_000;

/** The plugins of this machine, over the sockets that they and we make. */
export function unixSocketPlugins(): NodePlugins {
  return { serveRegistration, servePodResources, devicePlugin, registration, claimDriver };
}

function serveRegistration(
  socketPath: string,
  register: (request: DevicePluginRequest) => Promise<void>,
): Promise<{ close(): Promise<void> }> {
  const method = async (bytes: Uint8Array): Promise<Uint8Array> => {
    await register(decodeMessage<DevicePluginRequest>(wire.registerRequest, bytes));
    return encodeMessage(wire.empty, {});
  };
  return serveGrpc(socketPath, new Map([["/v1beta1.Registration/Register", method]]));
}

/** https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/#monitoring-device-plugin-resources */
function servePodResources(socketPath: string, resources: PodResources): Promise<{ close(): Promise<void> }> {
  const find = (bytes: Uint8Array): Uint8Array => {
    const { namespace, name } = decodeMessage<{ namespace: string; name: string }>(wire.podResourcesRequest, bytes);
    const pod = resources.pod(namespace, name);
    if (pod === undefined) throw new Error(`pod ${name} in namespace ${namespace} not found`);
    return encodeMessage(wire.podResourcesAnswer, { pod });
  };
  const methods: Readonly<Record<string, (request: Uint8Array) => Uint8Array>> = {
    List: () => encodeMessage(wire.podResourcesList, { pods: resources.pods() }),
    GetAllocatableResources: () => encodeMessage(wire.allocatableResources, { devices: resources.allocatable() }),
    Get: find,
  };
  const served = Object.entries(methods).map(([name, answer]): [string, UnaryMethod] => [
    `/v1.PodResourcesLister/${name}`,
    (request) => Promise.try(answer, request),
  ]);
  return serveGrpc(socketPath, new Map(served));
}

function devicePlugin(socketPath: string): DevicePlugin {
  const channel = new GrpcChannel(socketPath);
  const call = callerOf(channel, "v1beta1.DevicePlugin", { timeoutMs: answerMs });
  return {
    options: () => call<DevicePluginOptions>("GetDevicePluginOptions", wire.empty, {}, wire.optionsResponse),
    watch: (events) =>
      channel.stream(
        "/v1beta1.DevicePlugin/ListAndWatch",
        encodeMessage(wire.empty, {}),
        { timeoutMs: 0 },
        {
          message: (bytes) =>
            events.devices(decodeMessage<{ devices: PluginDevice[] }>(wire.listAndWatchResponse, bytes).devices),
          end: (error) => events.end(error),
        },
      ),
    preferred: async (available, mustInclude, size) => {
      const request = { containers: [{ available, mustInclude, size }] };
      const answer = await call<{ containers: { ids: string[] }[] }>(
        "GetPreferredAllocation",
        wire.preferredAllocationRequest,
        request,
        wire.preferredAllocationResponse,
      );
      return answer.containers[0]?.ids ?? [];
    },
    allocate: async (ids) => {
      const request = { containers: [{ ids }] };
      const answer = await call<{ containers: DeviceEdits[] }>(
        "Allocate",
        wire.allocateRequest,
        request,
        wire.allocateResponse,
      );
      const [edits] = answer.containers;
      if (edits === undefined) throw new Error("the plugin allocated nothing");
      return edits;
    },
    preStart: async (ids) => {
      await call("PreStartContainer", wire.preStartRequest, { ids }, wire.empty, { timeoutMs: preStartMs });
    },
    close: () => channel.close(),
  };
}

function registration(socketPath: string): PluginRegistration {
  const channel = new GrpcChannel(socketPath);
  const call = callerOf(channel, "pluginregistration.Registration", { timeoutMs: answerMs });
  return {
    info: () => call<PluginInfo>("GetInfo", wire.empty, {}, wire.pluginInfo),
    notify: async (registered, error) => {
      await call("NotifyRegistrationStatus", wire.registrationStatus, { registered, error }, wire.empty);
    },
    close: () => channel.close(),
  };
}

function claimDriver(socketPath: string, version: ClaimDriverVersion): ClaimDriver {
  const channel = new GrpcChannel(socketPath);
  const call = callerOf(channel, `k8s.io.kubelet.pkg.apis.dra.${version}.DRAPlugin`, { timeoutMs: answerMs });
  return {
    prepare: async (claims) => {
      const answer = await call<{ claims: { uid: string; claim?: { devices: PreparedDevice[]; error: string } }[] }>(
        "NodePrepareResources",
        wire.claimsRequest,
        { claims },
        wire.prepareResponse,
        { timeoutMs: prepareMs },
      );
      return new Map(
        answer.claims.map(({ uid, claim }) => [
          uid,
          (claim?.error ?? "") !== "" ? claim!.error : (claim?.devices ?? []),
        ]),
      );
    },
    unprepare: async (claims: readonly ClaimName[]) => {
      const answer = await call<{ claims: { uid: string; claim?: { error: string } }[] }>(
        "NodeUnprepareResources",
        wire.claimsRequest,
        { claims },
        wire.unprepareResponse,
        { timeoutMs: prepareMs },
      );
      return new Map(
        answer.claims.flatMap(({ uid, claim }) => ((claim?.error ?? "") === "" ? [] : [[uid, claim!.error]])),
      );
    },
    close: () => channel.close(),
  };
}
