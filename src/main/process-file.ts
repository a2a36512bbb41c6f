import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A process of the cluster, remembered in `run/NAME.pid` so that every command finds it again, also after a crash of its parent. */
export interface KnownProcess {
  readonly name: string;
  readonly pid: number;
  /** Clock ticks since boot: tells the process from a later one with the same id. */
  readonly startedAt: string;
}

/** Start time of a process from /proc/PID/stat (field 22); undefined when it does not exist or is a zombie. */
export function startTimeOf(pid: number): string | undefined {
  const stat = unlessGone(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  // The second field is the program's name in parentheses and may hold anything.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields?.[0] === "Z" ? undefined : fields?.[19];
}

/** What is read; undefined when it is not there, also when it goes while we look. */
export function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === "ENOENT" || code === "ESRCH";
}

/** Whole or not at all: a command that looks at the same time must not take half a file for a process that ended. */
export function rememberProcess(runFolder: string, name: string, pid: number): void {
  mkdirSync(runFolder, { recursive: true, mode: 0o700 });
  const path = join(runFolder, `${name}.pid`);
  writeFileSync(`${path}.new`, `${pid} ${startTimeOf(pid) ?? ""}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function forgetProcess(runFolder: string, name: string): void {
  rmSync(join(runFolder, `${name}.pid`), { force: true });
}

/** The process of this name, when it is alive. */
export function findProcess(runFolder: string, name: string): KnownProcess | undefined {
  const text = unlessGone(() => readFileSync(join(runFolder, `${name}.pid`), "utf8")) ?? "";
  const [pidText = "", startedAt = ""] = text.trim().split(" ");
  const pid = Number(pidText);
  return pid > 0 && startTimeOf(pid) === startedAt ? { name, pid, startedAt } : undefined;
}

/** Asks a process to end, kills it after `graceMs` milliseconds, and returns when it is gone. */
export async function endProcess(known: KnownProcess, graceMs: number): Promise<void> {
  const isAlive = (): boolean => startTimeOf(known.pid) === known.startedAt;
  const send = (signal: "SIGTERM" | "SIGKILL"): void => {
    try {
      process.kill(known.pid, signal);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "ESRCH") throw error;
    }
  };
  send("SIGTERM");
  const deadlineMs = performance.now() + graceMs;
  while (isAlive() && performance.now() < deadlineMs) await sleep(20);
  if (!isAlive()) return;
  send("SIGKILL");
  const killDeadlineMs = performance.now() + 5000;
  while (isAlive() && performance.now() < killDeadlineMs) await sleep(20);
  if (isAlive()) throw new Error(`Process ${known.name} (${known.pid}) does not end, also after SIGKILL`);
}
