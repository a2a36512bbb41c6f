import { nodes as nodeResource } from "#api/generated/resources.ts";
import { transportCounter } from "#client/counted-transport.ts";
import { createClient } from "#client/http-client.ts";
import { createNetwork, type Network } from "#network/network.ts";
import { createAgent, type Agent } from "#node/agent.ts";
import { mayLowerOomScore, startContainerd } from "#node/containerd/start.ts";
import { forgetContainers, removeAllPods, stopAllPods } from "#node/containerd/stop-all.ts";
import { measuredRuntime } from "#node/metrics/measured-runtime.ts";
import { NodeMeasures } from "#node/metrics/measures.ts";
import { buildPauseImage, pauseImageName } from "#node/images/pause.ts";
import { heldFamilies } from "#observability/traffic/held-families.ts";
import { trafficFamilies } from "#observability/traffic/families.ts";
import type { Log } from "#telemetry/log.ts";
import { createMetrics, type Metrics } from "#telemetry/metrics.ts";
import { processFamilies } from "#telemetry/process-metrics.ts";
import { ContainerRuntimeError, type ContainerRuntime } from "#world/container-runtime.ts";
import type { TlsIdentity } from "#world/http.ts";
import type { KernelRules } from "#world/kernel-rules.ts";
import type { Machine } from "#world/machine.ts";
import type { NetworkLinks } from "#world/network.ts";
import type { NodePlugins } from "#world/node-plugins.ts";
import type { OwnProcess } from "#world/own-process.ts";
import type { ProbeWire } from "#world/probe-wire.ts";
import type { World } from "#world/world.ts";
import { clusterCgroup, containerdPaths, pluginFolder, podMemoryFolder, runtimeFolder } from "./node-paths.ts";
import { keepFresh, transportOf } from "./fresh-certificates.ts";
import { certificateFamilies, renewalCounter } from "./node-metrics.ts";
import { nodePath, type ClusterSettings, type NodeSettings } from "./settings.ts";
import { gitVersion } from "./version.ts";

const clusterDomain = "cluster.local";
const resolvConfPath = "/etc/resolv.conf";
const podsMax = 110;
/** Kept back from pods for the machine and for us. */
const reserved = { cpuMilli: 100, memoryBytes: 256 * 1024 * 1024 };
const bodyBytesMax = 1024 * 1024;
const closeGraceMs = 1000;
/** Containers get this long after their stop signal, in seconds: `down` lets them finish, `reset` throws their work away anyway. */
const stopSecondsMax = { down: 10, reset: 1 } as const;

/** The machine below a node, beyond the World that every part shares. */
export interface NodeMachine {
  readonly machine: Machine;
  readonly links: NetworkLinks;
  readonly kernelRules: KernelRules;
  readonly probeWire: ProbeWire;
  readonly plugins: NodePlugins;
  readonly sha1: (data: Uint8Array) => Uint8Array;
  readonly connectRuntime: (socketPath: string) => ContainerRuntime & { close(): void };
}

export interface NodeOptions {
  readonly world: World;
  readonly parts: NodeMachine;
  readonly settings: ClusterSettings;
  readonly dataDir: string;
  readonly node: NodeSettings;
  readonly identity: TlsIdentity;
  /** Makes the identity anew when it ends soon; absent: it stays as long as the process. */
  readonly renewIdentity?: () => Promise<TlsIdentity>;
  readonly ca: string;
  /** For hosts of the ingress without a certificate of their own. */
  readonly ingressIdentity: TlsIdentity;
  /** For `process_*`. */
  readonly ownProcess?: OwnProcess;
  readonly log: Log;
}

export interface RunningNode {
  /** Resolves when the Node is Ready and names are answered. */
  readonly ready: Promise<void>;
  /** Ends our own loops; containers, services, DNS rules and the ingress go on. */
  stop(): Promise<void>;
}

