import type { Container, EphemeralContainer, Pod, Volume, VolumeMount } from "#api/generated/core-v1.ts";
import type { RuntimeMount } from "#world/container-runtime.ts";
import type { NodeContext } from "../context.ts";
import { nodePathOf } from "../devices/plugin-folder.ts";
import { hex } from "../images/oci-archive.ts";
import { ContainerConfigError } from "../pods/container-config.ts";
import { downwardFacts } from "../pods/environment-sources.ts";
import { expand } from "../pods/expand.ts";
import type { ReferencedObjects } from "../pods/referenced-objects.ts";
import { wholeValue } from "../quantity.ts";
import { writePayload } from "./atomic-writer.ts";
import { claimPath } from "./claims.ts";
import { prepareHostPath } from "./host-path.ts";
import { hostsFile } from "./hosts-file.ts";
import { payloadOf, VolumeError, type Payload } from "./payload.ts";
import { PodTokens } from "./tokens.ts";

interface MadeVolume {
  readonly hostPath: string;
  readonly readOnly: boolean;
}

/** A claim of a pod here, and where its volume lies on this node. */
export interface MountedClaim {
  readonly namespace: string;
  readonly name: string;
  readonly path: string;
}

/** Makes what pods' volumes need on this node, and undoes it. Everything is safe to be repeated, also after a restart. */
export class PodVolumes {
  readonly #context: NodeContext;
  readonly #objects: ReferencedObjects;
  readonly #tokens: PodTokens;
  readonly #made = new Map<string, Map<string, MadeVolume>>();
  readonly #pods = new Map<string, Pod>();
  readonly #written = new Map<string, string>();
  #stamps = 0;

  constructor(context: NodeContext, objects: ReferencedObjects) {
    this.#context = context;
    this.#objects = objects;
    this.#tokens = new PodTokens(context);
  }

