import type { ContainerRuntime } from "#world/container-runtime.ts";
import type { Disk } from "#world/disk.ts";
import { orphanGraceSeconds } from "../limits.ts";
import { gracePeriodAnnotation } from "../pods/labels.ts";
import type { ContainerdPaths } from "./config.ts";

/**
 * Ends every container of a runtime, each with its own grace but none with more than `graceSecondsMax`, then their sandboxes with
 * their network. The agent must have stopped; images and volumes stay, and the next agent starts the pods again.
 */
export async function stopAllPods(runtime: ContainerRuntime, graceSecondsMax: number): Promise<void> {
  const containers = await runtime.listContainers();
  await Promise.all(
    containers.map(async ({ id, state, annotations }) => {
      if (state !== "Running" && state !== "Unknown") return;
      const grace = Number(annotations[gracePeriodAnnotation] ?? orphanGraceSeconds);
      await runtime.stopContainer(id, Math.min(grace, graceSecondsMax));
    }),
  );
  await Promise.all((await runtime.listSandboxes()).map(({ id }) => runtime.stopSandbox(id)));
}

/** Removes what `stopAllPods` left in the runtime: for a reset, before its folders are removed. */
export async function removeAllPods(runtime: ContainerRuntime): Promise<void> {
  for (const { id } of await runtime.listSandboxes()) {
    await runtime.stopSandbox(id);
    await runtime.removeSandbox(id);
  }
}

/** Where every containerd of a machine puts the sockets of its shims, whatever its own folders are. */
const shimSocket = /unix:\/\/(\/run\/containerd\/s\/[0-9a-f]{64})/;

/** Removes what containers that nobody stopped leave outside of the runtime's folders. None of them may run any more. */
export async function forgetContainers(disk: Disk, { stateDir }: Pick<ContainerdPaths, "stateDir">): Promise<void> {
  const tasks = `${stateDir}/io.containerd.runtime.v2.task/k8s.io`;
  if ((await disk.stat(tasks)) === undefined) return;
  for (const id of await disk.list(tasks)) {
    // The first is of containerd 1, the second of 2.
    for (const file of [`${tasks}/${id}/address`, `${tasks}/${id}/bootstrap.json`]) {
      if ((await disk.stat(file)) === undefined) continue;
      const socket = shimSocket.exec(await disk.readText(file))?.[1];
      if (socket !== undefined) await disk.remove(socket);
    }
  }
}
