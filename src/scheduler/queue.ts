import { Heap } from "#base/heap.ts";
import { limits } from "./limits.ts";
import { verdict } from "./verdict.ts";

/** What happened, as a set of verdicts that it may turn around. */
export type Hint = number;

const bit = (code: number): Hint => 1 << code;

const noByPods =
  bit(verdict.spread) | bit(verdict.affinity) | bit(verdict.antiAffinity) | bit(verdict.existingAntiAffinity);
/** Nobody here knows what those outside look at. */
const noByOthers = bit(verdict.extender);

export const hints = {
  /** A node came, or its labels, taints, room or schedulability changed. */
  node: 0xffff_fff,
  /** A pod left its node, asks for less, or gave up the room that was kept for it. */
  podGone:
    noByPods |
    noByOthers |
    bit(verdict.ports) |
    bit(verdict.resources) |
    bit(verdict.claimInUse) |
    bit(verdict.volumeLimit),
  /** A pod came to a node. */
  podCame: bit(verdict.affinity) | bit(verdict.spread) | noByOthers,
  /** Something changed about claims, volumes, their classes, or what CSI drivers can do. */
  volumes:
    bit(verdict.claimInUse) |
    bit(verdict.volumeLimit) |
    bit(verdict.volumeAffinity) |
    bit(verdict.volumeBinding) |
    bit(verdict.volumeCapacity) |
    bit(verdict.volumeZone) |
    bit(verdict.claims) |
    noByOthers,
  /** A resource claim, a slice or a class of devices changed. */
  devices: bit(verdict.devices) | bit(verdict.deviceNode) | bit(verdict.claims) | noByOthers,
  /** Labels of a placed pod or of a namespace changed, or a node went away. */
  labels: noByPods | noByOthers,
} as const;

/** Waiting time of a pod after its n-th attempt: doubles from the first to the second. */
export interface Backoff {
  readonly minMs: number;
  readonly maxMs: number;
}
export const defaultBackoff: Backoff = { minMs: limits.backoffMinMs, maxMs: limits.backoffMaxMs };

/** What brings pods into a part of the queue, in upstream's words where it has some; `ClusterEvent`: something that may help them. */
export type IncomingEvent =
  | "UnscheduledPodAdd"
  | "ScheduleAttemptFailure"
  | "BackoffComplete"
  | "UnschedulableTimeout"
  | "ClusterEvent";

/** Nothing but the pod's claims kept it from running. */
export const rejectedByClaims: Hint = bit(verdict.claims);

/** The verdicts that kept a pod from running, as a set. */
export function rejectionsOf(verdicts: Uint8Array): Hint {
  let rejections = 0;
  for (const code of verdicts) rejections |= bit(code);
  return rejections === 0 ? hints.node : rejections;
}

interface Waiting {
  readonly key: string;
  readonly priority: number;
  /** Order of arrival among equals. */
  readonly arrival: number;
  attempts: number;
  state: "active" | "backoff" | "unschedulable" | "taken";
  /** Of a pod that waits: when it is due. Milliseconds on the caller's clock. */
  dueMs: number;
  triedMs: number;
  rejections: Hint;
  /** What happened while it was being tried. */
  missed: Hint;
}

interface Due {
  readonly atMs: number;
  readonly waiting: Waiting;
}

/**
 * Pods that wait for a node: those to try next by priority, then by arrival; those in back-off; and those that no node fits,
 * which come back when something happened that may help them. Bounded by the number of pending pods.
 */
