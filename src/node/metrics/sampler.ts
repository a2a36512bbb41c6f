import type { Pod } from "#api/generated/core-v1.ts";
import type { Clock, Timers } from "#world/clock.ts";
import type { CgroupUsage, Machine } from "#world/machine.ts";
import { podCgroup } from "../pods/qos.ts";
import { usageReadsAtOnce, usagePointsMax, usageRepeatMs, usageWindowMaxMs, usageWindowMinMs } from "../limits.ts";

/** CPU and memory over a window. Ages, not times: the clocks of two machines differ. */
export interface Usage {
  /** Nanoseconds of CPU in each second of the window. */
  readonly cpuNanoCores: number;
  readonly workingSetBytes: number;
  /** How long ago the window ended, and its length. Milliseconds. */
  readonly ageMs: number;
  readonly windowMs: number;
}

export interface PodUsage {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly containers: readonly ({ readonly name: string } & Usage)[];
}

/** What `/stats/usage` answers. */
export interface NodeUsage {
  readonly node: Usage | undefined;
  readonly pods: readonly PodUsage[];
}

/** The counters of one container as they were last read. */
export interface Counted extends Measured {
  readonly cpuNanos: number;
  readonly memoryBytes: number;
  readonly workingSetBytes: number;
  readonly ageMs: number;
}

interface Point {
  readonly atMs: number;
  readonly cpuNanos: number;
  readonly memoryBytes: number;
  readonly workingSetBytes: number;
}

export interface Measured {
  readonly pod: Pod;
  readonly container: string;
  readonly path: string;
  /** Milliseconds since 1970; its counter began at zero then. */
  readonly startedAt: number;
}

export interface SamplerOptions {
  readonly machine: Pick<Machine, "cgroupUsage">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly cgroupRoot: string;
  readonly pods: () => readonly Pod[];
}

