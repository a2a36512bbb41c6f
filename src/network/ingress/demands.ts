import { trafficdemands, type TrafficHold } from "#api/delivery/traffic-hold.ts";
import type { Client } from "#client/client.ts";
import type { Clock, Timer, Timers } from "#world/clock.ts";
import { holdRing } from "./hold-rules.ts";
import { demandRetryMs, waitingMs } from "./limits.ts";
import type { Runtime } from "./runtime.ts";
import { tell } from "./tell.ts";

export interface DemandsOptions {
  readonly runtime: Pick<Runtime, "follow">;
  readonly client: Client;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly nodeName: string;
  /** All holds of the cluster. */
  readonly holds: () => readonly TrafficHold[];
  /** `namespace/service` of a place whose requests are held. */
  readonly serviceOf: (place: string) => string | undefined;
  readonly onProblem: (problem: string, error: unknown) => void;
}

/** What HAProxy said last about a place where requests are held. */
export interface HeldCount {
  /** `namespace/service`. */
  readonly service: string;
  /** Requests that wait now, that ever waited, and that were turned away: too many, or for too long. */
  readonly waiting: number;
  readonly admitted: number;
  readonly refused: number;
}

interface Said extends HeldCount {
  readonly atMs: number;
}

/**
 * Listens to HAProxy for requests that wait, and asks the API for the end of the sleep that they wait for: once a sleep, again until
 * it is written. What HAProxy repeats while requests wait makes up for whatever was lost between the two.
 */
export class Demands {
  readonly #options: DemandsOptions;
  /** By place. */
  readonly #said = new Map<string, Said>();
  /** By uid of the hold: the sleep whose end was asked for. */
  readonly #told = new Map<string, number>();
  readonly #writing = new Set<string>();
  #ear: { readonly life: number; close(): void } | undefined;
  #listeningSinceMs: number | undefined;
  #life = 0;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: DemandsOptions) {
    this.#options = options;
  }

  /** Listens while there is something to hold. `life` numbers the lives of HAProxy: a new one is listened to anew. */
  listen(life: number): void {
    const isWanted = !this.#stopped && this.#options.holds().length > 0;
    this.#life = life;
    if (this.#ear?.life === life && isWanted) return;
    this.#ear?.close();
    this.#ear = undefined;
    this.#listeningSinceMs = undefined;
    this.#said.clear();
    if (!isWanted) return;
    const ear = this.#options.runtime.follow(
      // Only what is new: old requests are no longer waiting.
      `show events ${holdRing} -w -n`,
      (line) => this.#hear(line),
      () => {
        if (this.#ear?.life !== life) return;
        this.#ear = undefined;
        this.#listeningSinceMs = undefined;
        this.#again();
      },
    );
    this.#ear = { life, close: () => ear.close() };
    this.#listeningSinceMs = this.#options.clock.monotonic();
  }

  /** The holds have changed: what waits may now wait for another sleep. */
  look(): void {
    const known = new Set(this.#options.holds().map(({ metadata }) => metadata.uid));
    for (const uid of this.#told.keys()) if (!known.has(uid)) this.#told.delete(uid);
    const now = this.#options.clock.monotonic();
    for (const [place, said] of this.#said) {
      if (this.#options.serviceOf(place) !== said.service) this.#said.delete(place);
      else if (said.waiting > 0 && now - said.atMs <= waitingMs) this.#ask(said.service);
    }
  }

  /** Milliseconds since a request was held or turned away, as far as we have listened; 0 when we do not. */
  quietMs(service: string): number {
    const now = this.#options.clock.monotonic();
    if (this.#listeningSinceMs === undefined) return 0;
    const said = [...this.#said.values()].filter((one) => one.service === service);
    return Math.min(now - this.#listeningSinceMs, ...said.map(({ atMs }) => now - atMs));
  }

  /** Whether requests wait somewhere, as HAProxy said a moment ago. */
  isWaiting(): boolean {
    const now = this.#options.clock.monotonic();
    return [...this.#said.values()].some(({ waiting, atMs }) => waiting > 0 && now - atMs <= waitingMs);
  }

  /** By place, what HAProxy said last. */
  counts(): readonly HeldCount[] {
    return [...this.#said.values()];
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#ear?.close();
    this.#ear = undefined;
  }

  #hear(line: string): void {
    const [, place = "", ...numbers] = /^(w\d{4,5}) (\d{1,9}) (\d{1,15}) (\d{1,15})$/.exec(line) ?? [];
    const service = this.#options.serviceOf(place);
    if (service === undefined) return;
    const [waiting = 0, admitted = 0, refused = 0] = numbers.map(Number);
    this.#said.set(place, { service, waiting, admitted, refused, atMs: this.#options.clock.monotonic() });
    this.#ask(service);
  }

  /** Asks all holds of a Service that sleep, or are about to, to wake. */
  #ask(service: string): void {
    for (const hold of this.#options.holds()) {
      const { metadata, spec } = hold;
      const isMeant = spec.services.some((name) => `${metadata.namespace}/${name}` === service);
      if (!isMeant || spec.phase === "Awake" || this.#told.get(metadata.uid ?? "") === spec.sleep) continue;
      void this.#write(hold, service.slice(service.indexOf("/") + 1));
    }
  }

  async #write({ metadata, spec: { sleep } }: TrafficHold, service: string): Promise<void> {
    const { client, clock, nodeName, onProblem } = this.#options;
    const { namespace = "", name: hold = "", uid = "" } = metadata;
    if (this.#writing.has(uid)) return;
    this.#writing.add(uid);
    const at = new Date(clock.now()).toISOString();
    try {
      await tell(client, trafficdemands, {
        about: { kind: "TrafficHold", namespace, name: hold, uid },
        nodeName,
        rule: `a request for Service ${service} came through the ingress of ${nodeName} while its pods slept (sleep ${sleep})`,
        spec: { hold, holdUid: uid, sleep, node: nodeName, service, at },
      });
      this.#told.set(uid, sleep);
    } catch (error) {
      onProblem(`ingress: cannot ask for pods of Service ${namespace}/${service}`, error);
      this.#again();
    } finally {
      this.#writing.delete(uid);
    }
    // The hold may have fallen asleep again meanwhile.
    this.look();
  }

  #again(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    this.#timer = this.#options.timers.after(demandRetryMs, () => {
      this.#timer = undefined;
      if (this.#ear === undefined) this.listen(this.#life);
      this.look();
    });
  }
}
