/** What an informer keeps of one object: its identity and the declared projection. */
export interface Entry<P> {
  /** `namespace/name`, or `name` of a cluster-scoped object. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly revision: number;
  /** It has a deletionTimestamp. */
  readonly deleting: boolean;
  readonly view: P;
}

export type Indexes<P> = Readonly<Record<string, (view: P) => readonly string[]>>;

/** Entries by key, in stable key order, with declared indexes. */
export interface IndexedMap<P> {
  readonly size: number;
  get(key: string): Entry<P> | undefined;
  set(entry: Entry<P>): void;
  delete(key: string): void;
  /** All entries in key order. The array is shared until the next change: do not change it. */
  sorted(): readonly Entry<P>[];
  /** Views whose index function answered `value`, in key order. Shared until the next change. */
  by(index: string, value: string): readonly P[];
  keys(): IterableIterator<string>;
}

interface Bucket<P> {
  readonly entries: Map<string, Entry<P>>;
  sorted: readonly P[] | undefined;
}

export function createIndexedMap<P>(indexes: Indexes<P>): IndexedMap<P> {
  const entries = new Map<string, Entry<P>>();
  const tables = new Map(Object.keys(indexes).map((name) => [name, new Map<string, Bucket<P>>()]));
  let sorted: readonly Entry<P>[] | undefined;

  const take = (table: Map<string, Bucket<P>>, value: string, key: string): void => {
    const bucket = table.get(value);
    if (bucket === undefined) return;
    bucket.entries.delete(key);
    bucket.sorted = undefined;
    if (bucket.entries.size === 0) table.delete(value);
  };
  /** Values that stay keep their place: most changes of an object change nothing that it is found by. */
  const index = (old: Entry<P> | undefined, entry: Entry<P> | undefined): void => {
    for (const [name, table] of tables) {
      const before = old === undefined ? [] : indexes[name]!(old.view);
      const after = entry === undefined ? [] : indexes[name]!(entry.view);
      for (const value of before) if (!after.includes(value)) take(table, value, old!.key);
      for (const value of after) {
        let bucket = table.get(value);
        if (bucket === undefined) table.set(value, (bucket = { entries: new Map(), sorted: undefined }));
        bucket.entries.set(entry!.key, entry!);
        bucket.sorted = undefined;
      }
    }
  };
  return {
    get size() {
      return entries.size;
    },
    get: (key) => entries.get(key),
    keys: () => entries.keys(),
    set(entry) {
      index(entries.get(entry.key), entry);
      entries.set(entry.key, entry);
      sorted = undefined;
    },
    delete(key) {
      const old = entries.get(key);
      if (old === undefined) return;
      index(old, undefined);
      entries.delete(key);
      sorted = undefined;
    },
    sorted() {
      sorted ??= [...entries.values()].sort(byKey);
      return sorted;
    },
    by(name, value) {
      const table = tables.get(name);
      if (table === undefined) throw new Error(`No index ${name} was declared`);
      const bucket = table.get(value);
      if (bucket === undefined) return [];
      bucket.sorted ??= [...bucket.entries.values()].sort(byKey).map((entry) => entry.view);
      return bucket.sorted;
    },
  };
}

function byKey(a: { readonly key: string }, b: { readonly key: string }): number {
  return a.key < b.key ? -1 : a.key === b.key ? 0 : 1;
}
