import type { Clock, Timers } from "#world/clock.ts";
import type { Disk } from "#world/disk.ts";
import type { Processes } from "#world/processes.ts";
import { configuration, type IngressListen } from "./configuration.ts";
import { holdScript, holdScriptFile } from "./hold-rules.ts";
import { startPollMs, startTimeoutMs, stopTimeoutMs } from "./limits.ts";
import { pidOf, type Runtime } from "./runtime.ts";
import { writeSlots, type Slots } from "./slots.ts";
import { certificateList, defaultCertificate, mapFiles, mapText, type DataPlane } from "./wanted.ts";

export interface HaproxyOptions {
  readonly processes: Processes;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly runtime: Runtime;
  /** Where everything of HAProxy's lies: configuration, maps, certificates, socket. */
  readonly folder: string;
  readonly listen: IngressListen;
  /** PEM of a chain and key for hosts without a certificate of their own. */
  readonly defaultCertificate: () => Promise<string>;
  /** Milliseconds that a request is held at most; default: `holdTimeoutMs` of limits.ts. */
  readonly holdTimeoutMs?: number;
}

export const slotsFile = "slots.json";
export const configurationFile = "haproxy.cfg";
const pidFile = "haproxy.pid";
/** Leads to the socket of the process that serves. */
const socketLink = "haproxy.sock";

/** HAProxy as a process that outlives us: started once, found again, reloaded only when places run out. */
export class Haproxy {
  readonly #options: HaproxyOptions;
  #user: Promise<string | undefined> | undefined;

  constructor(options: HaproxyOptions) {
    this.#options = options;
  }

