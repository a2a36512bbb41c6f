import type { ByteSink, HttpRequest, HttpResponse, Transport } from "#world/http.ts";
import type { Clock } from "#world/clock.ts";

/** An object as the model stores it. */
export interface ModelObject {
  apiVersion?: string;
  kind?: string;
  metadata: Record<string, unknown> & {
    name: string;
    namespace?: string;
    uid: string;
    resourceVersion: string;
    generation: number;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    deletionTimestamp?: string;
    finalizers?: string[];
    ownerReferences?: { uid: string; controller?: boolean }[];
  };
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
  [field: string]: unknown;
}

export interface ModelWrite {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly status: number;
}

/**
 * A few hundred objects behind the verbs of the API, just enough to test loops against: create, read, replace, patch, delete
 * with preconditions, list and watch. It validates nothing and admits everything. The real server is what tests/ drive.
 */
export interface ModelApi {
  readonly transport: Transport;
  readonly writes: ModelWrite[];
  /** Answers with this Status instead of writing, as long as it returns one. */
  refuse: ((method: string, path: string) => { code: number; reason: string; message: string } | undefined) | undefined;
  /** Called after every write, with the state it made. */
  onWrite: (() => void) | undefined;
  list(resource: string): ModelObject[];
  get(resource: string, key: string): ModelObject | undefined;
  /** Writes around the API's rules, as another client would. */
  put(resource: string, object: Record<string, unknown>): ModelObject;
  remove(resource: string, key: string): void;
  /** Ends every watch; with true as if the history were gone (410). */
  breakWatches(gone: boolean): void;
}

interface Route {
  readonly root: string;
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  readonly query: URLSearchParams;
}

interface Watcher {
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly sink: ByteSink;
}

const encoder = new TextEncoder();

