import type { Target } from "./target.ts";

/** What the benches tell their client's thread, and what it answers. */
export type Protocol = "HTTP/1.1" | "HTTP/2";
export type Shape = "get" | "create" | "update" | "patch" | "apply" | "delete";

export interface LoadOrder {
  readonly type: "load";
  readonly target: Target;
  readonly protocol: Protocol;
  /** Requests in flight: a connection each over HTTP/1.1, eight to a connection over HTTP/2. */
  readonly width: number;
  readonly durationMs: number;
  /** The load is over after so many requests, where they come before its time. */
  readonly countMax?: number;
  readonly shape: Shape;
  /** Of the object for a get, with SERIAL where each is another; else of the collection. */
  readonly path: string;
  /** JSON with NAME where the object's name goes, and SERIAL where a part changes. */
  readonly body: string;
  /** Names of what is created and deleted: this and a number from 1; what is changed is `u` and the place of the connection. */
  readonly prefix: string;
}

export interface LoadAnswer {
  readonly perSecond: number;
  readonly count: number;
  readonly failures: number;
  readonly medianMs: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
}

/** Requests at even distances, whatever the answers do. */
export interface ProbeOrder {
  readonly type: "probe";
  readonly target: Target;
  readonly path: string;
  readonly everyMs: number;
  readonly connections: number;
}

export interface FetchOrder {
  readonly type: "fetch";
  readonly target: Target;
  readonly path: string;
  readonly times: number;
  /** `application/json` without. */
  readonly accept?: string;
}

export interface FetchAnswer {
  readonly medianMs: number;
  readonly allMs: readonly number[];
  readonly bytes: number;
}

export interface WatchOrder {
  readonly type: "watch";
  readonly target: Target;
  readonly protocol: Protocol;
  readonly path: string;
  readonly watchers: number;
  /** Over HTTP/2. */
  readonly connections?: number;
}

/** When the watchers had a change: milliseconds of the wall clock. */
export interface ChangeSeen {
  readonly lastAt: number;
  readonly p99At: number;
}

export interface StreamAnswer {
  readonly events: number;
  /** Of the watcher that got the fewest. */
  readonly least: number;
}

export type Order =
  | LoadOrder
  | ProbeOrder
  | FetchOrder
  | WatchOrder
  /** Waits until every watcher has got one change more. */
  | { readonly type: "await change" }
  /** How many events all watchers have got so far. */
  | { readonly type: "count events" }
  | { readonly type: "end probe" }
  | { readonly type: "unwatch" };
