import { pathOf, type Resource } from "#api/resource.ts";
import type { Timers } from "#world/clock.ts";
import type { ByteStream, HttpRequest, HttpResponse, Transport } from "#world/http.ts";
import { createLineSink, isByteStream, readText } from "./body.ts";
import { causeHeaders } from "./cause-headers.ts";
import type {
  Client,
  DeleteOptions,
  List,
  ListOptions,
  PatchKind,
  WatchEvent,
  WatchHandler,
  WatchOptions,
  WriteOptions,
} from "./client.ts";
import { limits } from "./limits.ts";
import { ApiStatusError } from "./status-error.ts";

export interface ClientOptions {
  /** `steersman-controllers/v1.36.0`: what stands in the audit log. */
  readonly userAgent: string;
  /** With timers, a request that is no watch is given up after `requestTimeoutMs`. */
  readonly timers?: Timers;
}

const metadataOnlyType = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const metadataOnlyListType = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
const patchTypes: Record<PatchKind, string> = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
};
const noBytes = new Uint8Array(0);
const encoder = new TextEncoder();

/** A client that speaks JSON over any transport. Rejects with `ApiStatusError` when the server answered with a failure. */
export function createClient(transport: Transport, options: ClientOptions): Client {
  const exchange = createExchange(transport, options);
  const find: Client["find"] = async (resource, at) => {
    try {
      return (await exchange("GET", pathOf(resource, at), undefined, {})) as never;
    } catch (error) {
      if (error instanceof ApiStatusError && error.reason === "NotFound") return undefined;
      throw error;
    }
  };
  return {
    find,
    get: async (resource, at) => (await exchange("GET", pathOf(resource, at), undefined, {})) as never,
    list: (resource, listOptions = {}) => list(exchange, resource, listOptions),
    watch: (resource, watchOptions, handler) => watch(transport, options, resource, watchOptions, handler),
    create: async (resource, at, object, writeOptions = {}) => {
      // The name is part of the path only for subresources (bindings, evictions, tokens).
      const name = writeOptions.subresource === undefined ? undefined : at.name;
      const path = pathOf(resource, { namespace: at.namespace, name, subresource: writeOptions.subresource });
      return (await exchange("POST", path + writeQuery(writeOptions), object, writeOptions)) as never;
    },
    update: async (resource, at, object, writeOptions = {}) => {
      const path = pathOf(resource, { ...at, subresource: writeOptions.subresource });
      return (await exchange("PUT", path + writeQuery(writeOptions), object, writeOptions)) as never;
    },
    patch: async (resource, at, patch, patchOptions) => {
      const path = pathOf(resource, { ...at, subresource: patchOptions.subresource });
      const query = writeQuery(patchOptions, {
        ...(patchOptions.fieldManager === undefined ? {} : { fieldManager: patchOptions.fieldManager }),
        ...(patchOptions.force === true ? { force: "true" } : {}),
      });
      return (await exchange("PATCH", path + query, patch, {
        ...patchOptions,
        contentType: patchTypes[patchOptions.type],
      })) as never;
    },
    delete: async (resource, at, deleteOptions = {}) => {
      await exchange(
        "DELETE",
        pathOf(resource, at) + writeQuery(deleteOptions),
        deleteBody(deleteOptions),
        deleteOptions,
      );
    },
    request: (method, path, body, writeOptions = {}) => exchange(method, path, body, writeOptions),
  };
}

/** The body of a DELETE: preconditions, grace and propagation as `meta/v1.DeleteOptions`. */
export function deleteBody(options: DeleteOptions): unknown {
  const preconditions = {
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.resourceVersion === undefined ? {} : { resourceVersion: options.resourceVersion }),
  };
  return {
    apiVersion: "v1",
    kind: "DeleteOptions",
    ...(Object.keys(preconditions).length === 0 ? {} : { preconditions }),
    ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
    ...(options.propagation === undefined ? {} : { propagationPolicy: options.propagation }),
  };
}

interface ExchangeOptions extends WriteOptions {
  readonly contentType?: string;
  readonly accept?: string;
}

