import type { Timer } from "#world/clock.ts";
import type { NodeContext } from "../context.ts";
import { logBytesMax, logCheckMs, logFilesMax } from "../limits.ts";
import { containerNameLabel } from "../pods/labels.ts";

/** Keeps logs of running containers bounded: a file that grew too large is moved away and a new one begun. */
export class LogRotation {
  readonly #context: NodeContext;
  #timer: Timer | undefined;

  constructor(context: NodeContext) {
    this.#context = context;
  }

  start(): void {
    this.#timer = this.#context.timers.after(logCheckMs, () => {
      void this.rotateAll().finally(() => this.start());
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  async rotateAll(): Promise<void> {
    const { runtime, onProblem } = this.#context;
    try {
      for (const container of await runtime.listContainers()) {
        if (container.state !== "Running" || container.labels[containerNameLabel] === undefined) continue;
        const { logPath } = await runtime.containerStatus(container.id);
        if (logPath !== "") await this.#rotate(container.id, logPath);
      }
    } catch (error) {
      onProblem("cannot rotate logs", error);
    }
  }

  async #rotate(id: string, path: string): Promise<void> {
    const { disk, runtime, clock } = this.#context;
    const stat = await disk.stat(path);
    if (stat === undefined || stat.size < logBytesMax) return;
    const folder = path.slice(0, path.lastIndexOf("/"));
    const name = path.slice(path.lastIndexOf("/") + 1);
    const rotated = (await disk.list(folder)).filter((other) => other.startsWith(`${name}.`)).toSorted();
    // The one being written and the one about to be made count too.
    for (const old of rotated.slice(0, Math.max(0, rotated.length - (logFilesMax - 2))))
      await disk.remove(`${folder}/${old}`);
    const stamp = new Date(clock.now()).toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-");
    const moved = `${path}.${stamp}`;
    await disk.rename(path, moved);
    try {
      await runtime.reopenContainerLog(id);
    } catch (error) {
      // The container may have ended just now; its log stays under the name that readers know.
      if ((await disk.stat(path)) === undefined) await disk.rename(moved, path);
      throw error;
    }
  }
}
