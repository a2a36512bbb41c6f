import type { Event } from "#store/store.ts";
import type { ObjectCache } from "../objects/cache.ts";
import { namesOf } from "../keys.ts";
import type { Watcher } from "./watcher.ts";

/**
 * The watchers of one resource, each in the bucket of the most selective thing that it asked for: a name, a field's value
 * (a pod's node), a label's value, a namespace, or nothing. A change is offered only to the buckets that it touches.
 */
export class WatcherIndex {
  readonly #prefix: string;
  readonly #buckets = new Map<string, Set<Watcher>>();
  readonly #bucketOf = new Map<Watcher, string>();
  /** Buckets by field and by label in use, so that other fields and labels are not looked at. */
  readonly #fields = new Map<string, number>();
  readonly #labels = new Map<string, number>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  get size(): number {
    return this.#bucketOf.size;
  }

  all(): Watcher[] {
    return [...this.#bucketOf.keys()];
  }

  add(watcher: Watcher): void {
    const bucket = bucketFor(watcher);
    let watchers = this.#buckets.get(bucket.key);
    if (watchers === undefined) {
      watchers = new Set();
      this.#buckets.set(bucket.key, watchers);
      this.#count(bucket, 1);
    }
    watchers.add(watcher);
    this.#bucketOf.set(watcher, bucket.key);
  }

  remove(watcher: Watcher): boolean {
    const key = this.#bucketOf.get(watcher);
    if (key === undefined) return false;
    this.#bucketOf.delete(watcher);
    const watchers = this.#buckets.get(key)!;
    watchers.delete(watcher);
    if (watchers.size === 0) {
      this.#buckets.delete(key);
      this.#count(bucketFor(watcher), -1);
    }
    return true;
  }

  #count(bucket: Bucket, by: 1 | -1): void {
    const counts = bucket.type === "field" ? this.#fields : bucket.type === "label" ? this.#labels : undefined;
    if (counts === undefined) return;
    const count = (counts.get(bucket.name) ?? 0) + by;
    if (count === 0) counts.delete(bucket.name);
    else counts.set(bucket.name, count);
  }

  /** Whoever may want the change: the state before counts too, for those who must hear that it left. */
  *candidates(event: Event, objects: ObjectCache): IterableIterator<Watcher> {
    const namespaced = this.#namespaced();
    const { namespace, name } = namesOf(event.key, this.#prefix, namespaced);
    yield* this.#bucket("*");
    if (namespaced) yield* this.#bucket(`namespace/${namespace}`);
    yield* this.#bucket(`name/${namespace}/${name}`);
    if (namespaced) yield* this.#bucket(`name//${name}`);
    for (const field of this.#fields.keys()) {
      const after = objects.fields(event.entry, this.#kind())[field] ?? "";
      yield* this.#bucket(`field/${field}/${after}`);
      const before = event.previous === undefined ? after : (objects.fields(event.previous, this.#kind())[field] ?? "");
      if (before !== after) yield* this.#bucket(`field/${field}/${before}`);
    }
    for (const label of this.#labels.keys()) {
      const after = objects.labels(event.entry)[label];
      if (after !== undefined) yield* this.#bucket(`label/${label}/${after}`);
      const before = event.previous === undefined ? after : objects.labels(event.previous)[label];
      if (before !== undefined && before !== after) yield* this.#bucket(`label/${label}/${before}`);
    }
  }

  #bucket(key: string): Iterable<Watcher> {
    return this.#buckets.get(key) ?? nobody;
  }

  #namespaced(): boolean {
    for (const watcher of this.#bucketOf.keys()) return watcher.selection.served.resource.namespaced;
    return false;
  }

  #kind(): Watcher["selection"]["served"]["kind"] {
    for (const watcher of this.#bucketOf.keys()) return watcher.selection.served.kind;
    throw new Error("an index without watchers has no kind");
  }
}

const nobody: readonly Watcher[] = [];

interface Bucket {
  readonly key: string;
  readonly type: "all" | "name" | "namespace" | "field" | "label";
  /** Of the field or label. */
  readonly name: string;
}

function bucketFor({ selection }: Watcher): Bucket {
  if (selection.name !== "") {
    return { key: `name/${selection.namespace}/${selection.name}`, type: "name", name: "" };
  }
  const field = selection.fields.find((term) => term.equal && !term.field.startsWith("metadata."));
  if (field !== undefined) return { key: `field/${field.field}/${field.value}`, type: "field", name: field.field };
  const pair = selection.labels?.pairs[0];
  if (pair !== undefined) return { key: `label/${pair[0]}/${pair[1]}`, type: "label", name: pair[0] };
  if (selection.namespace !== "") return { key: `namespace/${selection.namespace}`, type: "namespace", name: "" };
  return { key: "*", type: "all", name: "" };
}