/** Starts a node's parts on this machine: containerd (or adopts it), network, agent, the agent's API. */
export async function startNode(given: NodeOptions): Promise<RunningNode> {
  const { world, settings, node, log, dataDir } = given;
  let { identity } = given;
  const options: NodeOptions = {
    ...given,
    get identity() {
      return identity;
    },
  };
  const client = nodeClient(options);
  const metrics = createMetrics();
  const network = createNodeNetwork(options, metrics);
  const countedRenewal = renewalCounter(metrics);
  // The pod network's configuration and containerd do not wait for each other.
  const [{ runtime, restart }] = await Promise.all([startRuntime(options), network.start()]);
  const agent = await startAgent(
    options,
    { runtime: measuredRuntime(runtime, metrics, world.clock), restart },
    network,
    metrics,
  );
  const listeners = await Promise.all(
    ["127.0.0.1", node.address].map((host) => {
      const tls = { ...identity, clientCa: options.ca };
      return world.http.listen({ host, port: node.agentPort, tls, bodyBytesMax }, agent.handler);
    }),
  );
  const { renewIdentity } = options;
  const fresh =
    renewIdentity === undefined
      ? undefined
      : keepFresh(world, {
          current: () => [identity.certificate],
          renew: async () => {
            identity = await countedRenewal(renewIdentity);
            for (const listener of listeners) listener.replaceTls({ ...identity, clientCa: options.ca });
          },
          log,
        });
  await agent.start();
  log.info("the agent runs", { node: node.name, data: nodePath(dataDir, node.name), cluster: settings.id });
  return {
    ready: Promise.all([network.ready, untilReady(client, node.name)]).then(() => undefined),
    stop: async () => {
      fresh?.stop();
      agent.stop();
      await network.stop();
      await Promise.all(listeners.map((listener) => listener.close(closeGraceMs)));
      runtime.close();
    },
  };
}

/** `counted`: requests are counted there. */
function nodeClient(
  options: NodeOptions,
  counted: ReturnType<typeof transportCounter> = (inner) => inner,
): ReturnType<typeof createClient> {
  const { world, settings, ca } = options;
  const baseUrl = `https://${settings.serverAddress}:${settings.apiPort}`;
  // Asked each time: it may be renewed.
  const transport = transportOf(world, { baseUrl, ca }, () => options.identity);
  return createClient(counted(transport, `${settings.serverAddress}:${settings.apiPort}`), {
    userAgent: "steersman-agent",
    timers: world.timers,
  });
}

function createNodeNetwork(options: NodeOptions, metrics?: Metrics): Network {
  const { world, parts, settings, node, log } = options;
  return createNetwork({
    ...world,
    ...(metrics === undefined ? {} : { metrics }),
    clusterId: settings.id,
    nodeName: node.name,
    client: nodeClient(options),
    kernelRules: parts.kernelRules,
    links: parts.links,
    dataDir: `${nodePath(options.dataDir, node.name)}/network`,
    cniConfigurationDir: containerdPaths(settings, options.dataDir, node.name).cniConfigDir,
    clusterPods: settings.podRange,
    serviceRange: settings.serviceRange,
    clusterDomain,
    resolvConf: resolvConfPath,
    ingress: {
      listen: { addresses: ["127.0.0.1", node.address], httpPort: settings.httpPort, httpsPort: settings.httpsPort },
      defaultCertificate: () =>
        Promise.resolve(`${options.ingressIdentity.certificate}\n${options.ingressIdentity.key}`),
    },
    onProblem: (problem, error) => log.error(problem, error, { part: "network" }),
  });
}

interface StartedRuntime {
  readonly runtime: ContainerRuntime & { close(): void };
  /** Ends containerd and with it this process: the supervisor starts both again. Containers go on. */
  readonly restart: () => Promise<void>;
}

async function startRuntime(options: NodeOptions): Promise<StartedRuntime> {
  const { world, parts, settings, dataDir, node, log } = options;
  const paths = containerdPaths(settings, dataDir, node.name);
  const configDir = nodePath(dataDir, node.name);
  const containerd = await startContainerd({
    ...world,
    paths,
    configDir,
    sandboxImage: pauseImageName,
    restrictOomScore: !(await mayLowerOomScore(world.disk)),
    snapshotter: "overlayfs",
  });
  // Without its runtime the agent is blind: the supervisor starts it again, and containerd with it.
  void containerd.ended.then(() => {
    throw new Error("containerd ended");
  });
  const runtime = parts.connectRuntime(paths.socketPath);
  if ((await runtime.imageStatus(pauseImageName)) === undefined) {
    const { architecture } = await parts.machine.facts();
    const archive = `${configDir}/pause.tar`;
    await world.disk.write(archive, await buildPauseImage({ ...world, architecture }));
    await runtime.importImages(archive);
    await world.disk.remove(archive);
  }
  log.info("containerd answers", { adopted: containerd.adopted, pid: containerd.pid });
  const restart = async (): Promise<void> => {
    await containerd.stop();
    // Nobody hears of the end of one that was adopted.
    world.timers.soon(() => {
      throw new Error("containerd was ended to be started again");
    });
  };
  return { runtime, restart };
}