/** Reads counters when somebody asks, and only of what was asked for: nothing runs while nobody looks. */
export class UsageSampler {
  readonly #options: SamplerOptions;
  readonly #points = new Map<string, Point[]>();
  #round: Promise<void> = Promise.resolve();

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  /** Usage no older than `maxAgeMs` milliseconds; of all pods when `uids` is undefined. What was never measured takes a second. */
  async read(maxAgeMs: number, uids: ReadonlySet<string> | undefined): Promise<NodeUsage> {
    const all = measuredContainers(this.#options.cgroupRoot, this.#options.pods());
    const wanted = uids === undefined ? all : all.filter(({ pod }) => uids.has(pod.metadata.uid ?? ""));
    this.#forget(all);
    const paths = ["", ...wanted.map(({ path }) => path)];
    await this.#sample(paths, maxAgeMs);
    if (paths.some((path) => this.#isUnknown(path, wanted))) {
      await this.#options.timers.sleep(usageRepeatMs);
      await this.#sample(paths, usageRepeatMs / 2);
    }
    return this.#answer(wanted);
  }

  /** Counters of all running containers, no older than `maxAgeMs` milliseconds. */
  async counters(maxAgeMs: number): Promise<readonly Counted[]> {
    const all = measuredContainers(this.#options.cgroupRoot, this.#options.pods());
    this.#forget(all);
    await this.#sample(["", ...all.map(({ path }) => path)], maxAgeMs);
    const now = this.#options.clock.monotonic();
    return all.flatMap((one) => {
      const last = this.#points.get(one.path)?.at(-1);
      return last === undefined ? [] : [{ ...one, ...last, ageMs: now - last.atMs }];
    });
  }

  /** One round at a time: whoever comes meanwhile takes part in what it brought. */
  async #sample(paths: readonly string[], maxAgeMs: number): Promise<void> {
    const before = this.#round;
    const round = before.then(() => this.#readAll(paths, maxAgeMs));
    // Whoever asked gets the error from `round`; the next one in line only waits for its end.
    this.#round = round.catch(() => undefined);
    await round;
  }

  async #readAll(paths: readonly string[], maxAgeMs: number): Promise<void> {
    const now = this.#options.clock.monotonic();
    const due = paths.filter((path) => now - (this.#points.get(path)?.at(-1)?.atMs ?? -Infinity) > maxAgeMs);
    for (let from = 0; from < due.length; from += usageReadsAtOnce) {
      const chunk = due.slice(from, from + usageReadsAtOnce);
      const usages = await Promise.all(chunk.map((path) => this.#options.machine.cgroupUsage(path)));
      const atMs = this.#options.clock.monotonic();
      chunk.forEach((path, index) => this.#keep(path, usages[index], atMs));
    }
  }

  #keep(path: string, usage: CgroupUsage | undefined, atMs: number): void {
    if (usage === undefined || !Number.isFinite(usage.cpuNanos) || !Number.isFinite(usage.workingSetBytes)) {
      this.#points.delete(path);
      return;
    }
    const kept = this.#points.get(path) ?? [];
    const last = kept.at(-1);
    // A counter that went back began anew: what came before says nothing about it.
    if (last !== undefined && usage.cpuNanos < last.cpuNanos) kept.length = 0;
    kept.push({ atMs, ...usage });
    while (kept.length > usagePointsMax || atMs - (kept[0]?.atMs ?? atMs) > usageWindowMaxMs) kept.shift();
    this.#points.set(path, kept);
  }

  #isUnknown(path: string, wanted: readonly Measured[]): boolean {
    const started = wanted.find((each) => each.path === path)?.startedAt ?? 0;
    return this.#points.has(path) && this.#usageOf(path, started) === undefined;
  }

  #answer(wanted: readonly Measured[]): NodeUsage {
    const pods = new Map<
      string,
      { uid: string; namespace: string; name: string; containers: ({ name: string } & Usage)[] }
    >();
    for (const { pod, container, path, startedAt } of wanted) {
      const usage = this.#usageOf(path, startedAt);
      if (usage === undefined) continue;
      const { uid = "", namespace = "", name = "" } = pod.metadata;
      const known = pods.get(uid) ?? { uid, namespace, name, containers: [] };
      pods.set(uid, known);
      known.containers.push({ name: container, ...usage });
    }
    return { node: this.#usageOf("", 0), pods: [...pods.values()] };
  }

  /** Over the shortest window that is long enough; a young container's begins with its start. */
  #usageOf(path: string, startedAt: number): Usage | undefined {
    const points = this.#points.get(path);
    const last = points?.at(-1);
    if (points === undefined || last === undefined) return undefined;
    const now = this.#options.clock.monotonic();
    const earlier = points.findLast(({ atMs }) => last.atMs - atMs >= usageWindowMinMs);
    const bornAtMs = now - (this.#options.clock.now() - startedAt);
    const isYoung = last.atMs - bornAtMs <= usageWindowMaxMs && last.atMs - bornAtMs >= usageWindowMinMs;
    const from = earlier ?? (isYoung ? { atMs: bornAtMs, cpuNanos: 0 } : undefined);
    if (from === undefined) return undefined;
    const windowMs = last.atMs - from.atMs;
    const cpuNanoCores = Math.round(((last.cpuNanos - from.cpuNanos) / windowMs) * 1000);
    return {
      cpuNanoCores,
      workingSetBytes: last.workingSetBytes,
      ageMs: Math.round(now - last.atMs),
      windowMs: Math.round(windowMs),
    };
  }

  #forget(all: readonly Measured[]): void {
    const known = new Set(all.map(({ path }) => path));
    for (const path of this.#points.keys()) if (path !== "" && !known.has(path)) this.#points.delete(path);
  }
}

/** Running containers, sidecars and debugging ones too, with their cgroups. */
function measuredContainers(root: string, pods: readonly Pod[]): readonly Measured[] {
  return pods.flatMap((pod) => {
    const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {};
    const parent = podCgroup(root, pod);
    return [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses].flatMap((status) => {
      const id = status.containerID?.replace(/^[^:]*:\/\//, "") ?? "";
      const startedAt = Date.parse(status.state?.running?.startedAt ?? "");
      if (id === "" || Number.isNaN(startedAt)) return [];
      return [{ pod, container: status.name, path: `${parent}/${id}`, startedAt }];
    });
  });
}
