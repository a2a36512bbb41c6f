/**
 * Starts real clusters for tests, as a user does: `./steer up` with a data dir of its own. Clusters with real nodes live in a
 * network namespace that the test made, so that they take no port of the machine and meet no other cluster.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clientBinary, type ClientVersion } from "#main/client-binaries.ts";
import { whenCutOff } from "./cut-off.ts";
import { freePort } from "../free-port.ts";

export const projectRoot = join(import.meta.dirname, "../..");
export const isRoot = process.getuid?.() === 0;
const commandTimeoutMs = 180_000;

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TestCluster {
  readonly dataDir: string;
  readonly kubeconfig: string;
  /** Runs `./steer COMMAND` for this cluster. */
  steer(...args: string[]): Output;
  /** Runs kubectl and expects success; answers standard output. */
  kubectl(...args: string[]): string;
  /** Runs kubectl of a version with standard input; answers whatever happened. */
  tryKubectl(args: readonly string[], options?: { readonly input?: string; readonly version?: ClientVersion }): Output;
  /** Starts a program in the cluster's network. */
  start(command: string, args: readonly string[]): ChildProcess;
  /** Runs a program in the cluster's network to its end. */
  run(command: string, args: readonly string[], input?: string): Output;
  /** Removes every trace. */
  remove(): void;
}

let count = 0;

/** A cluster with simulated nodes: needs no root and no network. */
export function startSimulatedCluster(nodes: number, ...flags: string[]): TestCluster {
  return startCluster(undefined, ["--simulate", String(nodes), "--port", String(freePort()), ...flags]);
}

/** A cluster with real nodes in a network namespace of its own. */
export function startRealCluster(...flags: string[]): TestCluster {
  const namespace = `steer-test-${process.pid}-${count}`;
  succeed("ip", ["netns", "add", namespace]);
  succeed("ip", ["-n", namespace, "link", "set", "lo", "up"]);
  return startCluster(namespace, flags);
}

function startCluster(namespace: string | undefined, flags: readonly string[]): TestCluster {
  count += 1;
  const dataDir = mkdtempSync(join(tmpdir(), "steer-test-"));
  const described = describeCluster(dataDir, namespace);
  const takeBack = whenCutOff(described.remove);
  const remove = (): void => {
    takeBack();
    described.remove();
  };
  const cluster = { ...described, remove };
  const up = cluster.steer("up", ...flags);
  if (up.code !== 0) {
    cluster.remove();
    throw new Error(`./steer up failed:\n${up.stderr}`);
  }
  return cluster;
}

function describeCluster(dataDir: string, namespace: string | undefined): TestCluster {
  const kubeconfig = join(dataDir, "kubeconfig");
  const env = { ...process.env, KUBECONFIG: kubeconfig, STEERSMAN_DATA_DIR: dataDir, NO_PROXY: "*" };
  const inNetwork = (command: string, args: readonly string[]): [string, string[]] =>
    namespace === undefined ? [command, [...args]] : ["nsenter", [`--net=/run/netns/${namespace}`, command, ...args]];
  const run = (command: string, args: readonly string[], input?: string): Output => {
    const result = spawnSync(...inNetwork(command, args), {
      env,
      encoding: "utf8",
      timeout: commandTimeoutMs,
      maxBuffer: 64 << 20,
      ...(input === undefined ? {} : { input }),
    });
    return { code: result.status ?? -1, stdout: result.stdout, stderr: result.stderr };
  };
  const steer = (...args: string[]): Output => run(join(projectRoot, "steer"), args);
  const tryKubectl: TestCluster["tryKubectl"] = (args, options = {}) =>
    run(clientBinary("kubectl", options.version), args, options.input);
  return {
    dataDir,
    kubeconfig,
    steer,
    tryKubectl,
    run,
    kubectl: (...args) => {
      const { code, stdout, stderr } = tryKubectl(args);
      assert.equal(code, 0, `kubectl ${args.join(" ")}: ${stderr}${stdout}`);
      return stdout;
    },
    start: (command, args) => spawn(...inNetwork(command, args), { env, stdio: ["pipe", "pipe", "pipe"] }),
    remove: () => {
      steer("reset", "--yes");
      if (namespace !== undefined) spawnSync("ip", ["netns", "delete", namespace]);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function succeed(command: string, args: readonly string[]): void {
  const result = spawnSync(command, args, { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${result.stderr}`);
}
