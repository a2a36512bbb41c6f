import type { Disk } from "#world/disk.ts";
import { readActual, type Actual } from "./actual.ts";
import { applyCertificates, applyPlane, type CertificateFaults } from "./apply.ts";
import {
  carriedTo,
  joinCounts,
  nothingCarried,
  readCarried,
  withoutGone,
  writeCarried,
  type Carried,
  type Counts,
} from "./carried.ts";
import { readCounts } from "./counters.ts";
import { configuration, type IngressListen } from "./configuration.ts";
import { configurationFile, Haproxy, slotsFile } from "./haproxy.ts";
import type { RouteTable } from "./route-table.ts";
import type { Runtime } from "./runtime.ts";
import { noNumbers, numberTraffic, readNumbers, writeNumbers, type TrafficNumbers } from "./traffic-numbers.ts";
import { assignSlots, certificateFile, noSlots, readSlots, type Slots } from "./slots.ts";
import { emptyMaps, wantedDataPlane, type DataPlane } from "./wanted.ts";

const numbersFile = "traffic.json";
const carriedFile = "carried.json";

export interface DataPlaneOptions {
  readonly haproxy: Haproxy;
  readonly runtime: Runtime;
  readonly disk: Disk;
  readonly folder: string;
  readonly listen: IngressListen;
  /** The process ended without being asked: call `apply` again. */
  readonly onGone: () => void;
}

/** Carries route tables into HAProxy, whether it runs already, has yet to start or just died. One call at a time. */
export class IngressDataPlane {
  readonly #options: DataPlaneOptions;
  #slots: Slots | undefined;
  /** Undefined: not known, to be read. */
  #actual: Actual | undefined;
  #sent: ReadonlyMap<string, string> = new Map();
  #numbers: TrafficNumbers | undefined;
  #carried: Carried = nothingCarried;
  #guard: { close(): void } | undefined;
  /** Reloads and starts since our own start. */
  reloads = 0;

  constructor(options: DataPlaneOptions) {
    this.#options = options;
  }

  get slots(): Slots {
    return this.#slots ?? noSlots;
  }

  /** What the numbers in HAProxy's counters stand for. */
  get numbers(): TrafficNumbers {
    return this.#numbers ?? noNumbers;
  }

