import type { Draft, Resource } from "#api/resource.ts";
import type { ApiStatusError } from "./status-error.ts";

/** Why a write happens. Travels in headers, ends in the object's record (audit, `steer why`) and in its trace. */
export interface Cause {
  /** The loop that acts: `controllers/deployment`, `scheduler`, `node/n1`. */
  readonly actor: string;
  /** The rule that fired, a sentence in the present tense: `2 of 3 pods are available; the new ReplicaSet may grow to 2`. */
  readonly rule: string;
  /** The object at the revision that made it act: `apps/deployments/default/web@1000000000042`. */
  readonly because?: string;
  /** Of leader-elected loops: the write is refused when a later epoch exists. */
  readonly epoch?: { readonly leader: string; readonly number: number };
}

export interface ObjectName {
  /** Absent for cluster-scoped resources. */
  readonly namespace?: string | undefined;
  readonly name: string;
}

export interface ListOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  /** Ask for metadata alone (PartialObjectMetadata); a server that cannot answers whole objects. */
  readonly metadataOnly?: boolean;
  /** The caller changes nothing of what it gets: within one process, it may then be shared with others instead of copied. */
  readonly shared?: boolean;
  readonly signal?: AbortSignal;
}

export interface List<T> {
  readonly items: T[];
  readonly resourceVersion: string;
  readonly continue?: string;
}

export interface WriteOptions {
  readonly cause?: Cause;
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
  readonly subresource?: string;
  /** As in `ListOptions`, of the answer. */
  readonly shared?: boolean;
}

export interface DeleteOptions extends WriteOptions {
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly gracePeriodSeconds?: number;
  readonly propagation?: "Background" | "Foreground" | "Orphan";
}

export type PatchKind = "json" | "merge" | "strategic" | "apply";

export interface PatchOptions extends WriteOptions {
  readonly type: PatchKind;
  readonly fieldManager?: string;
  readonly force?: boolean;
}

export interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: T;
}

export interface WatchHandler<T> {
  event(event: WatchEvent<T>): void;
  /** The stream ended. `error` when the server said why (410 Gone: list again) or the connection broke. */
  end(error?: ApiStatusError | Error): void;
}

export interface WatchOptions extends ListOptions {
  readonly allowBookmarks?: boolean;
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}

/**
 * Typed access to the API over a transport. Every method rejects with `ApiStatusError` when the server answered with a
 * Status, and with the transport's error when no answer came.
 */
export interface Client {
  get<T>(resource: Resource<T>, at: ObjectName): Promise<T>;
  /** Undefined when the server says NotFound. */
  find<T>(resource: Resource<T>, at: ObjectName): Promise<T | undefined>;
  list<T>(resource: Resource<T>, options?: ListOptions): Promise<List<T>>;
  watch<T>(resource: Resource<T>, options: WatchOptions, handler: WatchHandler<T>): { close(): void };
  create<T>(
    resource: Resource<T>,
    at: { namespace?: string | undefined; name?: string },
    object: Draft<T>,
    options?: WriteOptions,
  ): Promise<T>;
  /** Replaces; the object's resourceVersion, when set, must be the stored one. */
  update<T>(resource: Resource<T>, at: ObjectName, object: T, options?: WriteOptions): Promise<T>;
  patch<T>(resource: Resource<T>, at: ObjectName, patch: unknown, options: PatchOptions): Promise<T>;
  delete<T>(resource: Resource<T>, at: ObjectName, options?: DeleteOptions): Promise<void>;
  /** Any other request below the API: subresources, discovery, proxies. Answers the decoded JSON body. */
  request(method: string, path: string, body?: unknown, options?: WriteOptions): Promise<unknown>;
}
