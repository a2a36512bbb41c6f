import type { Container, EphemeralContainer, PodSpec, SecurityContext } from "#api/generated/core-v1.ts";
import type { ObjectMeta } from "#api/generated/meta-v1.ts";

export type Level = "privileged" | "baseline" | "restricted";

/** What a check looks at: a pod, or the template of one. */
export interface Checked {
  readonly metadata: Pick<ObjectMeta, "annotations">;
  readonly spec: PodSpec;
  readonly containers: readonly (Container | EphemeralContainer)[];
  /** Minor version of the standard, e.g. 36. */
  readonly minor: number;
}

/** What is wrong, as users see it: `hostPath volumes (volume "x")`; undefined when nothing is. */
type Check = (pod: Checked) => string | undefined;

const quote = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(", ");
const several = (count: number, word: string): string => (count === 1 ? word : `${word}s`);
const told = (what: string, detail: string): string => `${what} (${detail})`;

/** The containers for which something holds, by name. */
function named(
  pod: Checked,
  holds: (context: SecurityContext, container: Container | EphemeralContainer) => boolean,
): string[] {
  return pod.containers.filter((one) => holds(one.securityContext ?? {}, one)).map((one) => one.name);
}

/** `container "a" must not set x`, `pod and containers "a", "b" must not set x`. */
function must(pod: boolean, containers: readonly string[], what: string): string {
  const parts = [
    ...(pod ? ["pod"] : []),
    ...(containers.length === 0 ? [] : [`${several(containers.length, "container")} ${quote(containers)}`]),
  ];
  return `${parts.join(" and ")} ${what}`;
}

function forbidden(what: string, pod: boolean, containers: readonly string[], rule: string): string | undefined {
  return pod || containers.length !== 0 ? told(what, must(pod, containers, rule)) : undefined;
}

const defaultCapabilities = new Set(
  "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split(
    " ",
  ),
);

/** Sysctls that stay within the pod, with the version that first allowed each. */
const safeSysctls = new Map([
  ...[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
  ].map((name) => [name, 0] as const),
  ["net.ipv4.ip_unprivileged_port_start", 0],
  ["net.ipv4.ip_local_reserved_ports", 27],
  ...["keepalive_time", "fin_timeout", "keepalive_intvl", "keepalive_probes"].map(
    (name) => [`net.ipv4.tcp_${name}`, 29] as const,
  ),
  ...["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"].map((name) => [name, 32] as const),
]);

const safeSelinuxTypes = new Map([
  ["", 0],
  ["container_t", 0],
  ["container_init_t", 0],
  ["container_kvm_t", 0],
  ["container_engine_t", 31],
]);

