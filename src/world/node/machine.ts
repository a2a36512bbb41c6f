import { constants } from "node:fs";
import { mkdir, open, readFile, readdir, realpath, statfs, writeFile, type FileHandle } from "node:fs/promises";
import { availableParallelism, hostname, totalmem } from "node:os";
import { dirname, join, relative } from "node:path";
import { PathEscapeError, type Machine, type MachineFacts } from "../machine.ts";
import type { Processes } from "../processes.ts";
import { linuxCgroups } from "./cgroups.ts";

const mountMsMax = 10_000;

/** This Linux machine. Mounting and cgroups need root. */
export function linuxMachine(processes: Processes): Machine {
  const mount = async (args: readonly string[]): Promise<void> => {
    const result = await processes.run("mount", args, { timeoutMs: mountMsMax });
    if (result.code !== 0) throw new Error(`Cannot mount ${args[args.length - 1] ?? ""}: ${result.stderr.trim()}`);
  };
  return {
    facts: readFacts,
    memoryAvailableBytes: async () => (await memoryInfo()).get("MemAvailable") ?? 0,
    fileSystem: async (path) => {
      const facts = await statfs(path);
      return {
        sizeBytes: facts.blocks * facts.bsize,
        availableBytes: facts.bavail * facts.bsize,
        inodes: facts.files,
        inodesFree: facts.ffree,
      };
    },
    mountTmpfs: (path, sizeBytes) =>
      mount([
        "-t",
        "tmpfs",
        "-o",
        `nosuid,nodev,mode=0777${sizeBytes === undefined ? "" : `,size=${sizeBytes}`}`,
        "tmpfs",
        path,
      ]),
    bindBeneath: (base, subPath, target, options) => bindBeneath(mount, base, subPath, target, options),
    unmount: async (path) => {
      const result = await processes.run("umount", ["-l", path], { timeoutMs: mountMsMax });
      const gone = /not mounted|no mount point|not found|No such file/.test(result.stderr);
      if (result.code !== 0 && !gone) throw new Error(`Cannot unmount ${path}: ${result.stderr.trim()}`);
    },
    mountsBelow,
    ...linuxCgroups(),
    ownByGroup,
  };
}

async function readFacts(): Promise<MachineFacts> {
  // A machine need not tell each of them (a container without /sys, an image without a machine id): then it stays empty.
  const text = async (path: string): Promise<string> => (await readFile(path, "utf8").catch(() => "")).trim();
  const release = await text("/etc/os-release");
  const memory = await memoryInfo();
  const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64", ia32: "386", arm: "arm" };
  return {
    hostname: hostname().toLowerCase(),
    architecture: architectures[process.arch] ?? process.arch,
    kernelVersion: await text("/proc/sys/kernel/osrelease"),
    osImage: /^PRETTY_NAME="?([^"\n]*)/m.exec(release)?.[1] ?? "Linux",
    machineId: await text("/etc/machine-id"),
    systemUuid: (await text("/sys/class/dmi/id/product_uuid")) || (await text("/etc/machine-id")),
    bootId: await text("/proc/sys/kernel/random/boot_id"),
    cpuCount: availableParallelism(),
    memoryBytes: memory.get("MemTotal") ?? totalmem(),
    swapBytes: memory.get("SwapTotal") ?? 0,
    cgroupVersion: (await text("/sys/fs/cgroup/cgroup.controllers")) === "" ? 1 : 2,
    pidsMax: Number(await text("/proc/sys/kernel/pid_max")) || 32768,
  };
}

async function memoryInfo(): Promise<Map<string, number>> {
  const text = await readFile("/proc/meminfo", "utf8");
  return new Map([...text.matchAll(/^(\w+):\s+(\d+) kB$/gm)].map((match) => [match[1] ?? "", Number(match[2]) * 1024]));
}

