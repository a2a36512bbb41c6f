import type { Event } from "#store/store.ts";
import type { ObjectCache } from "../objects/cache.ts";
import { namesOf } from "../keys.ts";
import type { FrameSource } from "./frames.ts";
import type { Watcher } from "./watcher.ts";

/** Watchers by the value that they asked for. */
type Table = Map<string, Set<Watcher>>;
/** By the field or label that it is a value of, "" where there is but one. Nothing in it is empty. */
type Tables = Map<string, Table>;

/**
 * The watchers of one resource, each in the bucket of the most selective thing that it asked for: a name, a field's value
 * (a pod's node), a label's value, a namespace, or nothing. A change is offered only to the buckets that it touches.
 */
export class WatcherIndex {
  readonly #prefix: string;
  readonly #watchers = new Set<Watcher>();
  readonly #ofAll: Tables = new Map();
  readonly #byNamespace: Tables = new Map();
  /** `namespace/name`; without a namespace those who ask for the name in all of them. */
  readonly #byName: Tables = new Map();
  readonly #byField: Tables = new Map();
  readonly #byLabel: Tables = new Map();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  get size(): number {
    return this.#watchers.size;
  }

  all(): Watcher[] {
    return [...this.#watchers];
  }

  add(watcher: Watcher): void {
    this.#watchers.add(watcher);
    const { tables, name, value } = this.#placeOf(watcher);
    let table = tables.get(name);
    if (table === undefined) tables.set(name, (table = new Map()));
    const watchers = table.get(value);
    if (watchers === undefined) table.set(value, new Set([watcher]));
    else watchers.add(watcher);
  }

  remove(watcher: Watcher): boolean {
    if (!this.#watchers.delete(watcher)) return false;
    const { tables, name, value } = this.#placeOf(watcher);
    const table = tables.get(name)!;
    const watchers = table.get(value)!;
    watchers.delete(watcher);
    if (watchers.size === 0) table.delete(value);
    if (table.size === 0) tables.delete(name);
    return true;
  }

  #placeOf({ selection }: Watcher): { readonly tables: Tables; readonly name: string; readonly value: string } {
    const { namespace, name } = selection;
    if (name !== "") return { tables: this.#byName, name: "", value: `${namespace}/${name}` };
    const field = selection.fields.find((term) => term.equal && !term.field.startsWith("metadata."));
    if (field !== undefined) return { tables: this.#byField, name: field.field, value: field.value };
    const pair = selection.labels?.pairs[0];
    if (pair !== undefined) return { tables: this.#byLabel, name: pair[0], value: pair[1] };
    if (namespace !== "") return { tables: this.#byNamespace, name: "", value: namespace };
    return { tables: this.#ofAll, name: "", value: "" };
  }

  /** Offers a change to whoever may want it: the state before counts too, for those who must hear that it left. */
  offer(event: Event, objects: ObjectCache, frames: FrameSource): void {
    const offerTo = (watchers: ReadonlySet<Watcher> | undefined): void => {
      if (watchers !== undefined) for (const watcher of watchers) watcher.offer(event, frames);
    };
    offerTo(this.#ofAll.get("")?.get(""));
    const namespaces = this.#byNamespace.get("");
    const names = this.#byName.get("");
    if (namespaces !== undefined || names !== undefined) {
      const { namespace, name } = namesOf(event.key, this.#prefix, this.#first().resource.namespaced);
      offerTo(namespaces?.get(namespace));
      offerTo(names?.get(`${namespace}/${name}`));
      if (namespace !== "") offerTo(names?.get(`/${name}`));
    }
    const { entry, previous } = event;
    for (const [field, table] of this.#byField) {
      const { kind } = this.#first();
      const after = objects.fields(entry, kind)[field] ?? "";
      offerTo(table.get(after));
      const before = previous === undefined ? after : (objects.fields(previous, kind)[field] ?? "");
      if (before !== after) offerTo(table.get(before));
    }
    for (const [label, table] of this.#byLabel) {
      const after = objects.labels(entry)[label];
      if (after !== undefined) offerTo(table.get(after));
      const before = previous === undefined ? after : objects.labels(previous)[label];
      if (before !== undefined && before !== after) offerTo(table.get(before));
    }
  }

  #first(): Watcher["selection"]["served"] {
    for (const watcher of this.#watchers) return watcher.selection.served;
    throw new Error("an index without watchers serves no resource");
  }
}