  /** What is to be added to the counters of the process with this number. */
  readonly carriedTo = (pid: string): Counts => carriedTo(pid, this.#carried);

  /** Makes HAProxy serve `table`; answers the certificates (by id) that it refused, with its words. */
  async apply(table: RouteTable): Promise<CertificateFaults> {
    const { runtime, haproxy } = this.#options;
    const before = this.#slots ?? (await this.#adopt());
    const [forPods, others] = [true, false].map((wanted) =>
      [...table.backends.values()].filter(({ isForPods = false }) => isForPods === wanted).map(({ id }) => id),
    );
    const certificates = table.certificates.map(({ id }) => id);
    const slots = assignSlots(before, others ?? [], certificates, forPods);
    const wanted = wantedDataPlane(table, slots, await this.#number(table));
    try {
      const actual = await this.#ensureRunning(before, slots, wanted);
      this.#slots = slots;
      const plane = await applyPlane(runtime, actual, wanted);
      const { held, sent, faults } = await applyCertificates(
        runtime,
        actual.certificates,
        wanted.certificates,
        this.#sent,
      );
      this.#actual = { ...plane, certificates: held };
      this.#sent = sent;
      await haproxy.write(slots, { ...wanted, certificates: accepted(wanted, sent) });
      return new Map(
        table.certificates.flatMap(({ id }) => {
          const fault = faults.get(certificateFile(slots.certificates.get(id) ?? 0));
          return fault === undefined ? [] : [[id, fault] as const];
        }),
      );
    } catch (error) {
      this.#actual = undefined;
      throw error;
    }
  }

  /** What a number stands for is on the disk before HAProxy counts under it. */
  async #number(table: RouteTable): Promise<TrafficNumbers> {
    const { disk, folder } = this.#options;
    const numbers = numberTraffic(this.numbers, table);
    if (numbers !== this.#numbers) {
      await disk.makeDirectory(folder, 0o700);
      await disk.writeAtomically(this.#path(numbersFile), writeNumbers(numbers), 0o600);
    }
    this.#numbers = numbers;
    return numbers;
  }

  /**
   * Keeps what the process that is about to go has counted. What nobody could read begins anew with the next process, from 0, as
   * counters may: a part of the truth would look like more requests than there were.
   */
  async #carry(isRunning: boolean, before: Slots): Promise<void> {
    const { runtime, disk } = this.#options;
    let carried = nothingCarried;
    if (isRunning && this.#numbers !== undefined) {
      // Nobody keeps a reload waiting for counters.
      const read = await readCounts(runtime, before).catch(() => undefined);
      if (read !== undefined) {
        const earlier = this.carriedTo(read.pid);
        const all = joinCounts(earlier, read.counts);
        const after = withoutGone(all, namesOf(this.#numbers), new Set(before.backends.keys()));
        carried = { pid: read.pid, before: earlier, after };
      }
    }
    // Known before the process changes: whoever reads meanwhile adds what belongs to the one that answers.
    this.#carried = carried;
    await disk.writeAtomically(this.#path(carriedFile), writeCarried(carried), 0o600);
  }

  #path(name: string): string {
    return `${this.#options.folder}/${name}`;
  }

  /** A file of the folder. One that is not there, or that nobody can read, says nothing: what it held begins anew. */
  #read(name: string): Promise<string> {
    return this.#options.disk.readText(this.#path(name)).catch(() => "");
  }

  close(): void {
    this.#guard?.close();
    this.#guard = undefined;
  }

  /** What an earlier life of ours left behind; nothing when it is gone or does not fit: then all is set up anew. */
  async #adopt(): Promise<Slots> {
    const { listen, haproxy } = this.#options;
    const slots = readSlots(await this.#read(slotsFile));
    const numbers = readNumbers(await this.#read(numbersFile));
    this.#numbers ??= numbers;
    if (numbers !== undefined) this.#carried = readCarried(await this.#read(carriedFile));
    // Without its numbers nobody knows what a HAProxy has counted: its next process begins with none.
    if (slots === undefined || numbers === undefined || !(await haproxy.isRunning())) return noSlots;
    const present = await this.#read(configurationFile);
    const empty: DataPlane = { maps: emptyMaps, servers: new Map(), certificates: new Map() };
    const user = /^ {2}user (\S+)$/m.exec(present)?.[1];
    const socket = await haproxy.socket();
    const fits = withoutServers(present) === configuration(listen, slots, empty, { user, socket });
    if (fits) this.#slots = slots;
    return fits ? slots : noSlots;
  }

  async #ensureRunning(before: Slots, slots: Slots, wanted: DataPlane): Promise<Actual> {
    const { haproxy, runtime } = this.#options;
    const isRunning = await haproxy.isRunning();
    if (isRunning && this.#slots !== undefined && hasPlaces(before, slots)) {
      if (this.#actual !== undefined) return this.#actual;
    } else {
      // The process that ends is not the one that serves.
      this.close();
      await this.#carry(isRunning, before);
      // Certificates that HAProxy has not accepted yet could keep it from starting: they follow when it runs.
      await haproxy.replace(slots, { ...wanted, certificates: accepted(wanted, this.#sent) });
      this.reloads += 1;
    }
    this.close();
    this.#guard = await runtime.whenGone(() => {
      this.#actual = undefined;
      this.#options.onGone();
    });
    return readActual(runtime);
  }
}

function namesOf({ counted }: TrafficNumbers): ReadonlySet<number> {
  return new Set(counted.values());
}

function hasPlaces(before: Slots, slots: Slots): boolean {
  return before.count === slots.count && before.podCount === slots.podCount;
}

function accepted(wanted: DataPlane, sent: ReadonlyMap<string, string>): DataPlane["certificates"] {
  return new Map([...wanted.certificates].filter(([file, { pem }]) => sent.get(file) === pem));
}

function withoutServers(text: string): string {
  return text
    .split("\n")
    .filter((line) => !line.startsWith("  server "))
    .join("\n");
}
