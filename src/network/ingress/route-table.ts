/** Where requests go, as data. Made by `compile.ts`, carried into HAProxy by `apply.ts`. */
export interface RouteTable {
  /** By site (a host, `*.parent` or `_` for requests to any other host). */
  readonly sites: readonly string[];
  /** Routes for one path only. */
  readonly exact: readonly Route[];
  /** Routes for a path and everything below it. */
  readonly prefix: readonly Route[];
  /** By id, all that some route names. */
  readonly backends: ReadonlyMap<string, Backend>;
  /** Chains with keys, each with the hosts that it serves. */
  readonly certificates: readonly Certificate[];
  readonly splits: readonly Split[];
  /** What pods ask of Services, by where they ask; default: none. */
  readonly services?: readonly ServiceRoute[];
}

/** A Service's address and port as pods know it, answered by the proxy of their node. */
export interface ServiceRoute {
  /** `10.96.0.5:80`. */
  readonly destination: string;
  /** Id of a backend. */
  readonly backend: string;
  /** A client stays with its server. */
  readonly isSticky: boolean;
  /** The connections that are there are served to their next answer; no new ones come. */
  readonly isLeaving: boolean;
}

/** Users of some backends that go elsewhere, by a threshold on the hash of who they are. */
export interface Split {
  /** `namespace/name`. */
  readonly id: string;
  /** Ids: requests of chosen users for `from` go to `to`; while there is none, nobody is chosen. */
  readonly backends: readonly { readonly from: string; readonly to?: string }[];
  readonly user: { readonly kind: "cookie" | "header" | "claim" | "address"; readonly name: string };
  readonly hashKey: string;
  /** Of 10,000 buckets. */
  readonly threshold: number;
  /** Only users known since then are chosen; seconds since 1970. */
  readonly newSince?: number;
  readonly testers?: { readonly header: string; readonly value: string };
  /** Paths without the `/` at their end; what lies below them is excluded too. */
  readonly excluded: readonly string[];
  /** Beginnings of statuses that count as errors: `5`, `429`. */
  readonly errorStatuses: readonly string[];
  readonly slowerThanMs?: number;
  /** Names the counters; absent: nothing is counted. */
  readonly run?: string;
  /** Requests of the others (of 10,000, with these methods) whose copies go to `to` as well. */
  readonly mirror?: { readonly threshold: number; readonly methods: readonly string[] };
}

export interface Route {
  readonly site: string;
  /** Begins with `/`; of prefixes without the `/` at the end, so the root is empty. */
  readonly path: string;
  /** Id of a backend. */
  readonly backend: string;
  /** Whose route it is, `namespace/name`. */
  readonly ingress?: string;
}

/** A Service's port as the target of routes. */
export interface Backend {
  /** `namespace/service:port`. */
  readonly id: string;
  readonly servers: readonly Server[];
  /** Requests wait for it, and are not refused. */
  readonly held?: boolean;
  /** Reached by pods, as a Service: has the time limits of one, and may keep clients. */
  readonly isForPods?: boolean;
}

export interface Server {
  readonly address: string;
  readonly port: number;
  /** 0 to 256. */
  readonly weight: number;
  /** Of the workload that runs there, where it is known. */
  readonly version?: string;
}

export interface Certificate {
  /** `namespace/secret`. */
  readonly id: string;
  readonly hosts: readonly string[];
  /** PEM of the chain and the key, in our own writing. */
  readonly pem: string;
}

/** Something in an Ingress that is left out, and why: becomes an Event on it. */
export interface Problem {
  /** `namespace/name`. */
  readonly ingress: string;
  /** CamelCase: `Conflict`, `InvalidHost`... */
  readonly reason: string;
  readonly message: string;
}

export interface Compiled {
  readonly table: RouteTable;
  readonly problems: readonly Problem[];
  /** Ingresses that this controller serves: `namespace/name`. */
  readonly accepted: readonly string[];
  /** Secrets that accepted Ingresses name: `namespace/name`. Nothing else may be read for them. */
  readonly secrets: readonly string[];
  /** Services that routes lead to: `namespace/name`. */
  readonly services: readonly string[];
}

/** The site of rules without a host. */
export const anyHost = "_";
