import type { Secret } from "#api/generated/core-v1.ts";
import { secrets } from "#api/generated/resources.ts";
import { createInformer, type Informer, type InformerOptions } from "#reconcile/informer.ts";
import { secretTimeoutMs } from "./limits.ts";

type Watching = Pick<InformerOptions<Secret, Secret>, "client" | "clock" | "timers" | "random" | "onProblem">;

/** The Secrets that accepted Ingresses name, each watched by its name: no list of others is ever asked for. */
export class WatchedSecrets {
  readonly #options: Watching;
  readonly #changed: () => void;
  readonly #byKey = new Map<string, Informer<Secret>>();
  /** Those that nobody waits for any longer: one that we may not read must not hold up the others. */
  readonly #overdue = new Set<string>();

  constructor(options: Watching, changed: () => void) {
    this.#options = options;
    this.#changed = changed;
  }

  get(key: string): Secret | undefined {
    return this.#byKey.get(key)?.get(key);
  }

  /** Watches exactly these; the new ones are known a moment later, which is a change. */
  watch(keys: readonly string[]): void {
    const wanted = new Set(keys);
    for (const [key, informer] of this.#byKey) {
      if (wanted.has(key)) continue;
      informer.stop();
      this.#byKey.delete(key);
      this.#overdue.delete(key);
    }
    for (const key of wanted) {
      if (this.#byKey.has(key)) continue;
      const [namespace = "", name = ""] = key.split("/");
      const selection = { namespace, fieldSelector: `metadata.name=${name}` };
      const informer = createInformer<Secret, Secret>({
        ...this.#options,
        ...selection,
        resource: secrets,
        project: (secret) => secret,
      });
      this.#byKey.set(key, informer);
      informer.handle(this.#changed);
      void informer.synced().then(this.#changed);
      informer.start();
      this.#options.timers.after(secretTimeoutMs, () => {
        if (informer.hasSynced || this.#byKey.get(key) !== informer) return;
        this.#overdue.add(key);
        this.#changed();
      });
    }
  }

  /** Whether all that are watched have been looked for, or for long enough in vain. */
  get known(): boolean {
    return [...this.#byKey].every(([key, informer]) => informer.hasSynced || this.#overdue.has(key));
  }

  stop(): void {
    for (const informer of this.#byKey.values()) informer.stop();
    this.#byKey.clear();
  }
}