function startAgent(
  options: NodeOptions,
  { runtime, restart }: { readonly runtime: ContainerRuntime; readonly restart: () => Promise<void> },
  network: Network,
  metrics: Metrics,
): Promise<Agent> {
  const { world, parts, settings, node, dataDir, log } = options;
  const measures = new NodeMeasures(metrics, world.clock);
  return createAgent({
    ...world,
    nodeName: node.name,
    client: nodeClient(options, transportCounter(metrics, world.clock)),
    runtime,
    restartRuntime: restart,
    measures,
    machine: { ...parts.machine, ...measures.measuredCgroups(parts.machine) },
    probeWire: parts.probeWire,
    plugins: parts.plugins,
    sha1: parts.sha1,
    settings: {
      dataDir: nodePath(dataDir, node.name),
      memoryDir: podMemoryFolder(settings, node.name),
      logsDir: `${nodePath(dataDir, node.name)}/pod-logs`,
      cgroupRoot: cgroupRoot(settings, node.name),
      clusterDns: [network.dnsAddress],
      clusterDomain,
      addresses: () => [node.address],
      version: gitVersion,
      apiPort: () => node.agentPort,
      labels: {},
      podsMax,
      reserved,
      defaultRegistry: settings.defaultRegistry,
      pluginFolder: pluginFolder(settings, node.name),
      resolvConfPath,
    },
    families: async () => {
      const { ownProcess } = options;
      const own = ownProcess === undefined ? [] : processFamilies(ownProcess);
      // Without its proxy a node has no traffic to tell of, and the rest is told all the same.
      const traffic = await network.ingressTraffic().catch((error: unknown) => {
        log.error("cannot read the ingress' counters", error, { part: "agent" });
        return undefined;
      });
      const held = heldFamilies(network.ingressHeld());
      return [
        ...(await metrics.families()),
        ...own,
        ...certificateFamilies(world, options.identity.certificate),
        ...held,
        ...(traffic === undefined ? [] : trafficFamilies(traffic)),
      ];
    },
    ingressActivity: () => network.ingressActivity(),
    trafficUsers: async () => ({ users: (await network.ingressTraffic()).users }),
    admitPod: (pod, address) => network.admitPod(pod, address),
    onProblem: (problem, error) => log.error(problem, error, { part: "agent" }),
  });
}

function cgroupRoot(settings: Pick<ClusterSettings, "id">, nodeName: string): string {
  return `${clusterCgroup(settings)}/${nodeName}`;
}

async function untilReady(client: ReturnType<typeof createClient>, name: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const look = (): void => {
      const watch = client.watch(
        nodeResource,
        { fieldSelector: `metadata.name=${name}` },
        {
          event: ({ type, object }) => {
            const isReady = object.status.conditions?.some(
              (condition) => condition.type === "Ready" && condition.status === "True",
            );
            if (type === "DELETED" || isReady !== true) return;
            watch.close();
            resolve();
          },
          end: look,
        },
      );
    };
    look();
  });
}

/**
 * Stops every pod of a node as its containers want it: what `steer down` does once the agent has ended. What containerd cannot stop
 * goes on, for the caller to end. With `forGood` nothing is kept of them.
 */
export async function stopPods(
  { world, parts, settings, node, dataDir }: NodeOptions,
  forGood: boolean,
): Promise<void> {
  const { rootDir, socketPath } = containerdPaths(settings, dataDir, node.name);
  // A containerd whose files were removed below it answers, but waits for ever for the end of a container.
  for (const path of [rootDir, socketPath]) if ((await world.disk.stat(path)) === undefined) return;
  const runtime = parts.connectRuntime(socketPath);
  try {
    await stopAllPods(runtime, forGood ? stopSecondsMax.reset : stopSecondsMax.down);
    if (forGood) await removeAllPods(runtime);
  } catch (error) {
    // The caller ends what it left.
    if (!(error instanceof ContainerRuntimeError)) throw error;
  } finally {
    runtime.close();
  }
}

/**
 * Takes from the machine what a node had for its pods: mounts, cgroups; with `forGood` its network too. Nothing of the node may
 * run any more.
 */
export async function leaveMachine(options: NodeOptions, forGood: boolean): Promise<void> {
  const { world, parts, settings, node, dataDir } = options;
  await forgetContainers(world.disk, containerdPaths(settings, dataDir, node.name));
  const { networkNamespace } = node;
  const hasNetwork = networkNamespace === undefined || (await world.disk.stat(networkNamespace)) !== undefined;
  if (forGood && hasNetwork) await createNodeNetwork(options).cleanup();
  for (const path of await parts.machine.mountsBelow(runtimeFolder(settings))) await parts.machine.unmount(path);
  for (const path of await parts.machine.mountsBelow(nodePath(dataDir, node.name))) await parts.machine.unmount(path);
  await parts.machine.removeCgroup(cgroupRoot(settings, node.name));
  await parts.machine.removeCgroup(clusterCgroup(settings));
}