export function createModelApi(clock: Clock): ModelApi {
  const tables = new Map<string, Map<string, ModelObject>>();
  const watchers = new Set<Watcher>();
  let history: { revision: number; resource: string; type: string; object: ModelObject }[] = [];
  let revision = 1_000_000_000_000;
  let uids = 0;
  let minHistory = revision;

  const table = (resource: string): Map<string, ModelObject> => {
    let found = tables.get(resource);
    if (found === undefined) tables.set(resource, (found = new Map()));
    return found;
  };
  const keyOf = (object: ModelObject): string =>
    object.metadata.namespace === undefined
      ? object.metadata.name
      : `${object.metadata.namespace}/${object.metadata.name}`;
  const emit = (resource: string, type: string, object: ModelObject): void => {
    history.push({ revision, resource, type, object });
    if (history.length > 10_000) history = history.slice(-5_000);
    for (const watcher of watchers) deliver(watcher, resource, type, object);
    api.onWrite?.();
  };
  const deliver = (watcher: Watcher, resource: string, type: string, object: ModelObject): void => {
    if (watcher.resource !== resource) return;
    if (watcher.namespace !== undefined && watcher.namespace !== object.metadata.namespace) return;
    watcher.sink.write(encoder.encode(`${JSON.stringify({ type, object })}\n`));
  };
  const store = (resource: string, type: string, object: ModelObject): ModelObject => {
    revision++;
    const stored = structuredClone(object);
    stored.metadata.resourceVersion = String(revision);
    table(resource).set(keyOf(stored), stored);
    emit(resource, type, stored);
    return stored;
  };
  const drop = (resource: string, object: ModelObject): ModelObject => {
    revision++;
    const last = structuredClone(object);
    last.metadata.resourceVersion = String(revision);
    table(resource).delete(keyOf(last));
    emit(resource, "DELETED", last);
    return last;
  };
  const fresh = (object: Record<string, unknown>, namespace: string | undefined): ModelObject => {
    const made = structuredClone(object) as ModelObject;
    made.metadata = {
      ...made.metadata,
      ...(namespace === undefined ? {} : { namespace }),
      uid: `uid-${++uids}`,
      generation: 1,
      creationTimestamp: `${new Date(clock.now()).toISOString().slice(0, 19)}Z`,
    };
    return made;
  };
  const write = (route: Route, old: ModelObject, wanted: ModelObject): ModelObject => {
    const next = structuredClone(wanted);
    if (route.subresource === "status") {
      const status = next.status;
      Object.assign(next, structuredClone(old), status === undefined ? {} : { status });
    } else if (old.status !== undefined) next.status = structuredClone(old.status);
    const { uid, generation, creationTimestamp, deletionTimestamp } = old.metadata;
    next.metadata = { ...next.metadata, uid, generation, creationTimestamp };
    if (deletionTimestamp !== undefined) next.metadata.deletionTimestamp = deletionTimestamp;
    if (JSON.stringify(next.spec) !== JSON.stringify(old.spec)) next.metadata.generation++;
    next.metadata.resourceVersion = old.metadata.resourceVersion;
    if (JSON.stringify(next) === JSON.stringify(old)) return old;
    const held = [...(next.metadata.finalizers ?? []), ...((next.spec?.["finalizers"] as string[] | undefined) ?? [])];
    if (deletionTimestamp !== undefined && held.length === 0 && route.resource !== "pods") {
      return drop(route.resource, next);
    }
    return store(route.resource, "MODIFIED", next);
  };

  const handlers: Record<string, (route: Route, request: HttpRequest) => HttpResponse> = {
    GET(route, request) {
      if (route.name !== undefined) {
        const object = table(route.resource).get(pathKey(route));
        return object === undefined ? notFound(route) : json(200, object);
      }
      if (route.query.get("watch") === "true") return watch(route, request);
      const items = [...table(route.resource).values()].filter(
        (o) => route.namespace === undefined || o.metadata.namespace === route.namespace,
      );
      return json(200, { kind: "List", apiVersion: "v1", metadata: { resourceVersion: String(revision) }, items });
    },
    POST(route, request) {
      const body = bodyOf(request) as Record<string, unknown> & { metadata?: { name?: string; generateName?: string } };
      const made = fresh(body, route.namespace);
      made.metadata.name ??= `${body.metadata?.generateName ?? ""}${uids}`;
      if (table(route.resource).has(keyOf(made))) {
        return failure(409, "AlreadyExists", `${route.resource} "${made.metadata.name}" already exists`);
      }
      return json(201, store(route.resource, "ADDED", made));
    },
    PUT(route, request) {
      const old = table(route.resource).get(pathKey(route));
      if (old === undefined) return notFound(route);
      const body = bodyOf(request) as ModelObject;
      const expected = body.metadata.resourceVersion as string | undefined;
      if (expected !== undefined && expected !== old.metadata.resourceVersion) return conflict(route);
      return json(200, write(route, old, body));
    },
    PATCH(route, request) {
      const old = table(route.resource).get(pathKey(route));
      if (old === undefined) return notFound(route);
      const patch = bodyOf(request) as { metadata?: { uid?: string; resourceVersion?: string } };
      if (patch.metadata?.uid !== undefined && patch.metadata.uid !== old.metadata.uid) return conflict(route);
      const expected = patch.metadata?.resourceVersion;
      if (expected !== undefined && expected !== old.metadata.resourceVersion) return conflict(route);
      const type = request.headers["content-type"] ?? "";
      if (type.includes("json-patch")) {
        const next = withOperations(structuredClone(old), bodyOf(request) as Operation[]);
        const { uid, resourceVersion } = next.metadata;
        if (uid !== old.metadata.uid || resourceVersion !== old.metadata.resourceVersion) return conflict(route);
        return json(200, write(route, old, next));
      }
      return json(
        200,
        write(route, old, merged(structuredClone(old), patch, type.includes("strategic")) as ModelObject),
      );
    },
    DELETE(route, request) {
      const old = table(route.resource).get(pathKey(route));
      if (old === undefined) return notFound(route);
      const options = (request.body.length === 0 ? {} : bodyOf(request)) as {
        preconditions?: { uid?: string; resourceVersion?: string };
        gracePeriodSeconds?: number;
        propagationPolicy?: string;
      };
      const { uid, resourceVersion } = options.preconditions ?? {};
      if (uid !== undefined && uid !== old.metadata.uid) return conflict(route);
      if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion) return conflict(route);
      return json(200, deleted(route, old, options.gracePeriodSeconds, options.propagationPolicy));
    },
  };
  const deleted = (
    route: Route,
    old: ModelObject,
    grace: number | undefined,
    propagation: string | undefined,
  ): unknown => {
    const finalizers = [...(old.metadata.finalizers ?? [])];
    if (propagation === "Foreground") finalizers.push("foregroundDeletion");
    if (propagation === "Orphan") finalizers.push("orphan");
    const isRunningPod = route.resource === "pods" && old.spec?.["nodeName"] !== undefined && grace !== 0;
    if (finalizers.length === 0 && !isRunningPod) {
      drop(route.resource, old);
      return { kind: "Status", apiVersion: "v1", status: "Success", details: { uid: old.metadata.uid } };
    }
    if (old.metadata.deletionTimestamp !== undefined) return old;
    const marked = structuredClone(old);
    marked.metadata.deletionTimestamp = `${new Date(clock.now() + 30_000).toISOString().slice(0, 19)}Z`;
    if (finalizers.length > 0) marked.metadata.finalizers = finalizers;
    return store(route.resource, "MODIFIED", marked);
  };
  const watch = (route: Route, request: HttpRequest): HttpResponse => {
    const from = Number(route.query.get("resourceVersion"));
    if (from < minHistory) return failure(410, "Expired", "too old resource version");
    let watcher: Watcher | undefined;
    const body = {
      open(sink: ByteSink): void {
        watcher = { resource: route.resource, namespace: route.namespace, sink };
        for (const past of history) if (past.revision > from) deliver(watcher, past.resource, past.type, past.object);
        watchers.add(watcher);
        request.signal?.addEventListener("abort", () => watcher !== undefined && watchers.delete(watcher), {
          once: true,
        });
      },
      drained() {},
      close: () => void (watcher !== undefined && watchers.delete(watcher)),
    };
    return { status: 200, headers: {}, body };
  };
  const api: ModelApi = {
    writes: [],
    refuse: undefined,
    onWrite: undefined,
    transport: {
      async send(request) {
        const route = routeOf(request.target);
        const handler = handlers[request.method];
        if (route === undefined || handler === undefined) return failure(404, "NotFound", `no route ${request.target}`);
        const refusal = request.method === "GET" ? undefined : api.refuse?.(request.method, request.target);
        const response =
          refusal === undefined ? handler(route, request) : failure(refusal.code, refusal.reason, refusal.message);
        if (request.method !== "GET") {
          api.writes.push({
            method: request.method,
            path: request.target,
            headers: request.headers,
            status: response.status,
          });
        }
        return response;
      },
    },
    list: (resource) => [...table(resource).values()],
    get: (resource, key) => table(resource).get(key),
    put(resource, object) {
      const wanted = object as ModelObject;
      const old = table(resource).get(keyOf(wanted));
      if (old === undefined) return store(resource, "ADDED", fresh(object, wanted.metadata.namespace));
      const next = structuredClone({ ...old, ...object }) as ModelObject;
      next.metadata = { ...old.metadata, ...wanted.metadata };
      if (JSON.stringify(next.spec) !== JSON.stringify(old.spec))
        next.metadata.generation = old.metadata.generation + 1;
      return store(resource, "MODIFIED", next);
    },
    remove(resource, key) {
      const old = table(resource).get(key);
      if (old !== undefined) drop(resource, old);
    },
    breakWatches(gone) {
      if (gone) minHistory = ++revision;
      for (const watcher of watchers) {
        watchers.delete(watcher);
        watcher.sink.abort(new Error("connection broken"));
      }
    },
  };
  return api;
}

