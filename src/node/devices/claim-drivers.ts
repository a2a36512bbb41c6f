import { claimDriverVersions, type ClaimDriver, type NodePlugins, type PluginInfo } from "#world/node-plugins.ts";
import type { Timer } from "#world/clock.ts";
import type { NodeContext } from "../context.ts";
import { pluginRetryMs } from "../limits.ts";
import { nodePathOf } from "./plugin-folder.ts";

/** Drivers of resource claims: found by the sockets that they put into the registration folder. */
export class ClaimDrivers {
  readonly #context: NodeContext;
  readonly #wire: NodePlugins;
  /** Holds `plugins_registry`. */
  readonly #folder: string;
  /** By the socket that was found: inode, and the driver's name; empty for one that is none of ours. */
  readonly #known = new Map<string, { readonly inode: number; readonly name: string }>();
  readonly #drivers = new Map<string, ClaimDriver>();
  #watch: { close(): void } | undefined;
  #timer: Timer | undefined;
  #isLooking = false;
  #isStopped = false;
  #again = false;

  constructor(context: NodeContext, wire: NodePlugins, folder: string) {
    this.#context = context;
    this.#wire = wire;
    this.#folder = folder;
  }

  async start(): Promise<void> {
    const { disk } = this.#context;
    const registry = `${this.#folder}/plugins_registry`;
    await disk.makeDirectory(registry, 0o755);
    await disk.makeDirectory(`${this.#folder}/plugins`, 0o755);
    this.#watch = disk.watch(registry, () => void this.#look());
    await this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    this.#watch?.close();
    this.#timer?.cancel();
    for (const driver of this.#drivers.values()) driver.close();
  }

  named(name: string): ClaimDriver | undefined {
    return this.#drivers.get(name);
  }

  async #look(): Promise<void> {
    if (this.#isLooking) {
      this.#again = true;
      return;
    }
    this.#isLooking = true;
    do {
      this.#again = false;
      await this.#round();
    } while (this.#again && !this.#isStopped);
    this.#isLooking = false;
  }

  async #round(): Promise<void> {
    const { disk, timers, onProblem } = this.#context;
    const registry = `${this.#folder}/plugins_registry`;
    const names = (await disk.list(registry)).filter((name) => !name.startsWith("."));
    for (const socket of this.#known.keys()) if (!names.includes(socket)) this.#forget(socket);
    let hasFailed = false;
    for (const socket of names) {
      const found = await disk.stat(`${registry}/${socket}`);
      if (found?.kind !== "other") continue;
      if (this.#known.get(socket)?.inode === found.inode) continue;
      this.#forget(socket);
      try {
        this.#known.set(socket, { inode: found.inode, name: await this.#register(`${registry}/${socket}`) });
      } catch (error) {
        hasFailed = true;
        onProblem(`cannot register the plugin at ${socket}`, error);
      }
    }
    this.#timer?.cancel();
    if (hasFailed && !this.#isStopped) this.#timer = timers.after(pluginRetryMs, () => void this.#look());
  }

  #forget(socket: string): void {
    const known = this.#known.get(socket);
    this.#known.delete(socket);
    this.#drivers.get(known?.name ?? "")?.close();
    this.#drivers.delete(known?.name ?? "");
  }

  /** Answers the driver's name; empty when the plugin was told that it cannot be used here. */
  async #register(socketPath: string): Promise<string> {
    const registration = this.#wire.registration(socketPath);
    try {
      const info = await registration.info();
      const problem = problemOf(info);
      await registration.notify(problem === "", problem);
      if (problem !== "") {
        this.#context.onProblem(`cannot use the plugin ${info.name}`, new Error(problem));
        return "";
      }
      const version = claimDriverVersions.find((one) => info.supportedVersions.includes(`${one}.DRAPlugin`));
      const path = info.endpoint === "" ? socketPath : nodePathOf(info.endpoint, this.#folder);
      this.#drivers.get(info.name)?.close();
      this.#drivers.set(info.name, this.#wire.claimDriver(path, version ?? "v1"));
      return info.name;
    } finally {
      registration.close();
    }
  }
}

function problemOf({ type, supportedVersions }: PluginInfo): string {
  if (type !== "DRAPlugin") return `plugins of type ${type} are not used by this node`;
  const isSpoken = claimDriverVersions.some((one) => supportedVersions.includes(`${one}.DRAPlugin`));
  return isSpoken ? "" : `none of the versions ${supportedVersions.join(", ")} is spoken by this node`;
}