const baseline: readonly Check[] = [
  function appArmorProfile(pod) {
    const unconfined = (type: string | undefined): boolean => type === "Unconfined";
    const inPod = unconfined(pod.spec.securityContext?.appArmorProfile?.type);
    const containers = named(pod, (context) => unconfined(context.appArmorProfile?.type));
    const prefix = "container.apparmor.security.beta.kubernetes.io/";
    const odd = Object.entries(pod.metadata.annotations ?? {})
      .filter(
        ([key, value]) =>
          key.startsWith(prefix) && value !== "" && value !== "runtime/default" && !value.startsWith("localhost/"),
      )
      .map(([key, value]) => `annotation ${JSON.stringify(key)} must not be ${JSON.stringify(value)}`);
    if (!inPod && containers.length + odd.length === 0) return undefined;
    const field =
      inPod || containers.length !== 0
        ? [must(inPod, containers, 'must not set AppArmor profile type to "Unconfined"')]
        : [];
    return told("forbidden AppArmor profile", [...field, ...odd].join(", "));
  },
  function capabilities(pod) {
    const added = (context: SecurityContext): string[] =>
      (context.capabilities?.add ?? []).filter((name) => !defaultCapabilities.has(name));
    const containers = named(pod, (context) => added(context).length !== 0);
    const names = [...new Set(pod.containers.flatMap((one) => added(one.securityContext ?? {})))].sort();
    return forbidden(
      "non-default capabilities",
      false,
      containers,
      `must not include ${quote(names)} in securityContext.capabilities.add`,
    );
  },
  function hostNamespaces({ spec }) {
    const used = (["hostNetwork", "hostPID", "hostIPC"] as const)
      .filter((name) => spec[name] === true)
      .map((name) => `${name}=true`);
    return used.length === 0 ? undefined : told("host namespaces", used.join(", "));
  },
  function hostPathVolumes({ spec }) {
    const volumes = (spec.volumes ?? []).filter((volume) => volume.hostPath !== undefined).map((volume) => volume.name);
    return volumes.length === 0
      ? undefined
      : told("hostPath volumes", `${several(volumes.length, "volume")} ${quote(volumes)}`);
  },
  function hostPorts(pod) {
    const ports = pod.containers
      .flatMap((one) => one.ports ?? [])
      .map((port) => port.hostPort ?? 0)
      .filter((port) => port !== 0);
    const containers = named(pod, (_, one) => (one.ports ?? []).some((port) => (port.hostPort ?? 0) !== 0));
    if (ports.length === 0) return undefined;
    const list = [...new Set(ports)].sort((a, b) => a - b).join(", ");
    const they = several(containers.length, "container");
    return told(
      "hostPort",
      `${they} ${quote(containers)} ${containers.length === 1 ? "uses" : "use"} ${several(ports.length, "hostPort")} ${list}`,
    );
  },
  function hostProbes(pod) {
    if (pod.minor < 34) return undefined;
    const asks = (handler: { httpGet?: { host?: string }; tcpSocket?: { host?: string } } | undefined): boolean =>
      Boolean(handler?.httpGet?.host) || Boolean(handler?.tcpSocket?.host);
    const containers = named(pod, (_, one) =>
      [one.livenessProbe, one.readinessProbe, one.startupProbe, one.lifecycle?.postStart, one.lifecycle?.preStop].some(
        asks,
      ),
    );
    return forbidden("probe or lifecycle host", false, containers, "must not set probe or lifecycle host");
  },
  function privileged(pod) {
    return forbidden(
      "privileged",
      false,
      named(pod, (context) => context.privileged === true),
      "must not set securityContext.privileged=true",
    );
  },
  function procMount(pod) {
    const containers = named(pod, (context) => Boolean(context.procMount) && context.procMount !== "Default");
    return forbidden("procMount", false, containers, 'must not set securityContext.procMount to "Unmasked"');
  },
  function seLinuxOptions(pod) {
    const odd = (options: { type?: string; user?: string; role?: string } | undefined): boolean =>
      options !== undefined &&
      (pod.minor < (safeSelinuxTypes.get(options.type ?? "") ?? Number.POSITIVE_INFINITY) ||
        Boolean(options.user) ||
        Boolean(options.role));
    const inPod = odd(pod.spec.securityContext?.seLinuxOptions);
    return forbidden(
      "seLinuxOptions",
      inPod,
      named(pod, (context) => odd(context.seLinuxOptions)),
      "set forbidden securityContext.seLinuxOptions",
    );
  },
  function seccompProfile(pod) {
    const odd = (type: string | undefined): boolean =>
      type !== undefined && type !== "RuntimeDefault" && type !== "Localhost";
    const inPod = odd(pod.spec.securityContext?.seccompProfile?.type);
    const containers = named(pod, (context) => odd(context.seccompProfile?.type));
    return forbidden(
      "seccompProfile",
      inPod,
      containers,
      'must not set securityContext.seccompProfile.type to "Unconfined"',
    );
  },
  function sysctls({ spec, minor }) {
    const odd = (spec.securityContext?.sysctls ?? [])
      .map(({ name }) => name)
      .filter((name) => minor < (safeSysctls.get(name) ?? Number.POSITIVE_INFINITY));
    return odd.length === 0 ? undefined : told("forbidden sysctls", odd.join(", "));
  },
  function windowsHostProcess(pod) {
    const inPod = pod.spec.securityContext?.windowsOptions?.hostProcess === true;
    const containers = named(pod, (context) => context.windowsOptions?.hostProcess === true);
    return forbidden("hostProcess", inPod, containers, "must not set securityContext.windowsOptions.hostProcess=true");
  },
];

const restrictedVolumes = new Set([
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret",
]);

