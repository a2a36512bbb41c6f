/** Where one cluster's containerd keeps its things, and how it is told apart from others on the machine. */
export interface ContainerdPaths {
  /** Images and metadata; survives a reboot. */
  readonly rootDir: string;
  /** Of this boot only: below /run. */
  readonly stateDir: string;
  /** Shorter than 100 bytes: a limit of Unix sockets. */
  readonly socketPath: string;
  readonly cniConfigDir: string;
  readonly cniBinDir: string;
  /** Folder of `REGISTRY/hosts.toml` files. */
  readonly registryConfigDir: string;
}

/** Bytes of a Unix socket's path, with what the streaming and ttrpc sockets append. */
const socketPathBytesMax = 100;

/** Plugins that a node of ours never uses: each costs start time and a warning. */
const unusedPlugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
  "io.containerd.internal.v1.opt",
];

/** containerd's config.toml, version 2 of the format (containerd 1.5 and newer). */
export function renderContainerdConfig(options: {
  readonly paths: ContainerdPaths;
  readonly sandboxImage: string;
  /** The kernel does not let us lower the OOM score of others (no CAP_SYS_RESOURCE). */
  readonly restrictOomScore: boolean;
  readonly snapshotter: "overlayfs" | "native";
}): string {
  const { paths } = options;
  if (paths.socketPath.length > socketPathBytesMax) {
    throw new Error(
      `Cannot place containerd's socket at "${paths.socketPath}": the path is longer than ${socketPathBytesMax} bytes`,
    );
  }
  const cri = `plugins."io.containerd.grpc.v1.cri"`;
  return `${[
    "version = 2",
    `root = ${toml(paths.rootDir)}`,
    `state = ${toml(paths.stateDir)}`,
    `disabled_plugins = [${unusedPlugins.map(toml).join(", ")}]`,
    "",
    "[grpc]",
    `address = ${toml(paths.socketPath)}`,
    "",
    "[debug]",
    'level = "warn"',
    "",
    `[${cri}]`,
    `sandbox_image = ${toml(options.sandboxImage)}`,
    `restrict_oom_score_adj = ${options.restrictOomScore}`,
    'stream_server_address = "127.0.0.1"',
    'stream_server_port = "0"',
    "enable_unprivileged_ports = true",
    "enable_unprivileged_icmp = true",
    // Not beside everybody's: what containerd leaves when it is ended in the middle of a start goes with the folder.
    "netns_mounts_under_state_dir = true",
    "",
    `[${cri}.containerd]`,
    `snapshotter = ${toml(options.snapshotter)}`,
    'default_runtime_name = "runc"',
    "",
    `[${cri}.containerd.runtimes.runc]`,
    'runtime_type = "io.containerd.runc.v2"',
    "",
    `[${cri}.containerd.runtimes.runc.options]`,
    "SystemdCgroup = false",
    `Root = ${toml(`${paths.stateDir}/runc`)}`,
    'BinaryName = "runc"',
    "",
    `[${cri}.cni]`,
    `bin_dir = ${toml(paths.cniBinDir)}`,
    `conf_dir = ${toml(paths.cniConfigDir)}`,
    "",
    `[${cri}.registry]`,
    `config_path = ${toml(paths.registryConfigDir)}`,
  ].join("\n")}\n`;
}

/** A registry's hosts.toml: where containerd asks for its images, and how much it trusts the connection. */
export function renderRegistryHosts(options: {
  readonly server: string;
  readonly mirrors: readonly { readonly url: string; readonly caFile?: string; readonly skipVerify?: boolean }[];
}): string {
  const hosts = options.mirrors.map((mirror) =>
    [
      `[host.${toml(mirror.url)}]`,
      'capabilities = ["pull", "resolve"]',
      ...(mirror.caFile === undefined ? [] : [`ca = ${toml(mirror.caFile)}`]),
      ...(mirror.skipVerify === true ? ["skip_verify = true"] : []),
    ].join("\n"),
  );
  return `server = ${toml(options.server)}\n\n${hosts.join("\n\n")}\n`;
}

/** JSON's strings are TOML's basic strings, as long as no lone surrogate is in them. */
function toml(text: string): string {
  return JSON.stringify(text);
}
