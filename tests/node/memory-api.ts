import { EventEmitter, once } from "node:events";
import { randomUUID } from "node:crypto";
import type { Pod } from "#api/generated/core-v1.ts";
import type { Draft, Resource } from "#api/resource.ts";
import type { Client, ListOptions, ObjectName, WatchHandler, WatchOptions, WriteOptions } from "#client/client.ts";
import { ApiStatusError } from "#client/status-error.ts";

interface Stored {
  metadata: { name: string; namespace?: string; uid: string; resourceVersion: string; [field: string]: unknown };
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
}

/** Just enough of an API to drive the agent: objects in memory, watches, pods that are deleted in two steps. */
export class MemoryApi implements Client {
  readonly #objects = new Map<string, Stored>();
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #revision = 1_000_000_000_000;
  readonly events: { reason: string; message: string; involvedObject: { name?: string } }[] = [];
  tokens = 0;

  add<T>(resource: Resource<T>, object: object): T {
    const draft = structuredClone(object) as Stored;
    draft.metadata.uid ??= randomUUID();
    draft.status ??= {};
    this.#put(resource, "ADDED", draft);
    return structuredClone(draft) as T;
  }

  change<T>(resource: Resource<T>, at: ObjectName, change: (object: T) => void): void {
    const object = structuredClone(this.#need(resource, at));
    change(object as T);
    this.#put(resource, "MODIFIED", object);
  }

  /** A user's deletion: pods get their grace, the agent removes them. */
  remove<T>(resource: Resource<T>, at: ObjectName, graceSeconds: number): void {
    const object = structuredClone(this.#need(resource, at));
    if (graceSeconds === 0 || resource.resource !== "pods") {
      this.#drop(resource, object);
      return;
    }
    object.metadata["deletionTimestamp"] = new Date(Date.now() + graceSeconds * 1000).toISOString();
    object.metadata["deletionGracePeriodSeconds"] = graceSeconds;
    this.#put(resource, "MODIFIED", object);
  }

  /** Resolves when the object is so; rejects after `limitMs` with what it is instead. */
  async until<T>(
    resource: Resource<T>,
    at: ObjectName,
    is: (object: T | undefined) => boolean,
    limitMs = 90_000,
  ): Promise<T | undefined> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), limitMs);
    try {
      for (;;) {
        const object = this.#objects.get(keyOf(resource, at)) as T | undefined;
        if (is(object)) return structuredClone(object);
        const changed = once(this.#changes, "change", { signal: late.signal });
        await changed.catch(() => {
          const status = (object as Pod | undefined)?.status;
          throw new Error(`${at.name} did not become what was waited for: ${JSON.stringify(status, null, 1)}`);
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when an Event of this reason was written about an object, now or before. */
  async untilEvent(reason: string, name: string, message = ""): Promise<void> {
    const isIt = (event: (typeof this.events)[number]): boolean =>
      event.reason === reason && event.involvedObject.name === name && event.message.includes(message);
    while (!this.events.some(isIt)) await once(this.#changes, "change");
  }

  async get<T>(resource: Resource<T>, at: ObjectName): Promise<T> {
    return structuredClone(this.#need(resource, at)) as T;
  }

  async find<T>(resource: Resource<T>, at: ObjectName): Promise<T | undefined> {
    return structuredClone(this.#objects.get(keyOf(resource, at))) as T | undefined;
  }

  async list<T>(resource: Resource<T>, options: ListOptions = {}) {
    return { items: this.#matching(resource, options) as T[], resourceVersion: String(this.#revision) };
  }

  watch<T>(resource: Resource<T>, options: WatchOptions, handler: WatchHandler<T>): { close(): void } {
    const changed = (of: Resource<unknown>, type: "ADDED" | "MODIFIED" | "DELETED", object: Stored): void => {
      if (of.resource === resource.resource && matches(object, options))
        handler.event({ type, object: structuredClone(object) as T });
    };
    this.#changes.on("event", changed);
    return { close: () => this.#changes.off("event", changed) };
  }

  async create<T>(
    resource: Resource<T>,
    at: { namespace?: string | undefined; name?: string },
    object: Draft<T>,
  ): Promise<T> {
    if (resource.resource === "tokenreviews" || resource.resource === "subjectaccessreviews")
      return review(object as ReviewRequest) as T;
    if (resource.resource === "events") this.events.push(object as object as (typeof this.events)[number]);
    const draft = structuredClone(object) as Stored;
    draft.metadata.name ??= at.name ?? randomUUID();
    if (at.namespace !== undefined) draft.metadata.namespace = at.namespace;
    if (this.#objects.has(keyOf(resource, draft.metadata)))
      throw new ApiStatusError({ code: 409, reason: "AlreadyExists", message: "already exists" });
    return this.add(resource, draft as object);
  }

  async update<T>(resource: Resource<T>, at: ObjectName, object: T): Promise<T> {
    this.#need(resource, at);
    this.#put(resource, "MODIFIED", structuredClone(object) as Stored);
    return this.get(resource, at);
  }

  async patch<T>(resource: Resource<T>, at: ObjectName, patch: unknown): Promise<T> {
    const object = structuredClone(this.#need(resource, at));
    const { status, spec, metadata } = patch as Partial<Stored>;
    if (metadata?.uid !== undefined && metadata.uid !== object.metadata.uid)
      throw new ApiStatusError({ code: 409, reason: "Conflict", message: "uid" });
    object.status = mergeStatus(object.status ?? {}, status ?? {});
    if (spec !== undefined) object.spec = { ...object.spec, ...spec };
    this.#put(resource, "MODIFIED", object);
    return structuredClone(object) as T;
  }

  async delete<T>(resource: Resource<T>, at: ObjectName): Promise<void> {
    this.#drop(resource, structuredClone(this.#need(resource, at)));
  }

  async request(method: string, path: string, body?: unknown, _options?: WriteOptions): Promise<unknown> {
    if (method === "POST" && path.endsWith("/token")) {
      this.tokens += 1;
      return {
        status: { token: `token-${this.tokens}`, expirationTimestamp: new Date(Date.now() + 3_600_000).toISOString() },
      };
    }
    throw new Error(`${method} ${path} is not answered: ${JSON.stringify(body)}`);
  }

  #need(resource: Resource<unknown>, at: ObjectName): Stored {
    const object = this.#objects.get(keyOf(resource, at));
    if (object === undefined)
      throw new ApiStatusError({
        code: 404,
        reason: "NotFound",
        message: `${resource.resource} "${at.name}" not found`,
      });
    return object;
  }

  #put(resource: Resource<unknown>, type: "ADDED" | "MODIFIED", object: Stored): void {
    this.#revision += 1;
    object.metadata.resourceVersion = String(this.#revision);
    this.#objects.set(keyOf(resource, object.metadata), object);
    this.#tell(resource, type, object);
  }

  #drop(resource: Resource<unknown>, object: Stored): void {
    this.#revision += 1;
    object.metadata.resourceVersion = String(this.#revision);
    this.#objects.delete(keyOf(resource, object.metadata));
    this.#tell(resource, "DELETED", object);
  }

  #tell(resource: Resource<unknown>, type: string, object: Stored): void {
    setImmediate(() => {
      this.#changes.emit("event", resource, type, object);
      this.#changes.emit("change");
    });
  }

  #matching(resource: Resource<unknown>, options: ListOptions): Stored[] {
    const all = [...this.#objects].filter(
      ([key, object]) => key.startsWith(`${resource.resource}/`) && matches(object, options),
    );
    return all.map(([, object]) => structuredClone(object));
  }
}

interface ReviewRequest {
  readonly spec: {
    readonly token?: string;
    readonly user?: string;
    readonly resourceAttributes?: { readonly verb: string };
  };
}

/** The user `admin` may everything, `reader` may get, others are unknown; tokens are names. */
function review({ spec }: ReviewRequest): unknown {
  const known = ["admin", "reader"];
  if (spec.token !== undefined)
    return { status: { authenticated: known.includes(spec.token), user: { username: spec.token } } };
  return {
    status: { allowed: spec.user === "admin" || (spec.user === "reader" && spec.resourceAttributes?.verb === "get") },
  };
}

function keyOf(
  resource: { readonly resource: string },
  at: { readonly namespace?: string | undefined; readonly name: string },
): string {
  return `${resource.resource}/${at.namespace ?? ""}/${at.name}`;
}

function matches(object: Stored, options: ListOptions): boolean {
  if (options.namespace !== undefined && object.metadata.namespace !== options.namespace) return false;
  const [field, value] = (options.fieldSelector ?? "").split("=");
  if (field === "metadata.name") return object.metadata.name === value;
  if (field === "spec.nodeName") return object.spec?.["nodeName"] === value;
  return true;
}

function mergeStatus(before: Record<string, unknown>, patch: Record<string, unknown>): Record<string, unknown> {
  const merged = { ...before };
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete merged[field];
    else if (field === "conditions") {
      const given = value as { type: string }[];
      const kept = ((before["conditions"] as { type: string }[] | undefined) ?? []).filter(
        ({ type }) => !given.some((one) => one.type === type),
      );
      merged[field] = [
        ...kept,
        ...given.map((one) => Object.fromEntries(Object.entries(one).filter(([, inner]) => inner !== null))),
      ];
    } else if (Array.isArray(value))
      merged[field] = value.filter((one: { $patch?: string }) => one.$patch === undefined);
    else merged[field] = value;
  }
  return merged;
}
