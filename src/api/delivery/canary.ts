import type { Condition, ObjectMeta } from "../generated/meta-v1.ts";
import type { Resource } from "../resource.ts";
import { deliveryResource } from "./group.ts";
import type { RequestCount, UserKey } from "./traffic-split.ts";

/** Changes of a Deployment's template go out to a growing share of its users, and back when these see errors. */
export interface Canary {
  readonly apiVersion: "delivery.steersman.dev/v1";
  readonly kind: "Canary";
  readonly metadata: ObjectMeta;
  readonly spec: CanarySpec;
  readonly status?: CanaryStatus;
}

export interface CanarySpec {
  readonly deployment: string;
  /** One of the two says whose users are split. */
  readonly ingress?: string;
  readonly service?: string;
  readonly users: UserKey & { readonly only?: "new" };
  readonly steps: readonly CanaryStep[];
  readonly rollback?: {
    /** Share of the users of the new version that may see errors: `10%`. */
    readonly usersInErrors?: string;
    /** Share of the copied requests that may end in an error while a step mirrors; default: that of `usersInErrors`. */
    readonly requestsInErrors?: string;
    /** Of the interval that judges: `95%`. */
    readonly confidence?: string;
  };
  readonly errors?: {
    readonly statuses?: readonly string[];
    /** Duration: `500ms`. */
    readonly slowerThan?: string;
  };
  /** What happens when a step's time is over and its numbers do not tell yet. */
  readonly notEnoughData?: { readonly then: "wait" | "extend" | "fail"; readonly after?: string };
  /** What else each step must pass. */
  readonly checks?: readonly CanaryCheck[];
  readonly testers?: { readonly header: string; readonly value: string };
  readonly excludedPaths?: readonly string[];
}

/** A source of numbers beside the users: exactly one of `promQL` and `webhook`. */
export interface CanaryCheck {
  readonly name: string;
  /** Duration between two questions; default `10s`. */
  readonly every?: string;
  /** Asked of the cluster's Prometheus. Every value of the answer must lie within the bounds. */
  readonly promQL?: {
    readonly query: string;
    readonly min?: number;
    readonly max?: number;
    /** In the Canary's namespace; it must be allowed to get `histories/proxy`. Default: `default`. */
    readonly serviceAccount?: string;
  };
  /** Gets a CanaryReview by POST over TLS and answers `{"verdict": "pass" | "fail" | "notEnoughData", "message": …}`. */
  readonly webhook?: {
    readonly url?: string;
    readonly service?: { readonly name: string; readonly port?: number; readonly path?: string };
    /** PEM, as base64. */
    readonly caBundle?: string;
  };
}

/** Gives users the new version (`share`), or copies of requests only (`mirror`): exactly one of the two. */
export interface CanaryStep {
  /** `0%` to `100%`, as fine as `0.01%`. */
  readonly share?: string;
  /** This part of the requests is copied to the new version, whose answers nobody gets. Only before the first user has it. */
  readonly mirror?: string;
  /** Of a step that mirrors: what is copied; default: GET and HEAD. */
  readonly methods?: readonly string[];
  /** Of a step that mirrors: at least so many copies before it passes. */
  readonly minRequests?: number;
  /** Duration: at least this long. */
  readonly for?: string;
  /** At least so many distinct users of the new version before the step passes. */
  readonly minUsers?: number;
  /** Waits for the annotation `delivery.steersman.dev/approved` to name this step. */
  readonly approval?: boolean;
  /** Pods of the new version; default: the share of the Deployment's, rounded up. */
  readonly replicas?: number;
}

export type CanaryPhase = "Stable" | "Starting" | "Step" | "Paused" | "Promoting" | "RollingBack" | "RolledBack";

export interface SideStatus {
  readonly users: number;
  readonly inErrors: number;
  /** Interval of the share of users in errors, 0 to 1. */
  readonly low: number;
  readonly high: number;
}

export interface CanaryStatus {
  readonly observedGeneration?: number;
  readonly phase?: CanaryPhase;
  /** The ReplicaSet that everybody else uses. */
  readonly stable?: string;
  /** The ReplicaSet on trial, or the one last rejected. */
  readonly candidate?: string;
  /** Index into spec.steps. */
  readonly step?: number;
  /** Counts starts of steps: names the counters. */
  readonly run?: number;
  readonly share?: string;
  readonly phaseSince?: string;
  readonly releasedAt?: string;
  /** Since when the new version has no ready pod. */
  readonly unreadySince?: string;
  /** Since when the promoted version has all pods. */
  readonly aloneSince?: string;
  readonly verdict?: "Pass" | "Fail" | "NotEnoughData" | "BothSidesFail";
  readonly message?: string;
  readonly users?: SideStatus;
  readonly control?: SideStatus;
  /** Of the step that mirrors, while it does. */
  readonly mirrored?: MirrorStatus;
  /** What the checks of the spec said last in this step. */
  readonly checks?: readonly CheckStatus[];
  /** When the new version's first user in errors was seen in this release. */
  readonly firstErrorAt?: string;
  readonly lastRollback?: Rollback;
  readonly conditions?: readonly Condition[];
}

/** Requests on one side, with the interval of the share of those in errors, 0 to 1. */
export interface RequestsStatus extends RequestCount {
  readonly low: number;
  readonly high: number;
}

/** Copies that the new version answered, and what the stable one answered to the same requests. */
export interface MirrorStatus {
  readonly copies: RequestsStatus;
  readonly originals: RequestsStatus;
  /** Copies that were given up before the new version got them. */
  readonly dropped: number;
}

export interface CheckStatus {
  readonly name: string;
  readonly verdict: "Pass" | "Fail" | "NotEnoughData";
  readonly message: string;
}

/** Why a version was taken back. */
export interface Rollback {
  readonly replicaSet: string;
  readonly reason: string;
  readonly at: string;
  readonly step: number;
  readonly users: SideStatus;
  readonly control: SideStatus;
  /** When copies were judged, and not users. */
  readonly mirrored?: MirrorStatus;
  /** Milliseconds from the first error seen until every node's ingress held threshold 0. */
  readonly fromFirstErrorMs?: number;
  readonly samples?: readonly string[];
}

export const approvedAnnotation = "delivery.steersman.dev/approved";

export const canaries: Resource<Canary> = {
  ...deliveryResource<Canary>("canaries", "Canary"),
  subresources: [{ name: "status", kind: "Canary", verbs: ["get", "patch", "update"] }],
};
