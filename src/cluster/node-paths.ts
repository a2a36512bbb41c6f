import type { ContainerdPaths } from "#node/containerd/config.ts";
import { nodePath, type ClusterSettings } from "./settings.ts";

/** Of one boot only, on a tmpfs where the machine has one there: sockets, mounts of running containers, secrets of pods. */
export function runtimeFolder(settings: Pick<ClusterSettings, "id">): string {
  return `/run/steersman-${settings.id}`;
}

/** All cgroups of a cluster are below one; nodes of one machine are beside each other in it. */
export function clusterCgroup(settings: Pick<ClusterSettings, "id">): string {
  return `/steersman-${settings.id}`;
}

/** Short, because Unix sockets' paths are: a node is known by its place in the settings. */
function nodeRuntimeFolder(settings: Pick<ClusterSettings, "id" | "nodes">, nodeName: string): string {
  return `${runtimeFolder(settings)}/${settings.nodes.findIndex(({ name }) => name === nodeName)}`;
}

export function containerdPaths(
  settings: Pick<ClusterSettings, "id" | "nodes">,
  dataDir: string,
  nodeName: string,
): ContainerdPaths {
  const data = nodePath(dataDir, nodeName);
  const runtime = nodeRuntimeFolder(settings, nodeName);
  return {
    rootDir: `${data}/containerd`,
    stateDir: `${runtime}/containerd`,
    socketPath: `${runtime}/containerd.sock`,
    cniConfigDir: `${data}/cni`,
    cniBinDir: "/usr/lib/cni",
    registryConfigDir: `${data}/registries`,
  };
}

/** Where pods' secrets and tokens lie. */
export function podMemoryFolder(settings: Pick<ClusterSettings, "id" | "nodes">, nodeName: string): string {
  return `${nodeRuntimeFolder(settings, nodeName)}/pods`;
}

/** Where the node meets device plugins and drivers of claims; pods know it as /var/lib/kubelet. */
export function pluginFolder(settings: Pick<ClusterSettings, "id" | "nodes">, nodeName: string): string {
  return `${nodeRuntimeFolder(settings, nodeName)}/kubelet`;
}