/** Windows knows none of what these three are about. */
function isWindows({ spec, minor }: Checked): boolean {
  return 25 <= minor && spec.os?.name === "windows";
}

const restricted: readonly Check[] = [
  function allowPrivilegeEscalation(pod) {
    if (pod.minor < 8 || isWindows(pod)) return undefined;
    const containers = named(pod, (context) => context.allowPrivilegeEscalation !== false);
    return forbidden(
      "allowPrivilegeEscalation != false",
      false,
      containers,
      "must set securityContext.allowPrivilegeEscalation=false",
    );
  },
  function restrictedCapabilities(pod) {
    if (pod.minor < 22 || isWindows(pod)) return undefined;
    const keeping = named(pod, (context) => context.capabilities?.drop?.includes("ALL") !== true);
    const added = (context: SecurityContext): string[] =>
      (context.capabilities?.add ?? []).filter((name) => name !== "NET_BIND_SERVICE");
    const adding = named(pod, (context) => added(context).length !== 0);
    const names = [...new Set(pod.containers.flatMap((one) => added(one.securityContext ?? {})))].sort();
    const details = [
      ...(keeping.length === 0 ? [] : [must(false, keeping, 'must set securityContext.capabilities.drop=["ALL"]')]),
      ...(adding.length === 0
        ? []
        : [must(false, adding, `must not include ${quote(names)} in securityContext.capabilities.add`)]),
    ];
    return details.length === 0 ? undefined : told("unrestricted capabilities", details.join("; "));
  },
  function volumeTypes({ spec }) {
    const typeOf = (volume: object): string => Object.keys(volume).find((key) => key !== "name") ?? "unknown";
    const odd = (spec.volumes ?? []).filter((volume) => !restrictedVolumes.has(typeOf(volume)));
    if (odd.length === 0) return undefined;
    const types = [...new Set(odd.map(typeOf))].sort();
    const uses = odd.length === 1 ? "uses" : "use";
    const they = `${several(odd.length, "volume")} ${quote(odd.map((one) => one.name))}`;
    return told(
      "restricted volume types",
      `${they} ${uses} restricted volume ${several(types.length, "type")} ${quote(types)}`,
    );
  },
  function runAsNonRoot(pod) {
    const inPod = pod.spec.securityContext?.runAsNonRoot;
    const denying = named(pod, (context) => context.runAsNonRoot === false);
    const unset = inPod === true ? [] : named(pod, (context) => context.runAsNonRoot === undefined);
    if (denying.length !== 0 || (inPod === false && unset.length !== 0)) {
      return told(
        "runAsNonRoot != true",
        must(inPod === false, denying, "must not set securityContext.runAsNonRoot=false"),
      );
    }
    return unset.length === 0
      ? undefined
      : told(
          "runAsNonRoot != true",
          `pod or ${several(unset.length, "container")} ${quote(unset)} must set securityContext.runAsNonRoot=true`,
        );
  },
  function runAsUser(pod) {
    if (pod.minor < 23) return undefined;
    const inPod = pod.spec.securityContext?.runAsUser === 0;
    return forbidden(
      "runAsUser=0",
      inPod,
      named(pod, (context) => context.runAsUser === 0),
      "must not set runAsUser=0",
    );
  },
  function restrictedSeccomp(pod) {
    if (pod.minor < 19 || isWindows(pod) || pod.spec.securityContext?.seccompProfile?.type !== undefined)
      return undefined;
    const unset = named(pod, (context) => context.seccompProfile?.type === undefined);
    if (unset.length === 0) return undefined;
    const rule = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"';
    return told("seccompProfile", `pod or ${several(unset.length, "container")} ${quote(unset)} ${rule}`);
  },
];

/** Everything in a pod that a level of the Pod Security Standards forbids, in words; empty when nothing. */
export function violationsOf(level: Level, pod: Checked): string[] {
  if (level === "privileged") return [];
  // Where restricted says more about volumes, it says it alone.
  const checks =
    level === "baseline" ? baseline : [...baseline.filter((check) => check.name !== "hostPathVolumes"), ...restricted];
  return checks.map((check) => check(pod)).filter((violation) => violation !== undefined);
}
