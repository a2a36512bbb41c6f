import { spawn, type ChildProcess as NodeChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { ChildProcess, Processes, ProcessOptions, ProcessResult, SpawnOptions } from "../processes.ts";

const outputBytesMaxDefault = 1 << 20;

/** The machine's processes. */
export const realProcesses: Processes = { run, spawn: spawnBeside, signal };

function run(command: string, args: readonly string[], options: ProcessOptions = {}): Promise<ProcessResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: { ...options.env } }),
    });
    const limit = options.outputBytesMax ?? outputBytesMaxDefault;
    const stdout = collect(child.stdout, limit);
    const stderr = collect(child.stderr, limit);
    let timedOut = false;
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            child.kill("SIGKILL");
          }, options.timeoutMs);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("close", (code, signalName) => {
      clearTimeout(timer);
      resolve({
        code: code ?? undefined,
        signal: signalName ?? undefined,
        timedOut,
        stdout: stdout(),
        stderr: stderr(),
      });
    });
    if (options.input !== undefined && child.stdin !== null) {
      // A program that ends without reading its input is no error of ours: its exit code tells.
      child.stdin.on("error", () => child.stdin?.destroy());
      child.stdin.end(options.input);
    }
  });
}

function collect(stream: NodeJS.ReadableStream | null, limit: number): () => string {
  const chunks: Buffer[] = [];
  let length = 0;
  stream?.on("data", (chunk: Buffer) => {
    if (length < limit) chunks.push(chunk.subarray(0, limit - length));
    length += chunk.length;
  });
  return () => Buffer.concat(chunks).toString("utf8");
}

function spawnBeside(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const log = openSync(options.logFile, "a", 0o600);
  const [program, programArgs] =
    options.networkNamespace === undefined
      ? [command, args]
      : // Only the network is entered: `ip netns exec` would hide the cgroup mounts.
        ["nsenter", [`--net=${options.networkNamespace}`, command, ...args]];
  let child: NodeChildProcess;
  try {
    child = spawn(program, programArgs, {
      stdio: ["ignore", log, log],
      detached: options.detached ?? false,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: { ...options.env } }),
    });
  } finally {
    closeSync(log);
  }
  const ended = new Promise<{ code: number | undefined; signal: string | undefined }>((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signalName) => resolve({ code: code ?? undefined, signal: signalName ?? undefined }));
  });
  if (options.detached === true) child.unref();
  return { pid: child.pid ?? 0, ended, kill: (name) => void child.kill(name) };
}

function signal(pid: number, name: "SIGTERM" | "SIGKILL" | "SIGHUP" | "SIGUSR2" | 0): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === "ESRCH") return false;
    throw error;
  }
}