type Exchange = (method: string, path: string, body: unknown, options: ExchangeOptions) => Promise<unknown>;

function createExchange(transport: Transport, options: ClientOptions): Exchange {
  return async (method, path, body, exchangeOptions) => {
    const headers: Record<string, string> = {
      accept: exchangeOptions.accept ?? "application/json",
      "user-agent": options.userAgent,
      ...causeHeaders(exchangeOptions.cause),
    };
    if (body !== undefined) headers["content-type"] = exchangeOptions.contentType ?? "application/json";
    const bytes = body === undefined ? noBytes : encoder.encode(JSON.stringify(body));
    const deadline = createDeadline(options.timers, exchangeOptions.signal, `${method} ${path}`);
    try {
      const shared = exchangeOptions.shared === true ? { takesValues: true } : {};
      const request: HttpRequest = { method, target: path, headers, body: bytes, ...deadline.signal, ...shared };
      const response = await deadline.race(transport.send(request));
      if (response.value !== undefined) return response.value;
      return decodeAnswer(response.status, await deadline.race(readText(response.body)));
    } finally {
      deadline.cancel();
    }
  };
}

interface Deadline {
  readonly signal: { readonly signal?: AbortSignal };
  race<T>(answer: Promise<T>): Promise<T>;
  cancel(): void;
}

/** Gives an exchange up after `requestTimeoutMs` milliseconds, also when the transport ignores the signal. */
function createDeadline(timers: Timers | undefined, signal: AbortSignal | undefined, what: string): Deadline {
  if (timers === undefined)
    return { signal: signal === undefined ? {} : { signal }, race: (answer) => answer, cancel: () => {} };
  const controller = new AbortController();
  const expired = Promise.withResolvers<never>();
  // When nobody races as it expires, nobody waits: whoever comes later races the rejected promise and gets its error.
  expired.promise.catch(() => {});
  const timer = timers.after(limits.requestTimeoutMs, () => {
    const error = new Error(`No answer to ${what} within ${limits.requestTimeoutMs} ms`);
    expired.reject(error);
    controller.abort(error);
  });
  return {
    signal: { signal: signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]) },
    race: (answer) => Promise.race([answer, expired.promise]),
    cancel: () => timer.cancel(),
  };
}

function decodeAnswer(status: number, text: string): unknown {
  if (status >= 200 && status < 300) return text === "" ? undefined : (JSON.parse(text) as unknown);
  throw statusError(status, text);
}

/** The error of an answer that is no success, also when its body is no Status (a proxy between us, a plain 404). */
function statusError(code: number, text: string): ApiStatusError {
  try {
    const status = JSON.parse(text) as { kind?: unknown; reason?: unknown; message?: unknown; details?: unknown };
    if (status !== null && typeof status === "object" && status.kind === "Status") {
      const reason = typeof status.reason === "string" && status.reason !== "" ? status.reason : reasonOf(code);
      const message = typeof status.message === "string" ? status.message : reason;
      return new ApiStatusError({ code, reason, message, details: status.details });
    }
  } catch {
    // Not JSON: the text itself is all there is to say.
  }
  return new ApiStatusError({
    code,
    reason: reasonOf(code),
    message: text.slice(0, 500) || `the server answered with status ${code}`,
  });
}

function reasonOf(code: number): string {
  const reasons: Record<number, string> = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
  };
  return reasons[code] ?? "Unknown";
}

async function list<T>(exchange: Exchange, resource: Resource<T>, options: ListOptions): Promise<List<T>> {
  const path = pathOf(resource, { namespace: options.namespace }) + listQuery(options);
  const answer = (await exchange("GET", path, undefined, {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.metadataOnly === true ? { accept: metadataOnlyListType } : {}),
    ...(options.shared === true ? { shared: true } : {}),
  })) as { items?: T[] | null; metadata?: { resourceVersion?: string; continue?: string } };
  const next = answer.metadata?.continue;
  return {
    items: answer.items ?? [],
    resourceVersion: answer.metadata?.resourceVersion ?? "",
    ...(next === undefined || next === "" ? {} : { continue: next }),
  };
}

