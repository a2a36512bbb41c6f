import { ContainerRuntimeError, type RegistryCredentials, type RuntimeImage } from "#world/container-runtime.ts";
import type { NodeContext } from "../context.ts";
import { parallelPullsMax } from "../limits.ts";
import { isImageName } from "./reference.ts";

/** The image cannot be had; `reason` is what `state.waiting` shows. */
export class ImagePullError extends Error {
  override readonly name = "ImagePullError";
  readonly reason: "ErrImagePull" | "ErrImageNeverPull" | "InvalidImageName";

  constructor(reason: "ErrImagePull" | "ErrImageNeverPull" | "InvalidImageName", message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Brings images onto the node, a bounded number at a time, each once however many pods want it. */
export class ImagePuller {
  readonly #context: NodeContext;
  readonly #pulls = new Map<string, Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(context: NodeContext) {
    this.#context = context;
  }

  /** The image as the runtime knows it, pulled when the policy says so. Rejects with `ImagePullError`. */
  async ensure(
    image: string,
    policy: string,
    credentials: () => Promise<readonly RegistryCredentials[]>,
    signal: AbortSignal,
    told: { pulling(): void; pulled(durationMs: number, sizeBytes: number): void; present(): void },
  ): Promise<RuntimeImage> {
    if (!isImageName(image))
      throw new ImagePullError(
        "InvalidImageName",
        `Failed to apply default image tag "${image}": couldn't parse image name`,
      );
    const here = policy === "Always" ? undefined : await this.#context.runtime.imageStatus(image);
    if (here !== undefined) {
      told.present();
      return here;
    }
    if (policy === "Never")
      throw new ImagePullError(
        "ErrImageNeverPull",
        `Container image "${image}" is not present with pull policy of Never`,
      );
    const startedMs = this.#context.clock.monotonic();
    told.pulling();
    // Others may wait for the same pull: only our waiting ends.
    await untilAborted(this.#pullOnce(image, credentials), signal);
    const pulled = await this.#context.runtime.imageStatus(image);
    if (pulled === undefined) throw new ImagePullError("ErrImagePull", `image "${image}" was pulled but is not there`);
    told.pulled(this.#context.clock.monotonic() - startedMs, pulled.size);
    return pulled;
  }

  async #pullOnce(name: string, credentials: () => Promise<readonly RegistryCredentials[]>): Promise<void> {
    // Credentials are the pod's own: what another pod may pull is asked for again with its own.
    const found = await credentials();
    const key = JSON.stringify([name, found]);
    const known = this.#pulls.get(key);
    if (known !== undefined) return known;
    const pull = this.#inTurn(() => this.#pull(name, found));
    this.#pulls.set(key, pull);
    try {
      await pull;
    } finally {
      this.#pulls.delete(key);
    }
  }

  async #pull(name: string, credentials: readonly RegistryCredentials[]): Promise<void> {
    let failure = "";
    for (const one of credentials.length === 0 ? [undefined] : credentials) {
      try {
        await this.#context.runtime.pullImage(name, one);
        return;
      } catch (error) {
        if (!(error instanceof ContainerRuntimeError)) throw error;
        failure = error.message;
      }
    }
    throw new ImagePullError("ErrImagePull", failure);
  }

  async #inTurn(task: () => Promise<void>): Promise<void> {
    if (this.#running >= parallelPullsMax) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running += 1;
    try {
      await task();
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }
}

function untilAborted(task: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error("given up"));
    if (signal.aborted) aborted();
    signal.addEventListener("abort", aborted, { once: true });
    task.then(resolve, reject).finally(() => signal.removeEventListener("abort", aborted));
  });
}

/** `Always` for `latest` and untagged images, as the API's default says. */
export function pullPolicyOf(container: { readonly image?: string; readonly imagePullPolicy?: string }): string {
  if (container.imagePullPolicy !== undefined && container.imagePullPolicy !== "") return container.imagePullPolicy;
  const image = container.image ?? "";
  if (image.includes("@")) return "IfNotPresent";
  const tag = /:([^/:]+)$/.exec(image)?.[1];
  return tag === undefined || tag === "latest" ? "Always" : "IfNotPresent";
}
