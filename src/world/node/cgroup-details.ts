import type { CgroupDetails, DeviceCounts, InterfaceCounts } from "../machine.ts";

/** Reads a file of the kernel's; empty when it is not there. */
type Text = (path: string) => Promise<string>;

const root = "/sys/fs/cgroup";

/** What version 2 counts of a group beyond CPU and memory; undefined when it is gone. */
export async function detailsVersion2(text: Text, path: string): Promise<CgroupDetails | undefined> {
  const [memory, cpu, io, swap] = await Promise.all(
    ["memory.stat", "cpu.stat", "io.stat", "memory.swap.current"].map((file) => text(`${root}${path}/${file}`)),
  );
  if (memory === "" || memory === undefined) return undefined;
  const ofMemory = fields(memory);
  const ofCpu = fields(cpu ?? "");
  return {
    rssBytes: ofMemory("anon"),
    cacheBytes: ofMemory("file"),
    swapBytes: Number(swap ?? 0),
    cpuPeriods: ofCpu("nr_periods"),
    throttledPeriods: ofCpu("nr_throttled"),
    throttledNanos: ofCpu("throttled_usec") * 1000,
    devices: linesOf(io ?? "").map((line): DeviceCounts => {
      const [device = "", ...rest] = line.split(" ");
      const count = (name: string): number =>
        Number(rest.find((one) => one.startsWith(`${name}=`))?.split("=")[1] ?? 0);
      const [readBytes, writtenBytes] = [count("rbytes"), count("wbytes")];
      return { device, reads: count("rios"), writes: count("wios"), readBytes, writtenBytes };
    }),
  };
}

/** The same of version 1, from the trees of its controllers. */
export async function detailsVersion1(text: Text, path: string): Promise<CgroupDetails | undefined> {
  const blocks = `${root}/blkio${path}/blkio.throttle.`;
  const [memory, cpu, operations, bytes] = await Promise.all([
    text(`${root}/memory${path}/memory.stat`),
    text(`${root}/cpu${path}/cpu.stat`),
    text(`${blocks}io_serviced`),
    text(`${blocks}io_service_bytes`),
  ]);
  if (memory === "") return undefined;
  const ofMemory = fields(memory);
  const ofCpu = fields(cpu);
  const [counts, amounts] = [fields(operations, 2), fields(bytes, 2)];
  const devices = new Set(linesOf(bytes).flatMap((line) => /^(\d+:\d+) /.exec(line)?.[1] ?? []));
  return {
    rssBytes: ofMemory("total_rss"),
    cacheBytes: ofMemory("total_cache"),
    swapBytes: ofMemory("total_swap"),
    cpuPeriods: ofCpu("nr_periods"),
    throttledPeriods: ofCpu("nr_throttled"),
    throttledNanos: ofCpu("throttled_time"),
    devices: Array.from(devices, (device) => ({
      device,
      reads: counts(`${device} Read`),
      writes: counts(`${device} Write`),
      readBytes: amounts(`${device} Read`),
      writtenBytes: amounts(`${device} Write`),
    })),
  };
}

/** What went through the interfaces that the processes of a group see: those of its first process' network. */
export async function interfacesOf(text: Text, group: string): Promise<readonly InterfaceCounts[]> {
  const [pid = ""] = linesOf(await text(`${group}/cgroup.procs`));
  if (pid === "") return [];
  // Two lines of headings come first.
  return linesOf(await text(`/proc/${pid}/net/dev`))
    .slice(2)
    .map((line) => {
      const [name = "", numbers = ""] = line.split(":");
      const columns = numbers.trim().split(/\s+/).map(Number);
      const [receivedBytes = 0, receivedPackets = 0, receiveErrors = 0, receiveDrops = 0] = columns;
      const [sentBytes = 0, sentPackets = 0, sendErrors = 0, sendDrops = 0] = columns.slice(8);
      return {
        name: name.trim(),
        received: { bytes: receivedBytes, packets: receivedPackets, errors: receiveErrors, drops: receiveDrops },
        sent: { bytes: sentBytes, packets: sentPackets, errors: sendErrors, drops: sendDrops },
      };
    });
}

/** Block devices by their numbers: `8:0` is `/dev/sda`. */
export async function deviceNames(text: Text): Promise<ReadonlyMap<string, string>> {
  const lines = linesOf(await text("/proc/diskstats")).map((line) => line.trim().split(/\s+/));
  return new Map(lines.map(([major = "", minor = "", name = ""]) => [`${major}:${minor}`, `/dev/${name}`]));
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/** Numbers of a file of names and numbers; `words` of them are the name. Names that are not there count 0. */
function fields(text: string, words = 1): (name: string) => number {
  const found = new Map(
    linesOf(text).map((line) => {
      const parts = line.split(" ");
      return [parts.slice(0, words).join(" "), Number(parts[words] ?? 0)] as const;
    }),
  );
  return (name) => found.get(name) ?? 0;
}
