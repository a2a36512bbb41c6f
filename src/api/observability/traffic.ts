import type { ObjectMeta } from "../generated/meta-v1.ts";

/** Ends the ids of backends that pods reach, as a Service; no TrafficSplit has a name that could follow the `@`. */
export const fromPodsMark = "@/pods";

/** What a node's ingress counted since its proxy started: read by the network, told as metrics. */
export interface IngressTraffic {
  readonly backends: readonly BackendTraffic[];
  readonly routes: readonly RouteTraffic[];
  readonly users: readonly RouteUsers[];
  /** Microseconds at which the buckets of `RouteTraffic` end; a last one has no end. */
  readonly bucketEndsUs: readonly number[];
}

export interface BackendTraffic {
  /** `namespace/service:port`, for the chosen of a split followed by `@` and its name, for pods by `fromPodsMark`. */
  readonly backend: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly connectionFailures: number;
  readonly retries: number;
  /** Answers that no pod gave, by the first digit of their status: index 0 is 1xx, 4 is 5xx. */
  readonly ownAnswers: readonly number[];
}

/** Requests that came by one Ingress' routes to a backend, or from pods to a Service, and were answered by pods of one version. */
export interface RouteTraffic {
  /** `namespace/name`; "" for what pods ask of a Service. */
  readonly ingress: string;
  readonly backend: string;
  /** "" when it is not known. */
  readonly version: string;
  /** Answers by the first digit of their status: index 0 is 1xx, 4 is 5xx. */
  readonly answers: readonly number[];
  /** By the bucket of their time until the answer began; one more than `bucketEndsUs` has ends. */
  readonly buckets: readonly number[];
}

/** What an agent's `/stats/users` answers. */
export interface NodeUsers {
  readonly users: readonly RouteUsers[];
}

/** Who asks a Service, over all nodes: whoever comes to two of them is one. */
export interface ServiceUsers {
  readonly metadata: ObjectMeta;
  /** By whichever way. */
  readonly users: number;
  readonly routes: readonly {
    readonly from: "ingress" | "pods";
    readonly ingress?: string;
    readonly port: string;
    readonly version?: string;
    readonly users: number;
  }[];
  /** Nodes that told. */
  readonly nodes: number;
  /** Nodes that did not; what the others say is not the whole then. */
  readonly missingNodes: readonly string[];
}

/** From which addresses requests came by one Ingress' routes, or as a Service's, in the last minutes, to one side if users are split. */
export interface RouteUsers {
  readonly ingress: string;
  readonly backend: string;
  /** Of the pods there, when it is one: without a split nobody's version is the same for long while there are two. */
  readonly version: string;
  /** The registers of a sketch of who asked: the highest rank seen in each. */
  readonly registers: readonly number[];
}
