import assert from "node:assert/strict";
import { test } from "node:test";
import { linuxCgroups, type CgroupFiles } from "./cgroups.ts";

const root = "/sys/fs/cgroup";

/** What the kernel shows of version 2 with every controller, before anything was made. */
const fresh: Readonly<Record<string, string>> = {
  [`${root}/cgroup.controllers`]: "cpuset cpu io memory hugetlb pids rdma\n",
  [`${root}/cgroup.subtree_control`]: "",
  [`${root}/cpu.stat`]: "usage_usec 123000456\nuser_usec 100000000\nsystem_usec 23000456\n",
  "/proc/meminfo": "MemTotal:       8000000 kB\nMemFree:        1000000 kB\nMemAvailable:   5000000 kB\n",
};

class KernelError extends Error {
  readonly code: string;
  constructor(code: string, path: string) {
    super(`${code}: ${path}`);
    this.code = code;
  }
}

/** A tree that answers as the kernel does: making a folder fills it, files are never created, controllers are passed down. */
class KernelTree implements CgroupFiles {
  readonly files: Map<string, string>;
  readonly written: string[] = [];
  /** Groups with processes of their own: they pass nothing on, and stay. */
  readonly busy = new Set<string>();
  readonly #folders = new Set<string>([root]);

  constructor(files: Readonly<Record<string, string>>) {
    this.files = new Map(Object.entries(files));
  }

  readText(path: string): Promise<string> {
    const text = this.files.get(path);
    return text === undefined ? Promise.reject(new KernelError("ENOENT", path)) : Promise.resolve(text);
  }

