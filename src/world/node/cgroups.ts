import { readdir, rmdir } from "node:fs/promises";
import type { Disk } from "../disk.ts";
import type { CgroupDetails, CgroupLimits, CgroupUsage, Machine } from "../machine.ts";
import { detailsVersion1, detailsVersion2, deviceNames, interfacesOf } from "./cgroup-details.ts";
import { realDisk } from "./disk.ts";

const root = "/sys/fs/cgroup";

/** What pods are limited by; version 2 gives a group only the controllers that its parent passes on. */
const passedOn = ["cpu", "memory", "pids"];

type Cgroups = Pick<
  Machine,
  "setCgroup" | "removeCgroup" | "listCgroups" | "cgroupUsage" | "cgroupDetails" | "cgroupInterfaces" | "blockDevices"
>;

/** The kernel's tree of groups as files. Removing is of a folder alone: its files are the kernel's own. */
export interface CgroupFiles extends Pick<Disk, "readText" | "write" | "makeDirectory"> {
  /** Names of the folders in a folder. */
  folders(path: string): Promise<readonly string[]>;
  removeFolder(path: string): Promise<void>;
}

const kernelFiles: CgroupFiles = {
  ...realDisk,
  folders: async (path) =>
    (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name),
  removeFolder: rmdir,
};

/** The cgroupfs driver for version 2, and version 1 as far as it goes (each controller a tree of its own). */
export function linuxCgroups(files: CgroupFiles = kernelFiles): Cgroups {
  let known: Promise<Driver> | undefined;
  const driver = (): Promise<Driver> => (known ??= driverOf(files));
  const text = (path: string): Promise<string> => textOf(files, path);
  return {
    setCgroup: async (path, limits) => (await driver()).set(path, limits),
    removeCgroup: async (path) => {
      // The runtime also makes groups in systemd's own tree; nothing is limited there.
      const trees = [...(await driver()).trees, `${root}/systemd`, `${root}/unified`];
      await Promise.all(trees.map((tree) => removeTree(files, `${tree}${path}`)));
    },
    listCgroups: async (path) => foldersOf(files, `${(await driver()).listed}${path}`),
    cgroupUsage: async (path) => (await driver()).usage(path),
    cgroupDetails: async (path) => (await driver()).details(path),
    cgroupInterfaces: async (path) => interfacesOf(text, `${(await driver()).listed}${path}`),
    blockDevices: () => deviceNames(text),
  };
}

interface Driver {
  /** Roots of the trees that every group is made in. */
  readonly trees: readonly string[];
  /** The one whose groups are listed. */
  readonly listed: string;
  set(path: string, limits: CgroupLimits): Promise<void>;
  usage(path: string): Promise<CgroupUsage | undefined>;
  details(path: string): Promise<CgroupDetails | undefined>;
}

async function driverOf(files: CgroupFiles): Promise<Driver> {
  if ((await textOf(files, `${root}/cgroup.controllers`)) !== "") {
    return {
      trees: [root],
      listed: root,
      set: (path, limits) => setVersion2(files, path, limits),
      usage: (path) => usageVersion2(files, path),
      details: (path) => detailsVersion2((file) => textOf(files, file), path),
    };
  }
  const names = (await foldersOf(files, root)).filter((name) => name !== "systemd" && name !== "unified");
  const trees = names.map((name) => `${root}/${name}`);
  return {
    trees,
    listed: trees.find((tree) => tree.endsWith("/memory")) ?? trees[0] ?? root,
    set: async (path, limits) => {
      await Promise.all(trees.map((tree) => makeVersion1(files, tree, path)));
      await limitVersion1(files, path, limits);
    },
    usage: (path) => usageVersion1(files, path),
    details: (path) => detailsVersion1((file) => textOf(files, file), path),
  };
}

async function makeVersion1(files: CgroupFiles, tree: string, path: string): Promise<void> {
  await files.makeDirectory(`${tree}${path}`);
  if (!tree.endsWith("/cpuset")) return;
  let parent = tree;
  for (const part of path.split("/").filter((name) => name !== "")) {
    await inheritCpuset(files, parent, `${parent}/${part}`);
    parent = `${parent}/${part}`;
  }
}

/** A new cpuset is empty in version 1, and nothing can run in it. */
async function inheritCpuset(files: CgroupFiles, parent: string, child: string): Promise<void> {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    if ((await textOf(files, `${child}/${file}`)).trim() !== "") continue;
    const inherited = (await textOf(files, `${parent}/${file}`)).trim();
    if (inherited !== "") await files.write(`${child}/${file}`, inherited);
  }
}

async function limitVersion1(files: CgroupFiles, path: string, limits: CgroupLimits): Promise<void> {
  const put = async (controller: string, file: string, value: number | undefined): Promise<void> => {
    // A kernel without the controller has no such folder: there is nothing to limit with.
    if (value !== undefined)
      await files.write(`${root}/${controller}${path}/${file}`, String(value)).catch(ignoring("ENOENT"));
  };
  await put("cpu", "cpu.shares", limits.cpuShares);
  await put("cpu", "cpu.cfs_period_us", limits.cpuPeriodUs);
  await put("cpu", "cpu.cfs_quota_us", limits.cpuQuotaUs);
  await put("memory", "memory.limit_in_bytes", limits.memoryBytes);
  await put("pids", "pids.max", limits.pidsMax);
}