function routeOf(target: string): Route | undefined {
  const [path, search] = target.split("?");
  const parts = path!
    .split("/")
    .filter((part) => part !== "")
    .map(decodeURIComponent);
  const root = parts[0] === "api" ? parts.splice(0, 2) : parts.splice(0, 3);
  let within: string | undefined;
  if (parts[0] === "namespaces" && parts.length > 2 && parts[2] !== "finalize" && parts[2] !== "status") {
    within = parts[1];
    parts.splice(0, 2);
  }
  const [resource, name, subresource] = parts;
  if (resource === undefined) return undefined;
  return {
    root: root.join("/"),
    resource,
    namespace: within,
    name,
    subresource,
    query: new URLSearchParams(search ?? ""),
  };
}

function pathKey(route: Route): string {
  return route.namespace === undefined ? route.name! : `${route.namespace}/${route.name}`;
}

function bodyOf(request: HttpRequest): unknown {
  return JSON.parse(new TextDecoder().decode(request.body));
}

function json(status: number, body: unknown): HttpResponse {
  return { status, headers: { "content-type": "application/json" }, body: encoder.encode(JSON.stringify(body)) };
}

function failure(code: number, reason: string, message: string): HttpResponse {
  return json(code, { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message });
}

function notFound(route: Route): HttpResponse {
  const message = `${route.resource} "${route.name}" not found`;
  const details = { name: route.name, kind: route.resource };
  return json(404, {
    kind: "Status",
    apiVersion: "v1",
    status: "Failure",
    code: 404,
    reason: "NotFound",
    message,
    details,
  });
}

function conflict(route: Route): HttpResponse {
  return failure(409, "Conflict", `Operation cannot be fulfilled on ${route.resource} "${route.name}"`);
}

/** JSON merge; strategic only for lists whose items are told apart by uid, type or name, with $patch: delete. */
function merged(target: unknown, patch: unknown, strategic: boolean): unknown {
  if (Array.isArray(patch) && strategic && Array.isArray(target)) return mergedLists(target, patch);
  if (Array.isArray(patch) && strategic)
    return patch.filter((item) => (item as { $patch?: string }).$patch !== "delete");
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result = (typeof target === "object" && target !== null && !Array.isArray(target) ? target : {}) as Record<
    string,
    unknown
  >;
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value, strategic);
  }
  return result;
}

function mergedLists(target: unknown[], patch: readonly unknown[]): unknown[] {
  const idOf = (item: unknown): unknown => {
    const record = item as { uid?: unknown; type?: unknown; name?: unknown };
    return record.uid ?? record.type ?? record.name ?? item;
  };
  let result = [...target];
  for (const item of patch) {
    const id = idOf(item);
    const isDeletion = (item as { $patch?: string }).$patch === "delete";
    const at = result.findIndex((other) => idOf(other) === id);
    if (isDeletion) result = result.filter((other) => idOf(other) !== id);
    else if (at === -1) result.push(item);
    else result[at] = merged(result[at], item, true);
  }
  return result;
}

interface Operation {
  readonly op: "add" | "replace";
  /** `/status`, `/metadata/uid`: no deeper, and no lists. */
  readonly path: string;
  readonly value: unknown;
}

function withOperations(object: ModelObject, operations: readonly Operation[]): ModelObject {
  for (const { path, value } of operations) {
    const [, outer = "", inner] = path.split("/");
    const target: Record<string, unknown> = object;
    if (inner === undefined) target[outer] = value;
    else (target[outer] as Record<string, unknown>)[inner] = value;
  }
  return object;
}
