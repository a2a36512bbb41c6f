import type { ObjectMeta } from "../generated/meta-v1.ts";
import { deliveryResource } from "./group.ts";

/** Buckets into which a keyed hash puts users: a threshold of 100 is 1 % of them. */
export const bucketsTotal = 10_000;

/** What tells users apart; exactly one of the first four is set. */
export interface UserKey {
  /** Name of a header. */
  readonly header?: string;
  /** Name of a cookie, set by the ingress when a request has none. */
  readonly cookie?: string;
  /** Name of a claim in the bearer token (JWT) of a request; its signature is the application's business. */
  readonly jwtClaim?: string;
  readonly clientAddress?: boolean;
}

/** Which users of a Service (or of an Ingress that leads to it) go to other pods than everybody else. */
export interface TrafficSplit {
  readonly apiVersion: "delivery.steersman.dev/v1";
  readonly kind: "TrafficSplit";
  readonly metadata: ObjectMeta;
  readonly spec: TrafficSplitSpec;
}

export interface TrafficSplitSpec {
  /** The Service whose users are split. */
  readonly service: string;
  /** Only the routes of this Ingress; absent: those of all Ingresses of the namespace. */
  readonly ingress?: string;
  /** Where the chosen users go: a Service that stands for one ReplicaSet's pods. */
  readonly to: { readonly service: string; readonly replicaSet?: string };
  readonly users: UserKey;
  /** Secret of the hash: other splits choose other users. */
  readonly hashKey: string;
  /** Users in buckets below it are chosen, of `bucketsTotal`. */
  readonly threshold: number;
  /** Only users first seen at or after this time (seconds since 1970) are chosen. */
  readonly newSince?: number;
  /** Requests with this header are chosen whatever their bucket, and not counted. */
  readonly testers?: { readonly header: string; readonly value: string };
  /** Paths (and all below them) that go where everybody else goes. */
  readonly excludedPaths?: readonly string[];
  readonly errors?: {
    /** `5xx`, `429`... default: `5xx`. */
    readonly statuses?: readonly string[];
    /** Milliseconds beyond which an answer counts as an error. */
    readonly slowerThanMs?: number;
  };
  /** Names the counters: users are counted anew when it changes. Absent: nothing is counted. */
  readonly run?: string;
  /** Copies of requests that everybody else's pods serve go to the chosen's pods too; their answers are thrown away. Needs `run`. */
  readonly mirror?: RequestMirror;
}

export interface RequestMirror {
  /** Requests that are copied, of `bucketsTotal`. */
  readonly threshold: number;
  /** Default: the safe ones, GET and HEAD. */
  readonly methods?: readonly string[];
}

/** What one node's ingress has counted of a TrafficSplit. */
export interface TrafficCount {
  readonly apiVersion: "delivery.steersman.dev/v1";
  readonly kind: "TrafficCount";
  readonly metadata: ObjectMeta;
  readonly spec: TrafficCountSpec;
}

export interface TrafficCountSpec {
  readonly split: string;
  readonly node: string;
  /** The threshold that the node's ingress holds. */
  readonly threshold: number;
  readonly run: string;
  readonly chosen: SideCount;
  readonly others: SideCount;
  /** Requests that were copied, while the split asks for it. */
  readonly mirrored?: MirrorCount;
  /** When the node read its counters, as RFC 3339 text. */
  readonly at: string;
  readonly samples?: readonly string[];
}

/** Distinct users on one side, and those with at least one error. */
export interface SideCount {
  readonly users: number;
  readonly inErrors: number;
}

/** Requests, and those of them that ended in an error. */
export interface RequestCount {
  readonly requests: number;
  readonly inErrors: number;
}

/** The same requests on both sides, and copies that were given up before anybody got them: they count on neither. */
export interface MirrorCount {
  readonly copies: RequestCount;
  readonly originals: RequestCount;
  readonly dropped: number;
}

export const trafficsplits = deliveryResource<TrafficSplit>("trafficsplits", "TrafficSplit");

export const trafficcounts = deliveryResource<TrafficCount>("trafficcounts", "TrafficCount");