async function setVersion2(files: CgroupFiles, path: string, limits: CgroupLimits): Promise<void> {
  await files.makeDirectory(`${root}${path}`);
  let current = root;
  for (const part of path.split("/").filter((name) => name !== "")) {
    await passOn(files, current);
    current = `${current}/${part}`;
  }
  const available = words(await textOf(files, `${root}${path}/cgroup.controllers`));
  for (const [file, value] of version2Values(limits)) {
    const [controller = ""] = file.split(".");
    // A kernel without the controller has nothing to limit with, as in version 1.
    if (available.includes(controller)) await files.write(`${root}${path}/${file}`, value);
  }
}

/** Lets the children of a group have the controllers that it has itself. */
async function passOn(files: CgroupFiles, group: string): Promise<void> {
  const [has, passes] = await Promise.all([
    textOf(files, `${group}/cgroup.controllers`),
    textOf(files, `${group}/cgroup.subtree_control`),
  ]);
  const missing = passedOn.filter((name) => words(has).includes(name) && !words(passes).includes(name));
  if (missing.length === 0) return;
  try {
    await files.write(`${group}/cgroup.subtree_control`, missing.map((name) => `+${name}`).join(" "));
  } catch (error) {
    // The kernel refuses while processes are in the group itself (EBUSY), as in a container with a group of its own.
    const told = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot pass the controllers ${missing.join(", ")} on to groups below ${group}: ${told}`, {
      cause: error,
    });
  }
}

function version2Values(limits: CgroupLimits): readonly (readonly [string, string])[] {
  const { cpuShares: shares, cpuQuotaUs: quota, cpuPeriodUs: period, memoryBytes: memory, pidsMax } = limits;
  const maximum = (value: number): string => (value < 0 ? "max" : String(value));
  return [
    // The documented mapping of shares (2 to 262144) to weight (1 to 10000).
    ...(shares === undefined ? [] : [["cpu.weight", String(Math.floor(1 + ((shares - 2) * 9999) / 262142))] as const]),
    ...(quota === undefined ? [] : [["cpu.max", `${maximum(quota)} ${period ?? 100_000}`] as const]),
    ...(memory === undefined ? [] : [["memory.max", maximum(memory)] as const]),
    ...(pidsMax === undefined ? [] : [["pids.max", String(pidsMax)] as const]),
  ];
}

async function removeTree(files: CgroupFiles, path: string): Promise<void> {
  for (const child of await foldersOf(files, path)) await removeTree(files, `${path}/${child}`);
  await files.removeFolder(path).catch(ignoring("ENOENT", "EBUSY", "ENOTEMPTY"));
}

async function usageVersion1(files: CgroupFiles, path: string): Promise<CgroupUsage | undefined> {
  const [memory, stat, cpu] = await Promise.all([
    textOf(files, `${root}/memory${path}/memory.usage_in_bytes`),
    textOf(files, `${root}/memory${path}/memory.stat`),
    textOf(files, `${root}/cpuacct${path}/cpuacct.usage`),
  ]);
  if (memory === "" || cpu === "") return undefined;
  const inactive = Number(/^total_inactive_file (\d+)$/m.exec(stat)?.[1] ?? 0);
  return {
    cpuNanos: Number(cpu),
    memoryBytes: Number(memory),
    workingSetBytes: Math.max(0, Number(memory) - inactive),
  };
}

async function usageVersion2(files: CgroupFiles, path: string): Promise<CgroupUsage | undefined> {
  if (path === "") return usageOfMachine(files);
  const [memory, stat, cpu] = await Promise.all(
    ["memory.current", "memory.stat", "cpu.stat"].map((file) => textOf(files, `${root}${path}/${file}`)),
  );
  if (memory === undefined || memory === "" || cpu === undefined || cpu === "") return undefined;
  const inactive = Number(/^inactive_file (\d+)$/m.exec(stat ?? "")?.[1] ?? 0);
  return {
    cpuNanos: processorNanos(cpu),
    memoryBytes: Number(memory),
    workingSetBytes: Math.max(0, Number(memory) - inactive),
  };
}

/** The root of version 2 counts CPU but no memory. */
async function usageOfMachine(files: CgroupFiles): Promise<CgroupUsage | undefined> {
  const [memory, cpu] = await Promise.all([textOf(files, "/proc/meminfo"), textOf(files, `${root}/cpu.stat`)]);
  const bytes = (field: string): number =>
    Number(new RegExp(`^${field}: +(\\d+) kB$`, "m").exec(memory)?.[1] ?? 0) * 1024;
  const total = bytes("MemTotal");
  if (total === 0) return undefined;
  return {
    cpuNanos: processorNanos(cpu),
    memoryBytes: total - bytes("MemFree"),
    workingSetBytes: Math.max(0, total - bytes("MemAvailable")),
  };
}

function processorNanos(stat: string): number {
  return Number(/^usage_usec (\d+)$/m.exec(stat)?.[1] ?? 0) * 1000;
}

function words(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

/** A group may go at any moment, also between opening and reading its files (ENODEV): it has no children and no text then. */
const gone = ["ENOENT", "ENODEV", "ENOTDIR", "ESRCH"];

async function foldersOf(files: CgroupFiles, path: string): Promise<readonly string[]> {
  return (await files.folders(path).catch(ignoring(...gone))) ?? [];
}

async function textOf(files: CgroupFiles, path: string): Promise<string> {
  return (await files.readText(path).catch(ignoring(...gone))) ?? "";
}

function ignoring(...codes: readonly string[]): (error: { code?: unknown }) => undefined {
  return (error) => {
    if (typeof error.code !== "string" || !codes.includes(error.code)) throw error;
  };
}
