import type { Timer } from "#world/clock.ts";
import type { NodeContext } from "../context.ts";
import { imageAgeMsMin, imageGcHighPercent, imageGcLowPercent, imageGcMs } from "../limits.ts";
import { pauseImageName } from "./pause.ts";

/** Removes images that no container uses when the disk gets full, those unused for longest first. */
export class ImageCollector {
  readonly #context: NodeContext;
  readonly #usedAt = new Map<string, number>();
  #timer: Timer | undefined;

  constructor(context: NodeContext) {
    this.#context = context;
  }

  start(): void {
    this.#timer = this.#context.timers.after(imageGcMs, () => {
      void this.collect().finally(() => this.start());
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  async collect(): Promise<void> {
    const { runtime, machine, clock, onProblem } = this.#context;
    try {
      const usage = await runtime.imageFileSystem();
      if (usage === undefined) return;
      const now = clock.now();
      const [images, containers] = await Promise.all([runtime.listImages(), runtime.listContainers()]);
      const inUse = new Set(containers.flatMap(({ imageRef, image }) => [imageRef, image?.image ?? ""]));
      for (const image of images) {
        const used = [image.id, ...image.repoTags, ...image.repoDigests].some((name) => inUse.has(name));
        if (used || !this.#usedAt.has(image.id)) this.#usedAt.set(image.id, now);
      }
      for (const id of this.#usedAt.keys()) if (!images.some((image) => image.id === id)) this.#usedAt.delete(id);
      const disk = await machine.fileSystem(usage.mountPoint);
      const used = disk.sizeBytes - disk.availableBytes;
      if (used * 100 < disk.sizeBytes * imageGcHighPercent) return;
      let toFree = used - (disk.sizeBytes * imageGcLowPercent) / 100;
      const unused = images
        .filter(
          (image) =>
            now - (this.#usedAt.get(image.id) ?? now) >= imageAgeMsMin &&
            !image.pinned &&
            !image.repoTags.includes(pauseImageName),
        )
        .toSorted((a, b) => (this.#usedAt.get(a.id) ?? 0) - (this.#usedAt.get(b.id) ?? 0));
      for (const image of unused) {
        if (toFree <= 0) break;
        await runtime.removeImage(image.id);
        toFree -= image.size;
      }
    } catch (error) {
      onProblem("cannot remove unused images", error);
    }
  }
}
