import type { Container, EphemeralContainer, Pod, SecurityContext } from "#api/generated/core-v1.ts";
import type { ContainerConfig, NamespaceOptions, RuntimeImage, RuntimeMount } from "#world/container-runtime.ts";
import { expandAll } from "./expand.ts";
import {
  containerLabels,
  gracePeriodAnnotation,
  hashAnnotation,
  messagePathAnnotation,
  messagePolicyAnnotation,
  resourcesAnnotation,
  restartCountAnnotation,
} from "./labels.ts";
import { containerResources } from "./qos.ts";
import { namespaceOptionsOf, seccompOf } from "./sandbox-config.ts";

/** A container cannot be made from what the pod says: shown as CreateContainerConfigError. */
export class ContainerConfigError extends Error {
  override readonly name = "ContainerConfigError";
}

export interface ContainerInputs {
  readonly attempt: number;
  readonly hash: string;
  readonly image: RuntimeImage;
  /** In order; later ones may refer to earlier ones, which is resolved already. */
  readonly environment: ReadonlyMap<string, string>;
  readonly mounts: readonly RuntimeMount[];
  readonly devices: readonly {
    readonly containerPath: string;
    readonly hostPath: string;
    readonly permissions: string;
  }[];
  /** Of devices that were given to it. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly cdiDevices: ContainerConfig["cdiDevices"];
  readonly machineMemoryBytes: number;
  readonly seccompProfilesDir: string;
  /** Of an ephemeral container that looks at another one's processes. */
  readonly targetId?: string | undefined;
}

/** What containers may not see of the machine unless they ask for `procMount: Unmasked`. */
const maskedPaths = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];
const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** What the runtime needs to make one container. Pure; throws `ContainerConfigError`. */
export function containerConfigOf(
  pod: Pod,
  container: Container | EphemeralContainer,
  inputs: ContainerInputs,
): ContainerConfig {
  const security = container.securityContext ?? {};
  checkUser(pod, container, inputs.image);
  const metadata = { name: container.name, attempt: inputs.attempt };
  return {
    metadata,
    image: { image: inputs.image.id },
    command: expandAll(container.command ?? [], inputs.environment),
    args: expandAll(container.args ?? [], inputs.environment),
    workingDir: container.workingDir ?? "",
    envs: [...inputs.environment].map(([key, value]) => ({ key, value })),
    mounts: inputs.mounts,
    devices: inputs.devices,
    cdiDevices: inputs.cdiDevices,
    labels: containerLabels(pod, container.name),
    annotations: {
      ...inputs.annotations,
      [hashAnnotation]: inputs.hash,
      [restartCountAnnotation]: String(inputs.attempt),
      [messagePathAnnotation]: container.terminationMessagePath ?? "/dev/termination-log",
      [messagePolicyAnnotation]: container.terminationMessagePolicy ?? "File",
      [resourcesAnnotation]: JSON.stringify(container.resources ?? {}),
      [gracePeriodAnnotation]: String(pod.spec.terminationGracePeriodSeconds ?? 30),
    },
    logPath: `${container.name}/${inputs.attempt}.log`,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    linux: {
      resources: containerResources(container, pod, inputs.machineMemoryBytes),
      securityContext: securityContextOf(pod, security, inputs),
    },
  };
}

function securityContextOf(
  pod: Pod,
  security: SecurityContext,
  inputs: ContainerInputs,
): ContainerConfig["linux"]["securityContext"] {
  const podSecurity = pod.spec.securityContext;
  const privileged = security.privileged === true;
  const user = security.runAsUser ?? podSecurity?.runAsUser;
  const group = security.runAsGroup ?? podSecurity?.runAsGroup;
  const unmasked = privileged || security.procMount === "Unmasked";
  const profile = security.seccompProfile ?? podSecurity?.seccompProfile;
  const seccomp = seccompOf(profile, inputs.seccompProfilesDir);
  if (seccomp === undefined)
    throw new ContainerConfigError(`seccomp profile of type "${profile?.type ?? ""}" cannot be used`);
  const namespaceOptions: NamespaceOptions = namespaceOptionsOf(pod);
  return {
    capabilities: {
      addCapabilities: security.capabilities?.add ?? [],
      dropCapabilities: security.capabilities?.drop ?? [],
    },
    privileged,
    namespaceOptions:
      inputs.targetId === undefined
        ? namespaceOptions
        : { ...namespaceOptions, pid: "Target", targetId: inputs.targetId },
    runAsUser: user === undefined ? (group === undefined ? undefined : imageUser(inputs.image)) : { value: user },
    runAsGroup: group === undefined ? undefined : { value: group },
    readonlyRootfs: security.readOnlyRootFilesystem ?? false,
    supplementalGroups: [
      ...(podSecurity?.fsGroup === undefined ? [] : [podSecurity.fsGroup]),
      ...(podSecurity?.supplementalGroups ?? []),
    ],
    noNewPrivs: security.allowPrivilegeEscalation === false,
    maskedPaths: unmasked ? [] : maskedPaths,
    readonlyPaths: unmasked ? [] : readonlyPaths,
    seccomp,
  };
}

/** The runtime takes a group only beside a user. */
function imageUser(image: RuntimeImage): { readonly value: number } {
  return image.uid ?? { value: 0 };
}

function checkUser(pod: Pod, container: Container | EphemeralContainer, image: RuntimeImage): void {
  const security = container.securityContext;
  const mustNotBeRoot = security?.runAsNonRoot ?? pod.spec.securityContext?.runAsNonRoot;
  if (mustNotBeRoot !== true) return;
  const user = security?.runAsUser ?? pod.spec.securityContext?.runAsUser;
  if (user === 0) throw new ContainerConfigError("container's runAsUser breaks non-root policy");
  if (user !== undefined) return;
  if (image.uid === undefined && image.username !== "") {
    throw new ContainerConfigError(
      `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root`,
    );
  }
  if (image.uid === undefined || image.uid.value === 0) {
    throw new ContainerConfigError("container has runAsNonRoot and image will run as root");
  }
}
