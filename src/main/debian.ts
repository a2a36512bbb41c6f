import { existsSync, rmSync, writeFileSync } from "node:fs";
import type { Processes } from "#world/processes.ts";
import type { Progress } from "./progress.ts";
import { UserError } from "./user-error.ts";

/** What a real node needs, and the program that shows that it is there. */
const nodePackages: readonly { readonly name: string; readonly proof: string }[] = [
  { name: "containerd", proof: "/usr/bin/containerd" },
  { name: "runc", proof: "/usr/sbin/runc" },
  { name: "containernetworking-plugins", proof: "/usr/lib/cni/bridge" },
  { name: "nftables", proof: "/usr/sbin/nft" },
  { name: "haproxy", proof: "/usr/sbin/haproxy" },
  { name: "catatonit", proof: "/usr/bin/catatonit" },
  { name: "conntrack", proof: "/usr/sbin/conntrack" },
  { name: "iproute2", proof: "/usr/sbin/ip" },
  { name: "util-linux", proof: "/usr/bin/nsenter" },
];

/** Services that these packages would start at the next boot of the machine. Ours run below the supervisor. */
const services = ["containerd", "haproxy", "nftables", "prometheus", "nginx"];

const policyPath = "/usr/sbin/policy-rc.d";
const aptTimeoutMs = 9 * 60 * 1000;

/** Installs the Debian packages of a real node that are missing. Throws `UserError` when that cannot be done. */
export async function ensureNodePackages(processes: Processes, progress: Progress): Promise<void> {
  await ensurePackages(
    processes,
    progress,
    nodePackages.filter(({ proof }) => !existsSync(proof)).map(({ name }) => name),
  );
}

/** Installs Prometheus, which keeps the history of metrics, when it is missing. */
export async function ensureHistoryPackage(processes: Processes, progress: Progress): Promise<void> {
  if (!existsSync("/usr/bin/prometheus")) await ensurePackages(processes, progress, ["prometheus"]);
}

/** Installs packages without starting their services. Nothing to install is no work. */
export async function ensurePackages(
  processes: Processes,
  progress: Progress,
  missing: readonly string[],
): Promise<void> {
  if (missing.length === 0) return;
  if (!existsSync("/usr/bin/apt-get")) {
    throw new UserError(
      `These programs are missing and this machine has no apt-get: ${missing.join(", ")}.`,
      "Install them with the machine's own package tool, then run this again.",
    );
  }
  progress.step(`installing Debian packages: ${missing.join(" ")}`);
  const allowServices = forbidServices();
  try {
    const install = ["install", "-y", "--no-install-recommends", ...missing];
    const first = await apt(processes, install);
    if (first.code !== 0) {
      await apt(processes, ["update"]);
      const second = await apt(processes, install);
      if (second.code !== 0) {
        throw new UserError(
          `apt-get could not install ${missing.join(", ")}: ${lastLine(second.stderr)}`,
          "Check the network and the package sources (apt-get update), then run this again.",
        );
      }
    }
  } finally {
    allowServices();
  }
  if (existsSync("/run/systemd/system")) {
    const installed = services.filter((name) => missing.includes(name));
    for (const name of installed) await processes.run("systemctl", ["disable", name], { timeoutMs: 30_000 });
  }
  progress.done(`installed ${missing.join(" ")}`);
}

/**
 * Debian asks a script whether a freshly installed service may start: no, until the answer is called. The script must not outlive us,
 * however we end: no service of the machine would ever start again after an installation.
 */
function forbidServices(): () => void {
  if (existsSync(policyPath)) return () => undefined;
  const remove = (): void => rmSync(policyPath, { force: true });
  const interrupted = (): void => process.exit(1);
  writeFileSync(policyPath, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  process.once("exit", remove).once("SIGINT", interrupted).once("SIGTERM", interrupted);
  return () => {
    process.off("exit", remove).off("SIGINT", interrupted).off("SIGTERM", interrupted);
    remove();
  };
}

function apt(processes: Processes, args: readonly string[]): ReturnType<Processes["run"]> {
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" };
  return processes.run("/usr/bin/apt-get", ["-q", ...args], {
    env: { ...process.env, ...env } as Record<string, string>,
    timeoutMs: aptTimeoutMs,
  });
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
