import type { ApiObject } from "#api/kind.ts";
import { headerBytes } from "#apiserver/objects/stored.ts";
import type { Event, Revision, Store } from "#store/store.ts";

/** An object as it was stored, parsed by the language's own parser. */
export type Stored = ApiObject & {
  readonly metadata: ApiObject["metadata"] & { readonly name: string; readonly uid: string };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
};

/** One visible change of one object. */
export interface Change {
  readonly revision: Revision;
  readonly atMs: number;
  /** `pods`, `apps/deployments`. */
  readonly resource: string;
  readonly key: string;
  /** Undefined when it was deleted. */
  readonly current: Stored | undefined;
  readonly before: Stored | undefined;
  /** Bytes of the stored value: what a no-op update must not change. */
  readonly isSame: boolean;
}

/** The visible state. */
export interface ObservedState {
  /** The newest revision that was seen. */
  readonly revision: Revision;
  get(key: string): Stored | undefined;
  /** Objects of `pods`, `apps/deployments`, by key. */
  all(resource: string): ReadonlyMap<string, Stored>;
  resources(): Iterable<string>;
}

interface Known {
  readonly object: Stored;
  readonly revision: Revision;
  readonly value: Uint8Array;
}

const decoder = new TextDecoder();

/**
 * All that became visible in a store, over all lives of the server: the state that checkers look at. It follows the store as any
 * watch does, but in its own parsing.
 */
export class History implements ObservedState {
  readonly #objects = new Map<string, Known>();
  readonly #byResource = new Map<string, Map<string, Stored>>();
  readonly #changed: (changes: readonly Change[]) => void;
  readonly #now: () => number;
  #revision: Revision | undefined;

  /** `changed` gets the changes of each revision together. */
  constructor(now: () => number, changed: (changes: readonly Change[]) => void) {
    this.#now = now;
    this.#changed = changed;
  }

  get revision(): Revision {
    return this.#revision ?? 0;
  }

  /** Follows a store that was opened anew; what became durable in the last moment of the former life comes first. */
  follow(store: Store): void {
    this.#revision ??= store.visible;
    const ended = store.follow(this.#revision, {
      events: (batch) => this.#events(batch),
      progress: (revision) => {
        this.#revision = revision;
      },
      end: () => undefined,
    });
    if (typeof ended === "string")
      throw new Error(`The store that was opened again does not know revision ${this.#revision}: ${ended}`);
  }

  get(key: string): Stored | undefined {
    return this.#objects.get(key)?.object;
  }

  all(resource: string): ReadonlyMap<string, Stored> {
    return this.#byResource.get(resource) ?? new Map();
  }

  resources(): Iterable<string> {
    return this.#byResource.keys();
  }

  #events(batch: readonly Event[]): void {
    for (let from = 0; from < batch.length;) {
      const { revision } = batch[from]!;
      let to = from;
      while (to < batch.length && batch[to]!.revision === revision) to += 1;
      const changes = batch.slice(from, to).flatMap((event) => this.#change(event));
      this.#revision = revision;
      if (changes.length > 0) this.#changed(changes);
      from = to;
    }
  }

  #change(event: Event): Change[] {
    const { key, revision } = event;
    const resource = resourceOf(key);
    if (resource === undefined) return [];
    const known = this.#objects.get(key);
    const objects = this.#byResource.get(resource) ?? new Map<string, Stored>();
    this.#byResource.set(resource, objects);
    if (event.type === "delete") {
      this.#objects.delete(key);
      objects.delete(key);
      return [{ revision, atMs: this.#now(), resource, key, current: undefined, before: known?.object, isSame: false }];
    }
    const { value } = event.entry;
    const object = JSON.parse(decoder.decode(value.subarray(headerBytes))) as Stored;
    this.#objects.set(key, { object, revision, value });
    objects.set(key, object);
    const isSame = known !== undefined && known.value.length === value.length && sameBut(known.value, value);
    return [{ revision, atMs: this.#now(), resource, key, current: object, before: known?.object, isSame }];
  }
}

/** `/registry/apps/deployments/default/web` is `apps/deployments`; `/registry/core/pods/…` is `pods`. */
function resourceOf(key: string): string | undefined {
  const [, registry, group, resource] = key.split("/");
  if (registry !== "registry" || group === undefined || resource === undefined) return undefined;
  return group === "core" ? resource : `${group}/${resource}`;
}

/** Equal except for the 13 digits of the resourceVersion. */
function sameBut(a: Uint8Array, b: Uint8Array): boolean {
  const at = new DataView(a.buffer, a.byteOffset).getUint32(4);
  for (let index = 0; index < a.length; index += 1) {
    if (index >= at && index < at + 13) continue;
    if (a[index] !== b[index]) return false;
  }
  return true;
}
