import { mkdir, readFile, readdir, rmdir, writeFile } from "node:fs/promises";
import type { CgroupLimits, CgroupUsage, Machine } from "../machine.ts";

const root = "/sys/fs/cgroup";

type Cgroups = Pick<Machine, "setCgroup" | "removeCgroup" | "listCgroups" | "cgroupUsage">;

/** The cgroupfs driver for version 2, and version 1 as far as it goes (each controller a tree of its own). */
export function linuxCgroups(): Cgroups {
  let trees: Promise<readonly string[]> | undefined;
  const allTrees = (): Promise<readonly string[]> => (trees ??= findTrees());
  return {
    setCgroup: async (path, limits) => {
      const all = await allTrees();
      for (const tree of all) await makeGroup(tree, path, all.length === 1);
      await (all.length === 1 ? limitVersion2(path, limits) : limitVersion1(path, limits));
    },
    removeCgroup: async (path) => {
      // The runtime also makes groups in systemd's own tree; nothing is limited there.
      for (const tree of [...(await allTrees()), `${root}/systemd`, `${root}/unified`])
        await removeTree(`${tree}${path}`);
    },
    listCgroups: async (path) => {
      const all = await allTrees();
      return folders(`${all.find((tree) => tree.endsWith("/memory")) ?? all[0] ?? root}${path}`);
    },
    cgroupUsage: async (path) => ((await allTrees()).length === 1 ? usageVersion2(path) : usageVersion1(path)),
  };
}

async function findTrees(): Promise<readonly string[]> {
  if (await readText(`${root}/cgroup.controllers`)) return [root];
  const names = await folders(root);
  return names.filter((name) => name !== "systemd" && name !== "unified").map((name) => `${root}/${name}`);
}

async function makeGroup(tree: string, path: string, unified: boolean): Promise<void> {
  let current = tree;
  for (const part of path.split("/").filter((name) => name !== "")) {
    // Version 2 gives a child only the controllers that its parent passes on.
    if (unified) await writeFile(`${current}/cgroup.subtree_control`, "+cpu +memory +pids").catch(() => undefined);
    const next = `${current}/${part}`;
    await mkdir(next).catch(ignoring("EEXIST"));
    if (tree.endsWith("/cpuset")) await inheritCpuset(current, next);
    current = next;
  }
}

/** A new cpuset is empty in version 1, and nothing can run in it. */
async function inheritCpuset(parent: string, child: string): Promise<void> {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    if ((await readText(`${child}/${file}`)).trim() !== "") continue;
    const inherited = (await readText(`${parent}/${file}`)).trim();
    if (inherited !== "") await writeFile(`${child}/${file}`, inherited);
  }
}

async function limitVersion1(path: string, limits: CgroupLimits): Promise<void> {
  const put = async (controller: string, file: string, value: number | undefined): Promise<void> => {
    if (value !== undefined)
      await writeFile(`${root}/${controller}${path}/${file}`, String(value)).catch(ignoring("ENOENT"));
  };
  await put("cpu", "cpu.shares", limits.cpuShares);
  await put("cpu", "cpu.cfs_period_us", limits.cpuPeriodUs);
  await put("cpu", "cpu.cfs_quota_us", limits.cpuQuotaUs);
  await put("memory", "memory.limit_in_bytes", limits.memoryBytes);
  await put("pids", "pids.max", limits.pidsMax);
}

async function limitVersion2(path: string, limits: CgroupLimits): Promise<void> {
  const put = async (file: string, value: string | undefined): Promise<void> => {
    if (value !== undefined) await writeFile(`${root}${path}/${file}`, value).catch(ignoring("ENOENT"));
  };
  // The documented mapping of shares (2 to 262144) to weight (1 to 10000).
  const { cpuShares: shares, cpuQuotaUs: quota } = limits;
  await put("cpu.weight", shares === undefined ? undefined : String(Math.floor(1 + ((shares - 2) * 9999) / 262142)));
  await put(
    "cpu.max",
    quota === undefined ? undefined : `${quota < 0 ? "max" : quota} ${limits.cpuPeriodUs ?? 100_000}`,
  );
  await put(
    "memory.max",
    limits.memoryBytes === undefined ? undefined : limits.memoryBytes < 0 ? "max" : String(limits.memoryBytes),
  );
  await put("pids.max", limits.pidsMax === undefined ? undefined : String(limits.pidsMax));
}

async function removeTree(path: string): Promise<void> {
  for (const child of await folders(path)) await removeTree(`${path}/${child}`);
  await rmdir(path).catch(ignoring("ENOENT", "EBUSY", "ENOTEMPTY"));
}

async function usageVersion1(path: string): Promise<CgroupUsage | undefined> {
  const memory = await readText(`${root}/memory${path}/memory.usage_in_bytes`);
  if (memory === "") return undefined;
  const stat = await readText(`${root}/memory${path}/memory.stat`);
  const inactive = Number(/^total_inactive_file (\d+)$/m.exec(stat)?.[1] ?? 0);
  const cpuNanos = Number(await readText(`${root}/cpuacct${path}/cpuacct.usage`));
  return { cpuNanos, memoryBytes: Number(memory), workingSetBytes: Math.max(0, Number(memory) - inactive) };
}

async function usageVersion2(path: string): Promise<CgroupUsage | undefined> {
  if (path === "") return usageOfMachine();
  const memory = await readText(`${root}${path}/memory.current`);
  if (memory === "") return undefined;
  const stat = await readText(`${root}${path}/memory.stat`);
  const inactive = Number(/^inactive_file (\d+)$/m.exec(stat)?.[1] ?? 0);
  const cpu = await readText(`${root}${path}/cpu.stat`);
  const cpuNanos = Number(/^usage_usec (\d+)$/m.exec(cpu)?.[1] ?? 0) * 1000;
  return { cpuNanos, memoryBytes: Number(memory), workingSetBytes: Math.max(0, Number(memory) - inactive) };
}

/** The root of version 2 counts CPU but no memory. */
async function usageOfMachine(): Promise<CgroupUsage | undefined> {
  const [memory, cpu] = await Promise.all([readText("/proc/meminfo"), readText(`${root}/cpu.stat`)]);
  const bytes = (field: string): number =>
    Number(new RegExp(`^${field}: +(\\d+) kB$`, "m").exec(memory)?.[1] ?? 0) * 1024;
  const total = bytes("MemTotal");
  if (total === 0) return undefined;
  const cpuNanos = Number(/^usage_usec (\d+)$/m.exec(cpu)?.[1] ?? 0) * 1000;
  return {
    cpuNanos,
    memoryBytes: total - bytes("MemFree"),
    workingSetBytes: Math.max(0, total - bytes("MemAvailable")),
  };
}

async function folders(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}

function ignoring(...codes: readonly string[]): (error: { code?: unknown }) => void {
  return (error) => {
    if (typeof error.code !== "string" || !codes.includes(error.code)) throw error;
  };
}
