import type { ContainerRuntime } from "#world/container-runtime.ts";
import { orphanGraceSeconds } from "../limits.ts";
import { gracePeriodAnnotation } from "../pods/labels.ts";

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
