import type { Pod } from "#api/generated/core-v1.ts";
import type { NamespaceMode, NamespaceOptions, SandboxConfig, SecurityProfile } from "#world/container-runtime.ts";
import { podDns, type HostDns } from "./dns.ts";
import { podLabels, podLogDirectory } from "./labels.ts";
import { podCgroup } from "./qos.ts";

/** What the runtime needs to make a pod's sandbox. Pure. */
export function sandboxConfigOf(
  pod: Pod,
  attempt: number,
  settings: {
    readonly cgroupRoot: string;
    readonly logsDir: string;
    readonly clusterDns: readonly string[];
    readonly clusterDomain: string;
  },
  host: HostDns,
): SandboxConfig {
  const identity = {
    namespace: pod.metadata.namespace ?? "",
    name: pod.metadata.name ?? "",
    uid: pod.metadata.uid ?? "",
  };
  const security = pod.spec.securityContext;
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  return {
    metadata: { ...identity, attempt },
    hostname: pod.spec.hostNetwork === true ? "" : podHostname(pod),
    logDirectory: podLogDirectory(settings.logsDir, identity),
    dnsConfig: podDns(pod, settings, host),
    portMappings:
      pod.spec.hostNetwork === true
        ? []
        : containers.flatMap((container) =>
            (container.ports ?? [])
              .filter((port) => port.hostPort !== undefined && port.hostPort > 0)
              .map((port) => ({
                protocol: protocolOf(port.protocol),
                containerPort: port.containerPort,
                hostPort: port.hostPort ?? 0,
                hostIp: port.hostIP ?? "",
              })),
          ),
    labels: podLabels(pod),
    annotations: { ...pod.metadata.annotations },
    linux: {
      cgroupParent: podCgroup(settings.cgroupRoot, pod),
      securityContext: {
        namespaceOptions: namespaceOptionsOf(pod),
        supplementalGroups: [
          ...(security?.fsGroup === undefined ? [] : [security.fsGroup]),
          ...(security?.supplementalGroups ?? []),
        ],
        privileged: containers.some((container) => container.securityContext?.privileged === true),
        seccomp: { profileType: "RuntimeDefault" },
      },
      sysctls: Object.fromEntries((security?.sysctls ?? []).map(({ name, value }) => [name, value])),
    },
  };
}

/** The name containers see; at most 63 characters. */
export function podHostname(pod: Pod): string {
  const wanted = pod.spec.hostnameOverride ?? pod.spec.hostname ?? pod.metadata.name ?? "";
  return wanted.slice(0, pod.spec.hostnameOverride === undefined ? 63 : 64).replace(/[-.]+$/, "");
}

export function namespaceOptionsOf(pod: Pod): NamespaceOptions {
  const node = (asked: boolean | undefined, otherwise: NamespaceMode): NamespaceMode =>
    asked === true ? "Node" : otherwise;
  return {
    network: node(pod.spec.hostNetwork, "Pod"),
    pid: node(pod.spec.hostPID, pod.spec.shareProcessNamespace === true ? "Pod" : "Container"),
    ipc: node(pod.spec.hostIPC, "Pod"),
  };
}

/** A profile that is missing or odd never means unconfined: what cannot be honoured is refused by the caller. */
export function seccompOf(
  profile: { readonly type: string; readonly localhostProfile?: string } | undefined,
  profilesDir: string,
): SecurityProfile | undefined {
  if (profile === undefined || profile.type === "Unconfined") return { profileType: "Unconfined" };
  if (profile.type === "RuntimeDefault") return { profileType: "RuntimeDefault" };
  const name = profile.localhostProfile ?? "";
  if (profile.type !== "Localhost" || name === "" || name.startsWith("/") || name.split("/").includes(".."))
    return undefined;
  return { profileType: "Localhost", localhostRef: `${profilesDir}/${name}` };
}

function protocolOf(name: string | undefined): "TCP" | "UDP" | "SCTP" {
  return name === "UDP" || name === "SCTP" ? name : "TCP";
}