function listQuery(options: ListOptions, more: Record<string, string> = {}): string {
  const query = new URLSearchParams();
  if (options.labelSelector !== undefined) query.set("labelSelector", options.labelSelector);
  if (options.fieldSelector !== undefined) query.set("fieldSelector", options.fieldSelector);
  if (options.limit !== undefined) query.set("limit", String(options.limit));
  if (options.continue !== undefined) query.set("continue", options.continue);
  if (options.resourceVersion !== undefined) query.set("resourceVersion", options.resourceVersion);
  for (const [key, value] of Object.entries(more)) query.set(key, value);
  return query.size === 0 ? "" : `?${query.toString()}`;
}

function writeQuery(options: WriteOptions, more: Record<string, string> = {}): string {
  const query = new URLSearchParams(more);
  if (options.dryRun === true) query.set("dryRun", "All");
  return query.size === 0 ? "" : `?${query.toString()}`;
}

function watch<T>(
  transport: Transport,
  options: ClientOptions,
  resource: Resource<T>,
  watchOptions: WatchOptions,
  handler: WatchHandler<T>,
): { close(): void } {
  const abort = new AbortController();
  let stream: ByteStream | undefined;
  let over = false;
  const end = (error?: ApiStatusError | Error): void => {
    if (over) return;
    over = true;
    handler.end(error);
  };
  const close = (): void => {
    if (over) return;
    over = true;
    stream?.close();
    abort.abort(new Error("The watch was closed"));
  };
  const line = (text: string): void => {
    if (over) return;
    const event = parseEvent<T>(text);
    if (event !== undefined) return take(event);
    stream?.close();
    end(new Error("Cannot read the watch: a line is not JSON"));
  };
  const take = (event: EventOrError<T>): void => {
    if (over) return;
    if (event.type !== "ERROR") return handler.event(event);
    stream?.close();
    end(statusError(event.object.code ?? 500, JSON.stringify(event.object)));
  };
  const receive = async (response: HttpResponse): Promise<void> => {
    if (over) {
      if (isByteStream(response.body)) response.body.close();
      return;
    }
    if (response.status !== 200) return end(statusError(response.status, await readText(response.body)));
    const sink = createLineSink(line, end, (value) => take(value as EventOrError<T>));
    if (isByteStream(response.body)) {
      stream = response.body;
      stream.open(sink);
      return;
    }
    const chunks = response.body instanceof Uint8Array ? [response.body] : response.body;
    for (const chunk of chunks) sink.write(chunk);
    sink.end();
  };
  transport
    .send(watchRequest(options, resource, watchOptions, abort.signal))
    .then(receive)
    .catch(end);
  return { close };
}

type EventOrError<T> = WatchEvent<T> | { readonly type: "ERROR"; readonly object: { code?: number } };

function parseEvent<T>(text: string): EventOrError<T> | undefined {
  try {
    return JSON.parse(text) as EventOrError<T>;
  } catch {
    return undefined;
  }
}

function watchRequest(
  options: ClientOptions,
  resource: Resource<unknown>,
  watchOptions: WatchOptions,
  signal: AbortSignal,
): HttpRequest {
  const more: Record<string, string> = { watch: "true" };
  if (watchOptions.allowBookmarks === true) more["allowWatchBookmarks"] = "true";
  if (watchOptions.timeoutSeconds !== undefined) more["timeoutSeconds"] = String(watchOptions.timeoutSeconds);
  if (watchOptions.sendInitialEvents === true) {
    more["sendInitialEvents"] = "true";
    more["resourceVersionMatch"] = "NotOlderThan";
  }
  return {
    method: "GET",
    target: pathOf(resource, { namespace: watchOptions.namespace }) + listQuery(watchOptions, more),
    headers: {
      accept: watchOptions.metadataOnly === true ? metadataOnlyType : "application/json",
      "user-agent": options.userAgent,
    },
    body: noBytes,
    signal: watchOptions.signal === undefined ? signal : AbortSignal.any([signal, watchOptions.signal]),
    ...(watchOptions.shared === true ? { takesValues: true } : {}),
  };
}
