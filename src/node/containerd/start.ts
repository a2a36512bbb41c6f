import type { Clock, Timers } from "#world/clock.ts";
import type { Disk } from "#world/disk.ts";
import type { ChildProcess, Processes } from "#world/processes.ts";
import type { Sockets } from "#world/sockets.ts";
import { renderContainerdConfig, type ContainerdPaths } from "./config.ts";
import { containerdStartMsMax, containerdStopMsMax, socketProbeMs } from "../limits.ts";

export interface ContainerdOptions {
  readonly paths: ContainerdPaths;
  /** Holds config.toml, the pid file and the log. */
  readonly configDir: string;
  readonly sandboxImage: string;
  readonly restrictOomScore: boolean;
  readonly snapshotter: "overlayfs" | "native";
  /** Path of a network namespace to run in. */
  readonly networkNamespace?: string | undefined;
  readonly disk: Disk;
  readonly processes: Processes;
  readonly sockets: Sockets;
  readonly clock: Clock;
  readonly timers: Timers;
}

export interface Containerd {
  readonly pid: number;
  /** It ran already: whoever started it before us has ended, it has not. */
  readonly adopted: boolean;
  /** Resolves when a containerd that we started has ended; never for an adopted one. */
  readonly ended: Promise<void>;
  /** Ends containerd itself; containers go on. */
  stop(): Promise<void>;
}

/** containerd did not come up; the message says the log's path. */
class ContainerdStartError extends Error {
  override readonly name = "ContainerdStartError";
}

/**
 * Starts containerd, or adopts the one that runs for these paths. It is detached: neither it nor its containers end with us.
 * Rejects with `ContainerdStartError`.
 */
export async function startContainerd(options: ContainerdOptions): Promise<Containerd> {
  const { paths, disk, processes } = options;
  const pidFile = `${options.configDir}/containerd.pid`;
  const running = await runningPid(options, pidFile);
  if (running !== undefined) return handle(options, pidFile, running, true, new Promise(() => {}));
  for (const path of [
    options.configDir,
    paths.rootDir,
    paths.stateDir,
    paths.cniConfigDir,
    paths.registryConfigDir,
    parentOf(paths.socketPath),
  ]) {
    await disk.makeDirectory(path, 0o700);
  }
  const configFile = `${options.configDir}/config.toml`;
  await disk.writeAtomically(configFile, renderContainerdConfig(options), 0o600);
  const logFile = `${options.configDir}/containerd.log`;
  const child = processes.spawn("containerd", ["--config", configFile], {
    logFile,
    detached: true,
    ...(options.networkNamespace === undefined ? {} : { networkNamespace: options.networkNamespace }),
  });
  await disk.writeAtomically(pidFile, String(child.pid), 0o600);
  await waitForSocket(options, child, logFile);
  return handle(
    options,
    pidFile,
    child.pid,
    false,
    child.ended.then(() => undefined),
  );
}

/** Whether this process may make others less likely to be killed for memory; containerd is told when not. */
export async function mayLowerOomScore(disk: Disk): Promise<boolean> {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(await disk.readText("/proc/self/status"))?.[1] ?? "0";
  // CAP_SYS_RESOURCE is number 24.
  return ((BigInt(`0x${effective}`) >> 24n) & 1n) === 1n;
}

async function runningPid(options: ContainerdOptions, pidFile: string): Promise<number | undefined> {
  if ((await options.disk.stat(pidFile)) === undefined) return undefined;
  const pid = Number(await options.disk.readText(pidFile));
  if (!Number.isInteger(pid) || pid <= 1 || !options.processes.signal(pid, 0)) return undefined;
  // A pid is reused after a reboot: only an answering socket proves that it is ours.
  return (await answers(options)) ? pid : undefined;
}

async function answers(options: ContainerdOptions): Promise<boolean> {
  try {
    const connection = await options.sockets.connect({ path: options.paths.socketPath }, 1_000);
    connection.destroy();
    return true;
  } catch {
    // Nobody listens there, or not in time: it is asked again, or started.
    return false;
  }
}

async function waitForSocket(options: ContainerdOptions, child: ChildProcess, logFile: string): Promise<void> {
  const deadline = options.clock.monotonic() + containerdStartMsMax;
  let ended = false;
  void child.ended.then(
    () => (ended = true),
    () => (ended = true),
  );
  while (options.clock.monotonic() < deadline) {
    if (ended) throw new ContainerdStartError(`Cannot start containerd: it ended at once; its log is ${logFile}`);
    if (await answers(options)) return;
    await options.timers.sleep(socketProbeMs);
  }
  child.kill("SIGKILL");
  throw new ContainerdStartError(
    `Cannot start containerd: its socket did not answer within ${containerdStartMsMax} ms; its log is ${logFile}`,
  );
}

function handle(
  options: ContainerdOptions,
  pidFile: string,
  pid: number,
  adopted: boolean,
  ended: Promise<void>,
): Containerd {
  const { processes, timers, clock, disk } = options;
  const stop = async (): Promise<void> => {
    // Of one that has ended by itself the number may be somebody else's by now.
    const command = await disk.readText(`/proc/${pid}/cmdline`).catch(() => "");
    if (!command.includes(options.configDir)) return disk.remove(pidFile);
    processes.signal(pid, "SIGTERM");
    const deadline = clock.monotonic() + containerdStopMsMax;
    while (processes.signal(pid, 0)) {
      if (clock.monotonic() >= deadline) processes.signal(pid, "SIGKILL");
      await timers.sleep(socketProbeMs);
    }
    await disk.remove(pidFile);
  };
  return { pid, adopted, ended, stop };
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 1));
}