  /** Rejects with `VolumeError` when something is missing. */
  async setUp(pod: Pod): Promise<void> {
    const uid = pod.metadata.uid ?? "";
    const made = new Map<string, MadeVolume>();
    const { measures } = this.#context;
    for (const volume of pod.spec.volumes ?? []) {
      const sinceMs = measures?.now() ?? 0;
      try {
        made.set(volume.name, await this.#make(pod, volume));
        measures?.mounted(pluginOf(volume), true, sinceMs);
      } catch (error) {
        measures?.mounted(pluginOf(volume), false, sinceMs);
        const text = error instanceof Error ? error.message : String(error);
        throw new VolumeError(`MountVolume.SetUp failed for volume "${volume.name}" : ${text}`);
      }
    }
    this.#made.set(uid, made);
    this.#pods.set(uid, pod);
  }

  /** The claims that pods have here, each once. */
  claims(): readonly MountedClaim[] {
    const found = new Map<string, MountedClaim>();
    for (const [uid, pod] of this.#pods) {
      const { namespace = "" } = pod.metadata;
      for (const volume of pod.spec.volumes ?? []) {
        const name = claimOf(pod, volume)?.claimName;
        const path = this.#made.get(uid)?.get(volume.name)?.hostPath;
        if (name !== undefined && path !== undefined) found.set(`${namespace}/${name}`, { namespace, name, path });
      }
    }
    return [...found.values()];
  }

  /** The volumes that are made here, by the plugins that would make them upstream. */
  counts(): ReadonlyMap<string, number> {
    return countPlugins(this.#pods.values());
  }

  /** Writes again what changed in ConfigMaps, Secrets, the pod's own fields and tokens. */
  async refresh(pod: Pod): Promise<void> {
    for (const volume of pod.spec.volumes ?? []) if (isPayload(volume)) await this.#writePayload(pod, volume);
  }

  /** When `refresh` is due though nothing changed: a token grows old. */
  refreshAt(podUid: string): number | undefined {
    return this.#tokens.renewAt(podUid);
  }

  async mountsOf(
    pod: Pod,
    container: Container | EphemeralContainer,
    attempt: number,
    environment: ReadonlyMap<string, string>,
    podIps: readonly string[],
  ): Promise<readonly RuntimeMount[]> {
    const mounts: RuntimeMount[] = [];
    for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
      mounts.push(await this.#mountOf(pod, container, mount, index, environment));
    }
    if (!mounts.some(({ containerPath }) => containerPath === "/etc/hosts")) {
      mounts.push(plain("/etc/hosts", await this.#hostsFile(pod, podIps)));
    }
    const messagePath = container.terminationMessagePath || "/dev/termination-log";
    mounts.push(plain(messagePath, await this.#terminationLog(pod, container.name, attempt)));
    return mounts;
  }

  /** Where a container's termination message ends up on the node. */
  terminationLogPath(podUid: string, containerName: string, attempt: number): string {
    return `${this.#podDir(podUid)}/containers/${containerName}/${attempt}`;
  }

  /** Unmounts and removes all volumes of a pod; its containers must have ended. */
  async tearDown(podUid: string): Promise<void> {
    const { machine, disk, settings } = this.#context;
    const memoryDir = `${settings.memoryDir}/${podUid}`;
    for (const point of [
      ...(await machine.mountsBelow(`${this.#podDir(podUid)}`)),
      ...(await machine.mountsBelow(memoryDir)),
    ]) {
      await machine.unmount(point);
    }
    await disk.remove(`${this.#podDir(podUid)}/volumes`);
    await disk.remove(`${this.#podDir(podUid)}/subpaths`);
    await disk.remove(memoryDir);
    this.#made.delete(podUid);
    this.#pods.delete(podUid);
    for (const key of this.#written.keys()) if (key.startsWith(`${podUid}/`)) this.#written.delete(key);
    this.#tokens.forget(podUid);
  }

  #podDir(podUid: string): string {
    return `${this.#context.settings.dataDir}/pods/${podUid}`;
  }

  async #make(pod: Pod, volume: Volume): Promise<MadeVolume> {
    if (isPayload(volume)) return { hostPath: await this.#writePayload(pod, volume), readOnly: true };
    if (volume.emptyDir !== undefined) return { hostPath: await this.#emptyDir(pod, volume), readOnly: false };
    if (volume.hostPath !== undefined) {
      const hostPath = nodePathOf(volume.hostPath.path, this.#context.settings.pluginFolder);
      await prepareHostPath(this.#context.disk, hostPath, volume.hostPath.type ?? "");
      return { hostPath, readOnly: false };
    }
    const claim = claimOf(pod, volume);
    if (claim !== undefined) {
      const path = await claimPath(this.#context.client, pod.metadata.namespace ?? "", claim.claimName);
      await prepareHostPath(this.#context.disk, path.path, path.create ? "DirectoryOrCreate" : "");
      const readOnly = ("readOnly" in claim && claim.readOnly) || false;
      if (!readOnly) await this.#ownByGroup(pod, path.path);
      return { hostPath: path.path, readOnly };
    }
    const kind = Object.keys(volume).find((key) => key !== "name") ?? "unknown";
    throw new VolumeError(`volumes of kind ${kind} are not supported on this node`);
  }

  /** Lets the pod's group use a claim's files; with OnRootMismatch only when the top folder says that it was not done. */
  async #ownByGroup(pod: Pod, path: string): Promise<void> {
    const { disk, machine } = this.#context;
    const group = pod.spec.securityContext?.fsGroup;
    if (group === undefined) return;
    const stat = await disk.stat(path);
    const done = stat?.gid === group && (stat.mode & 0o2070) === 0o2070;
    if (!done || pod.spec.securityContext?.fsGroupChangePolicy !== "OnRootMismatch")
      await machine.ownByGroup(path, group);
  }

  async #emptyDir(pod: Pod, volume: Volume): Promise<string> {
    const { disk, machine } = this.#context;
    const path = `${this.#podDir(pod.metadata.uid ?? "")}/volumes/empty-dir/${volume.name}`;
    const isNew = (await disk.stat(path)) === undefined;
    await disk.makeDirectory(path);
    if (volume.emptyDir?.medium === "Memory" && !(await machine.mountsBelow(path)).includes(path)) {
      const limit = volume.emptyDir.sizeLimit;
      await machine.mountTmpfs(path, limit === undefined ? undefined : wholeValue(limit));
    }
    if (!isNew) return path;
    await disk.chmod(path, 0o777);
    const group = pod.spec.securityContext?.fsGroup;
    if (group !== undefined) {
      await disk.chown(path, 0, group);
      await disk.chmod(path, 0o2777);
    }
    return path;
  }

  async #writePayload(pod: Pod, volume: Volume): Promise<string> {
    const { disk, crypto, clock, settings } = this.#context;
    const uid = pod.metadata.uid ?? "";
    const namespace = pod.metadata.namespace ?? "";
    const user = commonUser(pod);
    const group = pod.spec.securityContext?.fsGroup;
    const payload = await payloadOf(pod, volume, {
      configMap: (name) => this.#objects.configMap(namespace, name),
      secret: (name) => this.#objects.secret(namespace, name),
      token: ({ audience, expirationSeconds }) => this.#tokens.token(pod, audience, expirationSeconds),
      facts: downwardFacts(
        this.#context,
        (pod.status.podIPs ?? []).map(({ ip }) => ip),
      ),
      ownedTokens: group !== undefined || user !== undefined,
    });
    const folder = `${settings.memoryDir}/${uid}/${volume.name}`;
    const digest = digestOf(payload ?? new Map(), (bytes) => hex(crypto.sha256(bytes)));
    const key = `${uid}/${volume.name}`;
    if (payload === undefined || this.#written.get(key) === digest) return folder;
    await disk.makeDirectory(`${settings.memoryDir}/${uid}`, 0o755);
    await disk.makeDirectory(folder, 0o755);
    this.#stamps += 1;
    const stamp = `${new Date(clock.now()).toISOString().slice(0, 19).replace(/[-T:]/g, "_")}.${this.#stamps}`;
    await writePayload(disk, folder, payload, stamp, { uid: user, gid: group });
    this.#written.set(key, digest);
    return folder;
  }

  async #mountOf(
    pod: Pod,
    container: Container | EphemeralContainer,
    mount: VolumeMount,
    index: number,
    environment: ReadonlyMap<string, string>,
  ): Promise<RuntimeMount> {
    const uid = pod.metadata.uid ?? "";
    const made = this.#made.get(uid)?.get(mount.name);
    if (made === undefined)
      throw new ContainerConfigError(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
    const subPath = mount.subPathExpr ? expandStrictly(mount.subPathExpr, environment) : (mount.subPath ?? "");
    let hostPath = made.hostPath;
    if (subPath !== "") {
      hostPath = `${this.#podDir(uid)}/subpaths/${mount.name}/${container.name}/${index}`;
      await this.#context.machine.unmount(hostPath);
      await this.#context.machine
        .bindBeneath(made.hostPath, subPath, hostPath, { create: !made.readOnly })
        .catch((error: unknown) => {
          const text = error instanceof Error ? error.message : String(error);
          throw new ContainerConfigError(
            `failed to prepare subPath for volumeMount "${mount.name}" of container "${container.name}": ${text}`,
          );
        });
    }
    const propagations: Readonly<Record<string, RuntimeMount["propagation"]>> = {
      HostToContainer: "HostToContainer",
      Bidirectional: "Bidirectional",
    };
    return {
      containerPath: mount.mountPath.startsWith("/") ? mount.mountPath : `/${mount.mountPath}`,
      hostPath,
      readonly: made.readOnly || mount.readOnly === true,
      propagation: propagations[mount.mountPropagation ?? ""] ?? "Private",
    };
  }

  async #hostsFile(pod: Pod, podIps: readonly string[]): Promise<string> {
    const { disk, settings } = this.#context;
    const path = `${this.#podDir(pod.metadata.uid ?? "")}/etc-hosts`;
    // A machine without the file has no names of its own to pass on.
    const nodeHosts = pod.spec.hostNetwork === true ? await disk.readText("/etc/hosts").catch(() => "") : "";
    await disk.write(path, hostsFile(pod, podIps, settings.clusterDomain, nodeHosts), 0o644);
    return path;
  }

  async #terminationLog(pod: Pod, containerName: string, attempt: number): Promise<string> {
    const { disk } = this.#context;
    const path = this.terminationLogPath(pod.metadata.uid ?? "", containerName, attempt);
    await disk.makeDirectory(path.slice(0, path.lastIndexOf("/")));
    await disk.write(path, "", 0o666);
    // Any user of the container may write its message.
    await disk.chmod(path, 0o666);
    return path;
  }
}

function claimOf(pod: Pod, volume: Volume): { readonly claimName: string; readonly readOnly?: boolean } | undefined {
  const { persistentVolumeClaim, ephemeral } = volume;
  return persistentVolumeClaim ?? (ephemeral && { claimName: `${pod.metadata.name ?? ""}-${volume.name}` });
}

/** Volumes of pods by the plugins that would make them upstream. */
export function countPlugins(pods: Iterable<Pod>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const pod of pods)
    for (const volume of pod.spec.volumes ?? []) counts.set(pluginOf(volume), (counts.get(pluginOf(volume)) ?? 0) + 1);
  return counts;
}

function pluginOf(volume: Volume): string {
  const found = Object.entries(plugins).find(([kind]) => kind in volume);
  return found?.[1] ?? "unknown";
}

const plugins: Readonly<Record<string, string>> = {
  configMap: "kubernetes.io/configmap",
  secret: "kubernetes.io/secret",
  projected: "kubernetes.io/projected",
  downwardAPI: "kubernetes.io/downward-api",
  emptyDir: "kubernetes.io/empty-dir",
  hostPath: "kubernetes.io/host-path",
  persistentVolumeClaim: "kubernetes.io/local-volume",
  ephemeral: "kubernetes.io/local-volume",
};

function isPayload(volume: Volume): boolean {
  return (volume.configMap ?? volume.secret ?? volume.downwardAPI ?? volume.projected) !== undefined;
}

function plain(containerPath: string, hostPath: string): RuntimeMount {
  return { containerPath, hostPath, readonly: false, propagation: "Private" };
}

/** The one user that all containers run as, when the pod says so. */
function commonUser(pod: Pod): number | undefined {
  const users = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].map(
    (container) => container.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser,
  );
  return users.every((user) => user === users[0]) ? users[0] : undefined;
}

function expandStrictly(text: string, environment: ReadonlyMap<string, string>): string {
  const result = expand(text, environment);
  const open = /\$\(([^()]*)\)/.exec(text)?.[1];
  if (open !== undefined && !environment.has(open))
    throw new ContainerConfigError(`missing value for "${open}" in subPathExpr`);
  return result;
}

function digestOf(payload: Payload, hash: (bytes: Uint8Array) => string): string {
  return [...payload].map(([path, { content, mode }]) => `${path} ${mode} ${hash(content)}`).join("\n");
}