export class SchedulingQueue {
  /** How often pods came into each part of the queue, by what brought them: `active UnscheduledPodAdd`. */
  readonly incoming = new Map<`${"active" | "backoff" | "unschedulable"} ${IncomingEvent}`, number>();
  readonly #waiting = new Map<string, Waiting>();
  /** Pods that are being tried. */
  readonly #taken = new Set<Waiting>();
  /** Pods that no node fits, by what said no: an event looks only at those that it may help. */
  readonly #unschedulable = new Map<Hint, Set<Waiting>>();
  readonly #active = new Heap<Waiting>((a, b) =>
    a.priority === b.priority ? a.arrival < b.arrival : a.priority > b.priority,
  );
  /** May name pods that are no longer due then. */
  readonly #due = new Heap<Due>((a, b) => a.atMs < b.atMs);
  readonly #backoff: Backoff;
  #arrivals = 0;
  #activeCount = 0;

  constructor(backoff = defaultBackoff) {
    this.#backoff = backoff;
  }

  get length(): number {
    return this.#waiting.size;
  }

  get activeLength(): number {
    return this.#activeCount;
  }

  /** A pod that is to be placed; one that waits already stays where it is unless its priority changed. */
  add(key: string, priority: number): void {
    const known = this.#waiting.get(key);
    if (known !== undefined && known.priority === priority) return;
    if (known !== undefined) this.remove(key);
    const arrival = (this.#arrivals += 1);
    const waiting: Waiting = {
      key,
      priority,
      arrival,
      attempts: 0,
      state: "taken",
      dueMs: 0,
      triedMs: 0,
      rejections: 0,
      missed: 0,
    };
    this.#waiting.set(key, waiting);
    this.#activate(waiting, "UnscheduledPodAdd");
  }

  /** Pods in each part; those that are being tried are in none. */
  counts(): { active: number; backoff: number; unschedulable: number } {
    const active = this.#activeCount;
    let unschedulable = 0;
    for (const same of this.#unschedulable.values()) unschedulable += same.size;
    return { active, backoff: this.#waiting.size - this.#taken.size - active - unschedulable, unschedulable };
  }

  /** Attempts for a pod so far. */
  attempts(key: string): number {
    return this.#waiting.get(key)?.attempts ?? 0;
  }

  remove(key: string): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    this.#waiting.delete(key);
    this.#leave(waiting);
    waiting.state = "taken";
  }

  #leave(waiting: Waiting): void {
    if (waiting.state === "active") this.#activeCount -= 1;
    this.#taken.delete(waiting);
    if (waiting.state !== "unschedulable") return;
    const { rejections } = waiting;
    const same = this.#unschedulable.get(rejections);
    same?.delete(waiting);
    if (same?.size === 0) this.#unschedulable.delete(rejections);
  }

  #enter(waiting: Waiting, state: Waiting["state"]): void {
    this.#leave(waiting);
    waiting.state = state;
    if (state === "active") this.#activeCount += 1;
    if (state === "taken") this.#taken.add(waiting);
    if (state !== "unschedulable") return;
    const same = this.#unschedulable.get(waiting.rejections);
    if (same === undefined) this.#unschedulable.set(waiting.rejections, new Set([waiting]));
    else same.add(waiting);
  }

  #activate(waiting: Waiting, event: IncomingEvent): void {
    this.#enter(waiting, "active");
    this.#count("active", event);
    this.#active.push(waiting);
  }

  /** The next pod to try; it stays known until it is removed or has failed. */
  take(nowMs: number): string | undefined {
    this.#wake(nowMs);
    for (;;) {
      const waiting = this.#active.pop();
      if (waiting === undefined) return undefined;
      if (waiting.state !== "active") continue;
      this.#enter(waiting, "taken");
      waiting.attempts += 1;
      waiting.triedMs = nowMs;
      waiting.missed = 0;
      return waiting.key;
    }
  }

  #wake(nowMs: number): void {
    for (;;) {
      const due = this.#due.peek();
      if (due === undefined || due.atMs > nowMs) return;
      this.#due.pop();
      const { waiting } = due;
      if ((waiting.state === "backoff" || waiting.state === "unschedulable") && waiting.dueMs === due.atMs)
        this.#activate(waiting, waiting.state === "backoff" ? "BackoffComplete" : "UnschedulableTimeout");
    }
  }

  #count(part: "active" | "backoff" | "unschedulable", event: IncomingEvent): void {
    const key = `${part} ${event}` as const;
    this.incoming.set(key, (this.incoming.get(key) ?? 0) + 1);
  }

  #later(waiting: Waiting, state: "backoff" | "unschedulable", atMs: number, event: IncomingEvent): void {
    this.#count(state, event);
    this.#enter(waiting, state);
    waiting.dueMs = atMs;
    this.#due.push({ atMs, waiting });
  }

  /** No node fits the pod that was taken. `rejections`: what said no. */
  unschedulable(key: string, rejections: Hint, nowMs: number): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined || waiting.state !== "taken") return;
    waiting.rejections = rejections;
    if ((waiting.missed & rejections) !== 0)
      this.#later(waiting, "backoff", this.#backoffEnd(waiting), "ScheduleAttemptFailure");
    else this.#later(waiting, "unschedulable", nowMs + limits.unschedulableMaxMs, "ScheduleAttemptFailure");
  }

  /** Something else failed: the pod is tried again after its back-off. */
  retry(key: string): void {
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined && waiting.state === "taken")
      this.#later(waiting, "backoff", this.#backoffEnd(waiting), "ScheduleAttemptFailure");
  }

  /** What was to be done for a pod that no node fits failed: it is tried again after its back-off. */
  again(key: string): void {
    const waiting = this.#waiting.get(key);
    if (waiting?.state === "unschedulable")
      this.#later(waiting, "backoff", this.#backoffEnd(waiting), "ScheduleAttemptFailure");
  }

  #backoffEnd(waiting: Waiting): number {
    const { minMs, maxMs } = this.#backoff;
    return waiting.triedMs + Math.min(maxMs, minMs * 2 ** Math.min(20, waiting.attempts - 1));
  }

  /** Something happened: pods that it may help come back, not before their back-off is over. */
  happened(hint: Hint, nowMs: number): void {
    if (hint === 0) return;
    for (const waiting of this.#taken) waiting.missed |= hint;
    const helped = [...this.#unschedulable].filter(([rejections]) => (rejections & hint) !== 0);
    for (const waiting of helped.flatMap(([, same]) => [...same])) {
      const endMs = this.#backoffEnd(waiting);
      if (endMs <= nowMs) this.#activate(waiting, "ClusterEvent");
      else this.#later(waiting, "backoff", endMs, "ClusterEvent");
    }
  }

  /** When the next pod becomes due; undefined when none waits for a time. */
  get nextDueMs(): number | undefined {
    for (;;) {
      const due = this.#due.peek();
      if (due === undefined) return undefined;
      const { waiting } = due;
      if ((waiting.state === "backoff" || waiting.state === "unschedulable") && waiting.dueMs === due.atMs)
        return due.atMs;
      this.#due.pop();
    }
  }
}