  write(path: string, content: Uint8Array | string): Promise<void> {
    const [folder, file] = [path.slice(0, path.lastIndexOf("/")), path.slice(path.lastIndexOf("/") + 1)];
    if (!this.files.has(path)) return Promise.reject(new KernelError("EACCES", path));
    if (file === "cgroup.subtree_control") {
      if (this.busy.has(folder)) return Promise.reject(new KernelError("EBUSY", path));
      const names = String(content).replaceAll("+", "").split(" ");
      const has = this.files.get(`${folder}/cgroup.controllers`)?.split(/\s+/) ?? [];
      if (!names.every((name) => has.includes(name))) return Promise.reject(new KernelError("ENOENT", path));
      this.files.set(path, `${this.files.get(path)} ${names.join(" ")}`.trim());
      for (const child of this.#folders) if (child.slice(0, child.lastIndexOf("/")) === folder) this.#fill(child);
    } else this.files.set(path, String(content));
    this.written.push(`${path.slice(root.length)} = ${String(content)}`);
    return Promise.resolve();
  }

  makeDirectory(path: string): Promise<void> {
    const parts = path.slice(root.length).split("/").slice(1);
    for (let count = 1; count <= parts.length; count += 1) {
      const folder = `${root}/${parts.slice(0, count).join("/")}`;
      if (this.#folders.has(folder)) continue;
      this.#folders.add(folder);
      this.#fill(folder);
    }
    return Promise.resolve();
  }

  folders(path: string): Promise<readonly string[]> {
    if (!this.#folders.has(path)) return Promise.reject(new KernelError("ENOENT", path));
    const inside = [...this.#folders].filter((folder) => folder.slice(0, folder.lastIndexOf("/")) === path);
    return Promise.resolve(inside.map((folder) => folder.slice(path.length + 1)));
  }

  removeFolder(path: string): Promise<void> {
    if (!this.#folders.has(path)) return Promise.reject(new KernelError("ENOENT", path));
    if (this.busy.has(path)) return Promise.reject(new KernelError("EBUSY", path));
    this.#folders.delete(path);
    return Promise.resolve();
  }

  has(path: string): boolean {
    return this.#folders.has(`${root}${path}`);
  }

  #fill(folder: string): void {
    const parent = folder.slice(0, folder.lastIndexOf("/"));
    const controllers = this.files.get(`${parent}/cgroup.subtree_control`) ?? "";
    this.files.set(`${folder}/cgroup.controllers`, `${controllers}\n`);
    if (!this.files.has(`${folder}/cgroup.subtree_control`)) this.files.set(`${folder}/cgroup.subtree_control`, "");
    const own: Readonly<Record<string, Readonly<Record<string, string>>>> = {
      cpu: { "cpu.weight": "100\n", "cpu.max": "max 100000\n" },
      memory: { "memory.max": "max\n", "memory.current": "0\n", "memory.stat": "anon 0\ninactive_file 0\n" },
      pids: { "pids.max": "max\n" },
    };
    for (const name of controllers.split(" "))
      for (const [file, content] of Object.entries(own[name] ?? {}))
        if (!this.files.has(`${folder}/${file}`)) this.files.set(`${folder}/${file}`, content);
  }
}

test("version 2: a pod's group is made, its controllers are passed down, its limits written in the kernel's words", async () => {
  const tree = new KernelTree(fresh);
  const cgroups = linuxCgroups(tree);
  await cgroups.setCgroup("/steer/kubepods/pod1", {
    cpuShares: 1024,
    cpuQuotaUs: 50_000,
    cpuPeriodUs: 100_000,
    memoryBytes: 64 << 20,
    pidsMax: 100,
  });
  assert.deepEqual(tree.written, [
    "/cgroup.subtree_control = +cpu +memory +pids",
    "/steer/cgroup.subtree_control = +cpu +memory +pids",
    "/steer/kubepods/cgroup.subtree_control = +cpu +memory +pids",
    "/steer/kubepods/pod1/cpu.weight = 39",
    "/steer/kubepods/pod1/cpu.max = 50000 100000",
    `/steer/kubepods/pod1/memory.max = ${64 << 20}`,
    "/steer/kubepods/pod1/pids.max = 100",
  ]);
});

test("version 2: what is passed on already is not written again, no limit is the kernel's max", async () => {
  const tree = new KernelTree(fresh);
  const cgroups = linuxCgroups(tree);
  await cgroups.setCgroup("/steer", {});
  tree.written.length = 0;
  await cgroups.setCgroup("/steer", { cpuShares: 2, cpuQuotaUs: -1, memoryBytes: -1 });
  await cgroups.setCgroup("/steer", { cpuShares: 262_144 });
  assert.deepEqual(tree.written, [
    "/steer/cpu.weight = 1",
    "/steer/cpu.max = max 100000",
    "/steer/memory.max = max",
    "/steer/cpu.weight = 10000",
  ]);
});

test("version 2: a controller that the kernel does not have limits nothing; one that it does not pass on is told", async () => {
  const tree = new KernelTree({ ...fresh, [`${root}/cgroup.controllers`]: "cpu pids\n" });
  await linuxCgroups(tree).setCgroup("/steer", { memoryBytes: 1, pidsMax: 5 });
  assert.deepEqual(tree.written, ["/cgroup.subtree_control = +cpu +pids", "/steer/pids.max = 5"]);

  const busy = new KernelTree(fresh);
  busy.busy.add(root);
  await assert.rejects(
    linuxCgroups(busy).setCgroup("/steer", { pidsMax: 5 }),
    /^Error: Cannot pass the controllers cpu, memory, pids on to groups below \/sys\/fs\/cgroup: EBUSY/,
  );
});

test("version 2: use of a group, of the machine, and of a group that is gone", async () => {
  const tree = new KernelTree(fresh);
  const cgroups = linuxCgroups(tree);
  await cgroups.setCgroup("/steer/pod1", {});
  tree.files.set(`${root}/steer/pod1/cpu.stat`, "usage_usec 2500\nuser_usec 2000\nsystem_usec 500\nnr_periods 3\n");
  tree.files.set(`${root}/steer/pod1/memory.current`, "9000000\n");
  tree.files.set(`${root}/steer/pod1/memory.stat`, "anon 100\nfile 5000\nactive_file 20\ninactive_file 1000000\n");
  assert.deepEqual(await cgroups.cgroupUsage("/steer/pod1"), {
    cpuNanos: 2_500_000,
    memoryBytes: 9_000_000,
    workingSetBytes: 8_000_000,
  });
  assert.deepEqual(await cgroups.cgroupUsage(""), {
    cpuNanos: 123_000_456_000,
    memoryBytes: 7_000_000 * 1024,
    workingSetBytes: 3_000_000 * 1024,
  });
  assert.equal(await cgroups.cgroupUsage("/steer/gone"), undefined);
});

test("version 2: groups are listed and removed with what is empty below them; what runs stays", async () => {
  const tree = new KernelTree(fresh);
  const cgroups = linuxCgroups(tree);
  for (const path of ["/steer/a/x", "/steer/b/y"]) await cgroups.setCgroup(path, {});
  assert.deepEqual(await cgroups.listCgroups("/steer"), ["a", "b"]);
  assert.deepEqual(await cgroups.listCgroups("/none"), []);
  await cgroups.removeCgroup("/steer/a");
  assert.deepEqual([tree.has("/steer/a"), tree.has("/steer/b/y")], [false, true]);
  tree.busy.add(`${root}/steer/b/y`);
  await cgroups.removeCgroup("/steer/b");
  assert.ok(tree.has("/steer/b/y"));
});

const details = {
  rssBytes: 100,
  cacheBytes: 5_000,
  swapBytes: 7,
  cpuPeriods: 30,
  throttledPeriods: 4,
  throttledNanos: 9_000,
  devices: [{ device: "8:0", reads: 3, writes: 4, readBytes: 1_000, writtenBytes: 2_000 }],
};

test("version 2: what dashboards ask of a group, its network, and devices by name", async () => {
  const group = `${root}/steer/pod1`;
  const tree = new KernelTree({
    ...fresh,
    [`${group}/memory.stat`]: "anon 100\nfile 5000\n",
    [`${group}/memory.swap.current`]: "7\n",
    [`${group}/cpu.stat`]: "usage_usec 1\nnr_periods 30\nnr_throttled 4\nthrottled_usec 9\n",
    [`${group}/io.stat`]: "8:0 rbytes=1000 wbytes=2000 rios=3 wios=4 dbytes=0 dios=0\n",
    [`${group}/cgroup.procs`]: "77\n78\n",
    "/proc/77/net/dev":
      "Inter-|   Receive                                                |  Transmit\n" +
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier\n" +
      "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0\n" +
      "  eth0: 1296 16 1 2 0 0 0 0 840 12 3 4 0 0 0 0\n",
    "/proc/diskstats": "   8       0 sda 1 2 3\n   8       1 sda1 1 2 3\n",
  });
  const cgroups = linuxCgroups(tree);
  assert.deepEqual(await cgroups.cgroupDetails("/steer/pod1"), details);
  assert.equal(await cgroups.cgroupDetails("/steer/gone"), undefined);
  assert.deepEqual((await cgroups.cgroupInterfaces("/steer/pod1")).at(-1), {
    name: "eth0",
    received: { bytes: 1_296, packets: 16, errors: 1, drops: 2 },
    sent: { bytes: 840, packets: 12, errors: 3, drops: 4 },
  });
  assert.deepEqual(await cgroups.cgroupInterfaces("/steer/gone"), []);
  assert.equal((await cgroups.blockDevices()).get("8:1"), "/dev/sda1");
});

test("version 1: the same from the trees of its controllers", async () => {
  const tree = new KernelTree({
    [`${root}/memory/steer/pod1/memory.stat`]: "rss 1\ntotal_rss 100\ntotal_cache 5000\ntotal_swap 7\n",
    [`${root}/cpu/steer/pod1/cpu.stat`]: "nr_periods 30\nnr_throttled 4\nthrottled_time 9000\n",
    [`${root}/blkio/steer/pod1/blkio.throttle.io_serviced`]: "8:0 Read 3\n8:0 Write 4\n8:0 Total 7\nTotal 7\n",
    [`${root}/blkio/steer/pod1/blkio.throttle.io_service_bytes`]: "8:0 Read 1000\n8:0 Write 2000\nTotal 3000\n",
  });
  assert.deepEqual(await linuxCgroups(tree).cgroupDetails("/steer/pod1"), details);
});