async function mountsBelow(prefix: string): Promise<readonly string[]> {
  const table = await readFile("/proc/self/mountinfo", "utf8");
  const points = table.split("\n").map((line) => unescapeOctal(line.split(" ")[4] ?? ""));
  return points
    .filter((point) => point === prefix || point.startsWith(`${prefix}/`))
    .toSorted((a, b) => b.length - a.length);
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

/**
 * Node has no openat2: each component is opened relative to the folder that is held open, through /proc/self/fd, without
 * following symlinks. What is mounted is the opened file itself, so that a swap after the check changes nothing.
 */
async function bindBeneath(
  mount: (args: readonly string[]) => Promise<void>,
  base: string,
  subPath: string,
  target: string,
  options: { readonly create: boolean },
): Promise<void> {
  const realBase = await realpath(base);
  const inner = await resolvedInner(realBase, subPath);
  const opened = await openBeneath(realBase, inner, options);
  try {
    const folder = (await opened.stat()).isDirectory();
    await mkdir(folder ? target : dirname(target), { recursive: true });
    if (!folder) await writeFile(target, "", { flag: "a" });
    await mount(["--no-canonicalize", "--bind", `/proc/${process.pid}/fd/${opened.fd}`, target]);
  } finally {
    await opened.close();
  }
}

/** Symlinks inside the volume may be followed as long as they stay inside; the walk afterwards trusts none of it. */
async function resolvedInner(realBase: string, subPath: string): Promise<readonly string[]> {
  const wanted = subPath.split("/").filter((part) => part !== "" && part !== ".");
  if (wanted.includes("..") || subPath.startsWith("/"))
    throw new PathEscapeError(`subPath "${subPath}" must stay inside the volume`);
  for (let known = wanted.length; known >= 0; known -= 1) {
    try {
      const real = await realpath(join(realBase, ...wanted.slice(0, known)));
      const inside = relative(realBase, real);
      if (inside === ".." || inside.startsWith("../") || inside.startsWith("/")) {
        throw new PathEscapeError(`subPath "${subPath}" leads out of the volume through a symlink`);
      }
      return [...inside.split("/").filter((part) => part !== ""), ...wanted.slice(known)];
    } catch (error) {
      if ((error as { code?: unknown }).code !== "ENOENT") throw error;
    }
  }
  throw new PathEscapeError(`the volume of subPath "${subPath}" is gone`);
}

/** Linux's O_PATH: the name only, no access; not among Node's constants. */
const openPathOnly = 0o10000000;

async function openBeneath(
  base: string,
  parts: readonly string[],
  options: { readonly create: boolean },
): Promise<FileHandle> {
  const flags = openPathOnly | constants.O_NOFOLLOW;
  let current = await open(base, flags | constants.O_DIRECTORY);
  const mode = (await current.stat()).mode & 0o7777;
  for (const [index, part] of parts.entries()) {
    const path = `/proc/self/fd/${current.fd}/${part}`;
    let next: FileHandle;
    try {
      next = await open(path, flags).catch(async (error: { code?: unknown }) => {
        if (error.code !== "ENOENT" || !options.create) throw error;
        await makeFolder(path, mode);
        return open(path, flags);
      });
    } finally {
      await current.close();
    }
    current = next;
    const stats = await current.stat();
    if (stats.isSymbolicLink() || (index < parts.length - 1 && !stats.isDirectory())) {
      await current.close();
      throw new PathEscapeError(`"${part}" of the subPath became a link while it was looked at`);
    }
  }
  return current;
}

/** The mode is set on the folder that was opened: by name it could be another one meanwhile. */
async function makeFolder(path: string, mode: number): Promise<void> {
  await mkdir(path);
  const made = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await made.chmod(mode);
  } finally {
    await made.close();
  }
}

async function ownByGroup(path: string, gid: number): Promise<void> {
  await ownOpened(await open(path, constants.O_RDONLY | constants.O_DIRECTORY), gid);
}

/** Links (ELOOP), sockets and devices without a driver (ENXIO, ENODEV) need no group; what is gone meanwhile (ENOENT) neither. */
function noneIfUnopenable(error: { code?: unknown }): undefined {
  if (!["ELOOP", "ENXIO", "ENODEV", "ENOENT"].includes(String(error.code))) throw error;
}

/** Goes down by opened folders, not by names: a link that is put in the way leads nowhere. Closes `handle`. */
async function ownOpened(handle: FileHandle, gid: number): Promise<void> {
  try {
    const stats = await handle.stat();
    await handle.chown(stats.uid, gid);
    await handle.chmod((stats.mode & 0o7777) | (stats.isDirectory() ? 0o2770 : 0o660));
    if (!stats.isDirectory()) return;
    const folder = `/proc/self/fd/${handle.fd}`;
    for (const name of await readdir(folder)) {
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      const inner = await open(`${folder}/${name}`, flags).catch(noneIfUnopenable);
      if (inner !== undefined) await ownOpened(inner, gid);
    }
  } finally {
    await handle.close();
  }
}
