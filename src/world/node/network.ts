import type { Processes, ProcessResult } from "../processes.ts";
import { routeProtocol, type NetworkLinks, type Route } from "../network.ts";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";

const commandTimeoutMs = 10_000;
const linkPattern = /^[a-zA-Z0-9_-]{1,15}$/;
const addressPattern = /^\d{1,3}(\.\d{1,3}){3}(\/\d{1,2})?$/;

/** Links and routes by the command `ip`, in the network namespace of `networkNamespace` (a path) or in our own. */
export function ipCommandLinks(options: {
  readonly processes: Processes;
  readonly networkNamespace?: string;
}): NetworkLinks {
  const enter = options.networkNamespace === undefined ? [] : ["nsenter", `--net=${options.networkNamespace}`];
  const run = async (command: readonly string[], input?: string): Promise<ProcessResult> => {
    const [program = "", ...args] = [...enter, ...command];
    return options.processes.run(program, args, {
      timeoutMs: commandTimeoutMs,
      ...(input === undefined ? {} : { input }),
    });
  };
  const must = async (command: readonly string[], input?: string): Promise<string> => {
    const result = await run(command, input);
    if (result.code !== 0) throw new Error(`Cannot run "${command.join(" ")}": ${result.stderr.trim()}`);
    return result.stdout;
  };
  const json = async (command: readonly string[]): Promise<Record<string, unknown>[] | undefined> => {
    const result = await run(["ip", "-j", ...command]);
    if (result.code !== 0) return undefined;
    return result.stdout.trim() === "" ? [] : (JSON.parse(result.stdout) as Record<string, unknown>[]);
  };
  const addresses = async (link: string): Promise<string[] | undefined> => {
    const found = await json(["-4", "addr", "show", "dev", checked(link, linkPattern)]);
    return found?.flatMap(({ addr_info: list }) => {
      const infos = (list ?? []) as { local?: string; prefixlen?: number }[];
      return infos.flatMap(({ local, prefixlen }) => (local === undefined ? [] : [`${local}/${prefixlen}`]));
    });
  };
  return {
    ensureBridge: async (name) => {
      checked(name, linkPattern);
      if ((await addresses(name)) === undefined)
        await must(["ip", "link", "add", name, "address", newHardwareAddress(), "type", "bridge"]);
      await loadBridgeFilter(run);
      // Per bridge, not for the whole machine: other bridges keep what their owners want.
      await must(["ip", "link", "set", name, "up", "type", "bridge", "nf_call_iptables", "1"]);
    },
    ensureAddress: async (link, address) => {
      const wanted = address.includes("/") ? address : `${address}/32`;
      if ((await addresses(link))?.includes(wanted)) return;
      // On the loopback interface an address must not become the source of other connections.
      const scope = link === "lo" ? ["scope", "host"] : [];
      await must([
        "ip",
        "addr",
        "replace",
        checked(wanted, addressPattern),
        "dev",
        checked(link, linkPattern),
        ...scope,
      ]);
    },
    removeAddress: async (link, address) => {
      await run(["ip", "addr", "del", checked(address, addressPattern), "dev", checked(link, linkPattern)]);
    },
    removeLink: async (name) => {
      if ((await addresses(name)) !== undefined) await must(["ip", "link", "del", name]);
    },
    addresses,
    bridgePorts: async (bridge) => {
      const links = await json(["link", "show", "master", checked(bridge, linkPattern)]);
      return (links ?? []).map(({ ifname }) => String(ifname));
    },
    routes: async () => {
      const found = await json(["-4", "route", "show", "proto", String(routeProtocol)]);
      return (found ?? []).map(routeOf);
    },
    changeRoutes: async ({ remove, replace }) => {
      // A route that went by itself (its link is gone) is no reason to fail.
      for (const route of remove) await run(["ip", "route", "del", ...routeArguments(route)]);
      const lines = replace.map((route) => `route replace ${routeArguments(route).join(" ")}`);
      if (0 < lines.length) await must(["ip", "-force", "-batch", "-"], `${lines.join("\n")}\n`);
    },
    setKernelSetting: async (name, value) => {
      const path = `/proc/sys/${checked(name, /^[a-z0-9_]+(\.[a-zA-Z0-9_-]+)+$/).replaceAll(".", "/")}`;
      // sysctl of the namespace that is entered: the file of /proc/sys/net depends on who opens it.
      if (options.networkNamespace === undefined) await writeFile(path, value);
      else await must(["tee", path], value);
    },
  };
}

/**
 * A random address that nobody was given by a maker. A bridge without one of its own takes the lowest of its ports': it would
 * change as pods come and go, and what pods send to the address they remember would be lost for seconds.
 */
function newHardwareAddress(): string {
  return `02:${randomBytes(5).toString("hex").match(/../g)?.join(":")}`;
}

/** The module turns itself on for every bridge of the machine; when we are the one to load it, it is for ours only. */
async function loadBridgeFilter(run: (command: readonly string[]) => Promise<ProcessResult>): Promise<void> {
  if (existsSync("/proc/sys/net/bridge")) return;
  const { code, stderr } = await run(["modprobe", "br_netfilter"]);
  if (code !== 0)
    throw new Error(`Cannot filter frames between pods: the kernel module br_netfilter is missing: ${stderr.trim()}`);
  await writeFile("/proc/sys/net/bridge/bridge-nf-call-iptables", "0");
}

function routeOf(found: Record<string, unknown>): Route {
  const { dst, gateway, dev, prefsrc } = found;
  const destination = String(dst);
  return {
    destination: destination.includes("/") ? destination : `${destination}/32`,
    ...(typeof gateway === "string" ? { via: gateway } : {}),
    ...(typeof dev === "string" ? { device: dev } : {}),
    ...(typeof prefsrc === "string" ? { source: prefsrc } : {}),
  };
}

function routeArguments({ destination, via, device, source }: Route): string[] {
  return [
    checked(destination, addressPattern),
    ...(via === undefined ? [] : ["via", checked(via, addressPattern)]),
    ...(device === undefined ? [] : ["dev", checked(device, linkPattern)]),
    ...(source === undefined ? [] : ["src", checked(source, addressPattern)]),
    "proto",
    String(routeProtocol),
  ];
}

function checked(text: string, pattern: RegExp): string {
  if (!pattern.test(text)) throw new Error(`Cannot use ${JSON.stringify(text)} in a network command`);
  return text;
}