  /** Whether a process answers on the socket. */
  isRunning(): Promise<boolean> {
    return isAnswering(this.#options.runtime);
  }

  /** Writes what the process that serves would read if it were started now. Readers see each file whole. */
  async write(slots: Slots, plane: DataPlane): Promise<void> {
    await this.#write(slots, plane, await this.socket());
  }

  /**
   * The socket of the process that serves. Each process has one of its own: a new one inherits what the old one listens on, and on a
   * shared socket the old one could still answer, and take what was meant for the new one.
   */
  async socket(): Promise<string> {
    const { disk } = this.#options;
    // No link: none was ever started here.
    return disk.readlink(this.#path(socketLink)).catch(() => socketName(0));
  }

  async #write(slots: Slots, plane: DataPlane, socket: string): Promise<void> {
    const { disk, listen } = this.#options;
    await disk.makeDirectory(this.#path(""), 0o700);
    if ((await disk.stat(this.#path(defaultCertificate))) === undefined) {
      await disk.writeAtomically(this.#path(defaultCertificate), await this.#options.defaultCertificate(), 0o600);
    }
    for (const file of mapFiles) await this.#writeChanged(file, mapText(plane.maps[file]));
    for (const [file, { pem }] of plane.certificates) await this.#writeChanged(file, pem);
    const list = [...plane.certificates].map(([file, { hosts }]) => `${file} ${hosts.join(" ")}\n`);
    await this.#writeChanged(certificateList, `${defaultCertificate}\n${list.join("")}`);
    for (const name of await disk.list(this.#path(""))) {
      if (/^c\d+\.pem$/.test(name) && !plane.certificates.has(name)) await disk.remove(this.#path(name));
    }
    await this.#writeChanged(holdScriptFile, holdScript(this.#options.holdTimeoutMs));
    this.#user ??= haproxyUser(disk).then((user) => user?.name);
    const process = { user: await this.#user, socket };
    await this.#writeChanged(configurationFile, configuration(listen, slots, plane, process));
    await this.#writeChanged(slotsFile, writeSlots(slots));
  }

  /**
   * A new process serves what is given: the first, or one that takes over from another, which ends with its last connection. Rejects
   * with what HAProxy says when it does not come up.
   */
  async replace(slots: Slots, plane: DataPlane): Promise<void> {
    const { disk, runtime } = this.#options;
    await disk.makeDirectory(this.#path(""), 0o700);
    const lives = (await disk.list(this.#path(""))).flatMap(livesOf);
    // Not the one that the link leads to: an earlier life of ours may have ended before it led to the process that serves.
    const socket = socketName(Math.max(0, ...lives) + 1);
    await this.#write(slots, plane, socket);
    const own = runtime.at(this.#path(socket));
    const answers = (): Promise<boolean> => isAnswering(own);
    const master = await this.#masterPid();
    if (master === undefined) await this.#start(answers);
    else {
      this.#options.processes.signal(master, "SIGUSR2");
      await this.#until(answers);
    }
    const next = this.#path(`${socketLink}.new`);
    await disk.remove(next);
    await disk.symlink(socket, next);
    await disk.rename(next, this.#path(socketLink));
    for (const life of lives) await disk.remove(this.#path(socketName(life)));
  }

  async #start(answers: () => Promise<boolean>): Promise<void> {
    const { processes, folder } = this.#options;
    const check = await processes.run("haproxy", ["-c", "-C", folder, "-f", configurationFile]);
    if (check.code !== 0) throw new Error(`HAProxy does not accept its configuration: ${lastLines(check.stderr)}`);
    const logFile = this.#path("haproxy.log");
    const child = processes.spawn("haproxy", ["-W", "-C", folder, "-f", configurationFile, "-p", this.#path(pidFile)], {
      logFile,
      detached: true,
    });
    let ended = false;
    void child.ended.then(
      () => (ended = true),
      () => (ended = true),
    );
    await this.#until(async () => {
      if (ended) throw new Error(`HAProxy did not start: ${lastLines(await this.#options.disk.readText(logFile))}`);
      return answers();
    });
  }

  /** Ends the process and every connection through it. */
  async stop(): Promise<void> {
    const { processes } = this.#options;
    const master = await this.#masterPid();
    if (master === undefined) return;
    processes.signal(master, "SIGTERM");
    const isGone = (): Promise<boolean> => Promise.resolve(!processes.signal(master, 0));
    await this.#until(isGone, stopTimeoutMs).catch(() => processes.signal(master, "SIGKILL"));
  }

  /** Whether an older process still serves somebody after a reload; undefined where the system does not tell. */
  async isRetiring(): Promise<boolean | undefined> {
    const master = await this.#masterPid();
    const children = await this.#options.disk
      .readText(`/proc/${master}/task/${master}/children`)
      // Not every kernel has this file.
      .catch(() => undefined);
    return children === undefined ? undefined : children.trim().split(" ").length > 1;
  }

  /** The process of the pid file, if it still is our HAProxy: pids are used again. */
  async #masterPid(): Promise<number | undefined> {
    const { disk, folder } = this.#options;
    const pid = Number(await disk.readText(this.#path(pidFile)).catch(() => ""));
    if (!Number.isInteger(pid) || pid < 2) return undefined;
    const commandLine = await disk.readText(`/proc/${pid}/cmdline`).catch(() => "");
    return commandLine.includes("haproxy") && commandLine.includes(folder) ? pid : undefined;
  }

  async #until(reached: () => Promise<boolean>, timeoutMs = startTimeoutMs): Promise<void> {
    const { clock, timers } = this.#options;
    const deadline = clock.monotonic() + timeoutMs;
    while (!(await reached())) {
      if (deadline < clock.monotonic())
        throw new Error(`HAProxy did not come to the wanted state within ${timeoutMs} ms`);
      await timers.sleep(startPollMs);
    }
  }

  async #writeChanged(name: string, content: string): Promise<void> {
    const { disk } = this.#options;
    // One that cannot be read is written anew.
    const present = await disk.readText(this.#path(name)).catch(() => undefined);
    if (present !== content) await disk.writeAtomically(this.#path(name), content, 0o600);
  }

  #path(name: string): string {
    return name === "" ? this.#options.folder : `${this.#options.folder}/${name}`;
  }
}

/** The user that Debian's package makes for HAProxy, and its number; undefined: HAProxy keeps ours. */
export async function haproxyUser(disk: Disk): Promise<{ readonly name: string; readonly id: number } | undefined> {
  // A machine without the file has no such user.
  const users = await disk.readText("/etc/passwd").catch(() => "");
  const id = /^haproxy:[^:]*:(\d+):/m.exec(users)?.[1];
  return id === undefined ? undefined : { name: "haproxy", id: Number(id) };
}

function socketName(life: number): string {
  return `haproxy-${life}.sock`;
}

/** The number of the process whose socket has this name; none: it is another file. */
function livesOf(name: string): number[] {
  const [, life] = /^haproxy-(\d+)\.sock$/.exec(name) ?? [];
  return life === undefined ? [] : [Number(life)];
}

async function isAnswering(runtime: Runtime): Promise<boolean> {
  // A socket that nobody serves is what is asked for here.
  const info = await runtime.command("show info").catch(() => "");
  return pidOf(info) !== "";
}

function lastLines(text: string): string {
  return text.trim().split("\n").slice(-4).join(" ").slice(0, 1_000);
}
