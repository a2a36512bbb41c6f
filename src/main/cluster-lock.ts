import { createHash } from "node:crypto";
import { createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { realPlace } from "./cluster-processes.ts";
import type { Progress } from "./progress.ts";
import { UserError } from "./user-error.ts";

/** As long as a first start takes that installs everything over a slow network. */
const waitMsMax = 10 * 60_000;
const pollMs = 100;

/**
 * Runs `work` while no other command changes the cluster of `dataDir`: two starts at the same moment would make it twice. Whoever
 * comes second waits. The lock is a name that the kernel takes back when its holder ends, however it ends, and that leaves no file.
 */
export async function whileAlone<T>(dataDir: string, progress: Progress, work: () => Promise<T>): Promise<T> {
  const lock = await acquire(dataDir, progress);
  try {
    return await work();
  } finally {
    lock.close();
  }
}

async function acquire(dataDir: string, progress: Progress): Promise<Server> {
  const name = lockName(dataDir);
  const deadlineMs = performance.now() + waitMsMax;
  for (let tries = 0; performance.now() < deadlineMs; tries++) {
    const server = await listen(name);
    if (server !== undefined) return server;
    if (tries === 0) progress.step("waiting for another command that changes this cluster");
    await sleep(pollMs);
  }
  throw new UserError(
    `Another command has been changing the cluster in ${dataDir} for ${waitMsMax / 60_000} minutes.`,
    "Look what it waits for (ps ax | grep steer), or end it.",
  );
}

function lockName(dataDir: string): string {
  return `\0steersman-${createHash("sha256").update(realPlace(dataDir)).digest("hex").slice(0, 32)}`;
}

/** Undefined when another has the name. */
function listen(name: string): Promise<Server | undefined> {
  return new Promise((settle, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error) =>
      (error as { code?: unknown }).code === "EADDRINUSE" ? settle(undefined) : reject(error),
    );
    server.listen(name, () => settle(server.unref()));
  });
}
