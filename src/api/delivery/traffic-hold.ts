import type { ObjectMeta } from "../generated/meta-v1.ts";
import { deliveryResource } from "./group.ts";

/** On a HorizontalPodAutoscaler with `minReplicas: 0`, `"true"`: no requests for a while, no pods; the next request wakes them. */
export const scaleToZeroAnnotation = "steersman.dev/scale-to-zero";

/**
 * Requests for these Services are held, and not refused, while no pod can answer them. Written by whoever brings workloads to zero
 * (its name is the autoscaler's); every node's ingress obeys it.
 */
export interface TrafficHold {
  readonly apiVersion: "delivery.steersman.dev/v1";
  readonly kind: "TrafficHold";
  readonly metadata: ObjectMeta;
  readonly spec: TrafficHoldSpec;
}

/** While it falls asleep there are still pods, and a request calls the sleep off. */
export type HoldPhase = "Awake" | "FallingAsleep" | "Asleep";

export interface TrafficHoldSpec {
  readonly services: readonly string[];
  readonly phase: HoldPhase;
  /** How often it fell asleep: a demand names the sleep that it ends, so an old one ends none. */
  readonly sleep: number;
  /** When the phase began, as RFC 3339 text. */
  readonly since: string;
}

/** The ingress of a node asks for the end of a sleep: a request waits there. All that it can do is wake. */
export interface TrafficDemand {
  readonly apiVersion: "delivery.steersman.dev/v1";
  readonly kind: "TrafficDemand";
  readonly metadata: ObjectMeta;
  readonly spec: TrafficDemandSpec;
}

export interface TrafficDemandSpec {
  readonly hold: string;
  /** Of the hold: one that was made anew is not meant. */
  readonly holdUid: string;
  readonly sleep: number;
  readonly node: string;
  /** The Service that a request waits for. */
  readonly service: string;
  readonly at: string;
}

export const trafficholds = deliveryResource<TrafficHold>("trafficholds", "TrafficHold");

export const trafficdemands = deliveryResource<TrafficDemand>("trafficdemands", "TrafficDemand");
