import type { Resource } from "#api/resource.ts";
import type { Client, List, WatchHandler, WatchOptions } from "#client/client.ts";

interface Stored {
  readonly metadata: { readonly namespace?: string; readonly name?: string; readonly resourceVersion?: string };
}

/** A client over objects that the test gives it: lists, watches and single patches, nothing else. */
export class FedClient {
  readonly #objects = new Map<string, Map<string, Stored>>();
  readonly #watchers = new Map<string, Set<WatchHandler<unknown>>>();
  readonly patches: { resource: string; name: string; patch: unknown }[] = [];
  #revision = 1_000;

  /** Puts an object, or takes it away. */
  feed(resource: string, object: object, gone = false): void {
    this.#revision += 1;
    const given = object as Stored;
    const stored = { ...given, metadata: { ...given.metadata, resourceVersion: String(this.#revision) } };
    const key = `${given.metadata.namespace ?? ""}/${given.metadata.name ?? ""}`;
    const all = this.#all(resource);
    const type = gone ? "DELETED" : all.has(key) ? "MODIFIED" : "ADDED";
    if (gone) all.delete(key);
    else all.set(key, stored);
    for (const watcher of this.#watchers.get(resource) ?? []) watcher.event({ type, object: stored });
  }

  client(): Client {
    const refuse = (): never => {
      throw new Error("the test's client only lists, watches and patches");
    };
    return {
      get: refuse,
      find: async <T>(resource: Resource<T>, at: { namespace?: string | undefined; name: string }) =>
        this.#all(resource.resource).get(`${at.namespace ?? ""}/${at.name}`) as T | undefined,
      list: async <T>(resource: Resource<T>, options?: WatchOptions): Promise<List<T>> => ({
        items: [...this.#all(resource.resource).values()].filter((object) => matches(object, options)) as T[],
        resourceVersion: String(this.#revision),
      }),
      watch: <T>(resource: Resource<T>, options: WatchOptions, handler: WatchHandler<T>) => {
        const set = this.#watchers.get(resource.resource) ?? new Set();
        const filtered: WatchHandler<unknown> = {
          event: (event) => {
            if (matches(event.object as Stored, options)) handler.event(event as never);
          },
          end: (error) => handler.end(error),
        };
        this.#watchers.set(resource.resource, set.add(filtered));
        return { close: () => void set.delete(filtered) };
      },
      create: refuse,
      update: refuse,
      patch: async <T>(resource: Resource<T>, at: { name: string }, patch: unknown): Promise<T> => {
        this.patches.push({ resource: resource.resource, name: at.name, patch });
        return {} as T;
      },
      delete: refuse,
      request: refuse,
    } as object as Client;
  }

  #all(resource: string): Map<string, Stored> {
    const found = this.#objects.get(resource) ?? new Map<string, Stored>();
    this.#objects.set(resource, found);
    return found;
  }
}

function matches(object: Stored, options: WatchOptions | undefined): boolean {
  if (options?.namespace !== undefined && options.namespace !== object.metadata.namespace) return false;
  const name = /^metadata\.name=(.*)$/.exec(options?.fieldSelector ?? "")?.[1];
  return name === undefined || name === object.metadata.name;
}
